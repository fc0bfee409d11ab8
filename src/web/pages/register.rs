//! `/register`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::client_info::client;
use super::super::error::WebError;
use super::super::forms::SubmittedForm;
use super::super::site::Site;
use super::super::visit::{Outcome, Visit};
use super::super::words;
use super::layout::Layout;
use super::{Problem, render, see_other};
use crate::accounts::{self, RegistrationOutcome};
use crate::config::Registration;
use crate::domain::password::Password;
use crate::domain::user::{Email, FullName};

#[derive(Template)]
#[template(path = "pages/register.html")]
struct RegisterPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    full_name: &'a str,
    email: &'a str,
    keep_signed_in: bool,
    kept_for: String,
    minimum: usize,
    problems: Vec<Problem>,
    first_account: bool,
}

/// What the form comes back with.
#[derive(Default)]
struct Filled<'a> {
    full_name: &'a str,
    email: &'a str,
    keep: bool,
    problems: Vec<Problem>,
}

/// `GET /register`.
pub(in crate::web) async fn get(site: web::Data<Site>, visit: Visit) -> Result<HttpResponse, WebError> {
    if visit.grant().is_some() {
        return Ok(see_other("/dashboard"));
    }
    refuse_closed(&site)?;
    page(&site, &visit, StatusCode::OK, Filled { keep: true, ..Filled::default() }).await
}

/// `POST /register`.
pub(in crate::web) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    visit: Visit,
) -> Result<HttpResponse, WebError> {
    if visit.grant().is_some() {
        return Ok(see_other("/dashboard"));
    }
    refuse_closed(&site)?;
    let mut form = SubmittedForm::read(&request, payload, &visit, &site).await?;
    let typed = form.take("password");
    let filled = Filled {
        full_name: form.get("full_name"),
        email: form.get("email"),
        keep: form.is_checked("keep_signed_in"),
        ..Filled::default()
    };
    let wish = match parse(&filled, typed, site.password_min_length) {
        Ok(wish) => wish,
        Err(problems) => {
            return page(&site, &visit, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled }).await;
        }
    };
    let from = client(&request, &site.trusted_proxies);
    match accounts::register(&site.auth, wish, &from).await? {
        RegistrationOutcome::Registered(tokens) => {
            visit.set_outcome(Outcome::Began(tokens));
            Ok(see_other("/dashboard"))
        }
        RegistrationOutcome::EmailTaken => {
            let message = "There is an account with this email address already; sign in instead".to_owned();
            let problems = vec![Problem { field: "email", message }];
            page(&site, &visit, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled }).await
        }
    }
}

fn refuse_closed(site: &Site) -> Result<(), WebError> {
    match site.registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(WebError::RegistrationClosed),
    }
}

/// Parses every field, so that all problems are told at once.
fn parse(filled: &Filled<'_>, password: String, minimum: usize) -> Result<accounts::Registration, Vec<Problem>> {
    let full_name = filled.full_name.parse::<FullName>();
    let email = filled.email.parse::<Email>();
    let password = Password::new(password, minimum);
    match (full_name, email, password) {
        (Ok(full_name), Ok(email), Ok(password)) => {
            Ok(accounts::Registration { full_name, email, password, keep: filled.keep })
        }
        (full_name, email, password) => {
            let problem = |field, error: Option<String>| error.map(|message| Problem { field, message });
            let problems = [
                problem("full_name", full_name.err().map(|error| error.to_string())),
                problem("email", email.err().map(|error| error.to_string())),
                problem("password", password.err().map(|error| error.to_string())),
            ];
            Err(problems.into_iter().flatten().collect())
        }
    }
}

async fn page(site: &Site, visit: &Visit, status: StatusCode, filled: Filled<'_>) -> Result<HttpResponse, WebError> {
    let page = RegisterPage {
        form_token: site.form_tokens.token(visit.form_binding()?),
        layout: Layout::new(site, Some(visit), ""),
        full_name: filled.full_name,
        email: filled.email,
        keep_signed_in: filled.keep,
        kept_for: words::exactly(site.auth.lifetimes().kept),
        minimum: site.password_min_length,
        problems: filled.problems,
        first_account: !site.auth.has_accounts().await?,
    };
    render(status, &page)
}
