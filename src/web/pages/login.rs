//! `/login`.

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
use crate::auth::{SignIn, SignInOutcome, Tombstone};
use crate::config::Registration;
use crate::domain::local_path::LocalPath;
use crate::domain::moment::Moment;
use crate::domain::password::Password;
use crate::domain::session::EndReason;

/// What a refused sign-in is told, whatever the reason (OWASP Authentication Cheat Sheet, "Authentication responses").
const REFUSED: &str = "Invalid email or password.";

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    keep_signed_in: bool,
    kept_for: String,
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    ended: Option<EndNotice>,
    registration_open: bool,
}

/// Why the visitor is not signed in any more.
struct EndNotice {
    heading: &'static str,
    message: String,
    at: Option<Moment>,
    alarm: bool,
}

/// What the form comes back with.
#[derive(Default)]
struct Filled<'a> {
    email: &'a str,
    keep: bool,
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    ended: Option<EndNotice>,
}

/// The query of the sign-in page.
#[derive(serde::Deserialize)]
pub(in crate::web) struct Query {
    next: Option<String>,
}

/// `GET /login`.
pub(in crate::web) async fn get(
    site: web::Data<Site>,
    visit: Visit,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let next = query.and_then(|query| LocalPath::parse(query.next.as_deref()?));
    if visit.grant().is_some() {
        return Ok(see_other(next.as_ref().map_or("/dashboard", LocalPath::as_str)));
    }
    let tombstone = match visit.take_ended() {
        Some(session) => site.auth.tombstone(session).await?,
        None => None,
    };
    let now = site.auth.now();
    let ended = tombstone.map(|tombstone| notice(tombstone, &site, now));
    let next = next.as_ref().map_or("", LocalPath::as_str);
    page(&site, &visit, StatusCode::OK, Filled { keep: true, next, ended, ..Filled::default() })
}

/// `POST /login`.
pub(in crate::web) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    visit: Visit,
) -> Result<HttpResponse, WebError> {
    // Two tabs showed the form and the other one was faster: there is nothing left to do here.
    if visit.grant().is_some() {
        return Ok(see_other("/dashboard"));
    }
    let mut form = SubmittedForm::read(&request, payload, &visit, &site).await?;
    let password = Password::entered(form.take("password"));
    let next = LocalPath::parse(form.get("next"));
    let filled = Filled {
        email: form.get("email"),
        keep: form.is_checked("keep_signed_in"),
        next: next.as_ref().map_or("", LocalPath::as_str),
        ..Filled::default()
    };
    let mut problems = Vec::new();
    if filled.email.trim().is_empty() {
        problems.push(Problem { field: "email", message: "Enter your email address".to_owned() });
    }
    let password = match password {
        Ok(password) if problems.is_empty() => password,
        refused => {
            let refused = refused.err().map(|error| Problem { field: "password", message: error.to_string() });
            problems.extend(refused);
            return page(&site, &visit, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled });
        }
    };
    let attempt = SignIn { email: filled.email.parse().ok(), password, keep: filled.keep };
    let from = client(&request, &site.trusted_proxies);
    match site.auth.sign_in(attempt, &from).await? {
        SignInOutcome::SignedIn(tokens) => {
            visit.set_outcome(Outcome::Began(tokens));
            Ok(see_other(next.as_ref().map_or("/dashboard", LocalPath::as_str)))
        }
        SignInOutcome::Refused => {
            page(&site, &visit, StatusCode::UNAUTHORIZED, Filled { failure: Some(REFUSED), ..filled })
        }
    }
}

fn page(site: &Site, visit: &Visit, status: StatusCode, filled: Filled<'_>) -> Result<HttpResponse, WebError> {
    let page = LoginPage {
        form_token: site.form_tokens.token(visit.form_binding()?),
        layout: Layout::new(site, Some(visit), ""),
        email: filled.email,
        keep_signed_in: filled.keep,
        kept_for: words::exactly(site.auth.lifetimes().kept),
        next: filled.next,
        problems: filled.problems,
        failure: filled.failure,
        ended: filled.ended,
        registration_open: site.registration == Registration::Open,
    };
    render(status, &page)
}

fn notice(tombstone: Tombstone, site: &Site, now: time::OffsetDateTime) -> EndNotice {
    let lifetimes = site.auth.lifetimes();
    let (heading, message) = match tombstone.reason {
        EndReason::SignedOut => ("You have signed out", "This device is no longer signed in.".to_owned()),
        EndReason::SignedOutEverywhere => {
            ("You have signed out everywhere", "None of your devices is signed in any more.".to_owned())
        }
        EndReason::RevokedOnAnotherDevice => (
            "This sign-in was ended from another device",
            "Somebody who was signed in to your account ended it. If that was not you, sign in and end the sign-ins you do not know."
                .to_owned(),
        ),
        EndReason::Expired => ("Your sign-in has expired", "It had reached the end of its life. Sign in again to go on.".to_owned()),
        EndReason::Idle => (
            "You were signed out after a long pause",
            format!("This device had not been used for {}. Sign in again to go on.", words::exactly(lifetimes.idle)),
        ),
        EndReason::Replayed => (
            "This sign-in was ended to keep you safe",
            "A copy of it was used from two places, so somebody else may have had access to your account. \
             Sign in, look at your devices, and end the sign-ins you do not know."
                .to_owned(),
        ),
        EndReason::Deactivated => {
            ("This account is deactivated", "Ask whoever runs this site if you think it should not be.".to_owned())
        }
        EndReason::PasswordChanged => {
            ("Your password was changed", "Every sign-in was ended. Sign in with the new password.".to_owned())
        }
    };
    let alarm = tombstone.reason == EndReason::Replayed;
    EndNotice { heading, message, at: Some(Moment::new(tombstone.at, now)), alarm }
}
