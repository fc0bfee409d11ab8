//! `/register`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use zeroize::Zeroizing;

use super::layout::Layout;
use super::{NO_EMAIL, Problem, check_mail, kept_hint, lead_to, render, switch_account, told};
use crate::accounts::{self, RegistrationOutcome};
use crate::domain::id::{DeviceId, FormId};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::user::{Email, FullName, InvalidEmail};
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::form_page::FormPage;
use crate::web::forms::SubmittedForm;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

#[derive(Template)]
#[template(path = "pages/register.html")]
struct RegisterPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    full_name: &'a str,
    email: &'a str,
    keep_signed_in: bool,
    kept_hint: String,
    minimum: usize,
    problems: Vec<Problem>,
    first_account: bool,
    first: &'a str,
}

/// What the form comes back with.
#[derive(Default)]
struct Filled<'a> {
    full_name: &'a str,
    email: &'a str,
    keep: bool,
    first: &'a str,
    problems: Vec<Problem>,
}

/// The query of the registration page.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    first: Option<String>,
}

/// `GET /register`.
pub(crate) async fn get(
    site: web::Data<Site>,
    auth: RequestAuth,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    if auth.identity().is_some() {
        return Ok(lead_to(site.after_sign_in(None)));
    }
    refuse_closed(&site)?;
    let first = query.and_then(|query| query.into_inner().first).unwrap_or_default();
    let filled = Filled { keep: true, first: &first, ..Filled::default() };
    let mut response = page(&site, &auth, StatusCode::OK, filled).await?;
    if !first.is_empty() {
        // The address holds the token. `no-referrer` would make the browser send the form as if from nowhere, and it would
        // be refused (WHATWG Fetch, "append a request `Origin` header").
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    }
    Ok(response)
}

/// `POST /register`.
pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
) -> Result<HttpResponse, WebError> {
    if let Some(identity) = auth.identity() {
        return Ok(switch_account::answer(&site, &request, payload, identity.user()).await);
    }
    refuse_closed(&site)?;
    let mut form = SubmittedForm::read(&request, payload, &auth, &site).await?;
    throttle::count_form(&site, "/register", &client).await?;
    let typed = form.take("password");
    let filled = Filled {
        full_name: form.get("full_name"),
        email: form.get("email"),
        keep: form.is_checked("keep_signed_in"),
        first: form.get("first"),
        ..Filled::default()
    };
    let may_be_first = may_be_first(&site, filled.first);
    if !may_be_first && !site.sessions.has_accounts().await? {
        // Before anything is hashed; whoever makes the account asks again.
        return Err(WebError::FirstAccountLink);
    }
    let form_id = auth.form().map(|form| form.id);
    let device = throttle::device(&request, &site, &auth)?;
    let wish = match parse(&filled, typed, site.password_min_length, form_id, device) {
        Ok(wish) => accounts::Registration { may_be_first, ..wish },
        Err(problems) => {
            return page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled }).await;
        }
    };
    if site.confirms_addresses {
        return match check_mail::answer(&site, wish).await? {
            Ok(response) => Ok(response),
            Err(weakness) => weak_password(&site, &auth, filled, weakness).await,
        };
    }
    match accounts::register(&site.sessions, wish, auth.authenticated(), &client).await? {
        RegistrationOutcome::Registered(tokens) => {
            let response = throttle::remember(&site, device, lead_to(site.after_sign_in(None)));
            Ok(AuthChange::SignedIn(tokens, None).attach(response))
        }
        RegistrationOutcome::MayNotBeFirst => Err(WebError::FirstAccountLink),
        RegistrationOutcome::WeakPassword(weakness) => weak_password(&site, &auth, filled, weakness).await,
        RegistrationOutcome::EmailTaken => {
            let message = "There is an account with this email address already; sign in instead".to_owned();
            let problems = vec![Problem { field: "email", message }];
            page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled }).await
        }
    }
}

async fn weak_password(
    site: &Site,
    auth: &RequestAuth,
    filled: Filled<'_>,
    weakness: Weakness,
) -> Result<HttpResponse, WebError> {
    let problems = vec![Problem { field: "password", message: weakness.to_string() }];
    page(site, auth, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled }).await
}

fn refuse_closed(site: &Site) -> Result<(), WebError> {
    if site.registration_open { Ok(()) } else { Err(WebError::RegistrationClosed) }
}

/// Tells whether whoever presents `token` may make the first account: where this site is public, they must have read its
/// log.
fn may_be_first(site: &Site, token: &str) -> bool {
    site.first_account.as_ref().is_none_or(|tokens| tokens.verify(token))
}

/// Parses every field, so that all problems are told at once.
fn parse(
    filled: &Filled<'_>,
    password: Zeroizing<String>,
    minimum: usize,
    form: Option<FormId>,
    device: DeviceId,
) -> Result<accounts::Registration, Vec<Problem>> {
    let full_name = filled.full_name.parse::<FullName>();
    let email = filled.email.parse::<Email>();
    let password = Password::new(password, minimum);
    match (full_name, email, password) {
        (Ok(full_name), Ok(email), Ok(password)) => {
            let keep = filled.keep;
            Ok(accounts::Registration { full_name, email, password, may_be_first: false, keep, form, device })
        }
        (full_name, email, password) => {
            let problem = |field, error: Option<String>| error.map(|message| Problem { field, message });
            let problems = [
                problem("full_name", full_name.err().map(|error| error.to_string())),
                problem("email", email.err().map(|error| email_problem(filled.email, error))),
                problem("password", password.err().map(|error| error.to_string())),
            ];
            Err(problems.into_iter().flatten().collect())
        }
    }
}

/// Asks for an address where there is none, and for its form where it has another.
fn email_problem(typed: &str, error: InvalidEmail) -> String {
    if typed.trim().is_empty() { NO_EMAIL.to_owned() } else { error.to_string() }
}

async fn page(
    site: &Site,
    auth: &RequestAuth,
    status: StatusCode,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let first_account = !site.sessions.has_accounts().await?;
    if first_account && !may_be_first(site, filled.first) {
        return Err(WebError::FirstAccountLink);
    }
    let page = RegisterPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(site, Some(auth), ""),
        full_name: filled.full_name,
        email: filled.email,
        keep_signed_in: filled.keep,
        kept_hint: kept_hint(site.sessions.lifetimes()),
        minimum: site.password_min_length,
        problems: filled.problems,
        first_account,
        // Once there is an account, the token is worth nothing.
        first: if first_account { filled.first } else { "" },
    };
    match &site.choices.pages.registration {
        Some(maker) => Ok(page.form().answer(maker, status)),
        None => render(status, &page),
    }
}

impl RegisterPage<'_> {
    /// Returns what a page of the application's shows instead.
    fn form(&self) -> FormPage<'_> {
        FormPage {
            action: format!("{}/register", self.layout.base),
            form_token: &self.form_token,
            hidden: vec![("first", self.first)],
            values: vec![
                ("full_name", self.full_name),
                ("email", self.email),
                ("keep_signed_in", if self.keep_signed_in { "on" } else { "" }),
            ],
            problems: told(&self.problems),
            message: None,
            notices: self.layout.notices(),
        }
    }
}
