//! `/login`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::throttled::{Refusal, retry_after};
use super::{NO_EMAIL, Problem, kept_hint, lead_to, render, switch_account, told};
use crate::display::duration::exactly;
use crate::display::time::DisplayTime;
use crate::domain::audience::Audience;
use crate::domain::password::Password;
use crate::domain::session::{EndReason, SHARED_IDLE};
use crate::session::{Ended, SignIn, SignInOutcome, Throttled, Tombstone};
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::form_page::FormPage;
use crate::web::forms::SubmittedForm;
use crate::web::local_path::LocalPath;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

/// What a refused sign-in is told, whatever the reason (OWASP Authentication Cheat Sheet, "Authentication responses").
const REFUSED: &str = "Invalid email or password.";

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    keep_signed_in: bool,
    kept_hint: String,
    shared_computer: bool,
    shared_hint: String,
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    /// When to try again, of whoever tried too often.
    again: Option<Again>,
    ended: Option<EndNotice>,
    registration_open: bool,
}

/// Why the visitor is not signed in any more.
struct EndNotice {
    heading: &'static str,
    message: String,
    at: Option<DisplayTime>,
    alarm: bool,
}

/// How whoever tried too often gets in after all.
struct Again {
    /// When the next try is looked at; none where waiting does not help.
    at: Option<DisplayTime>,
    /// Whether a device that the account knows could sign in at once.
    known_device: bool,
}

/// What the form comes back with.
#[derive(Default)]
struct Filled<'a> {
    email: &'a str,
    keep: bool,
    shared_computer: bool,
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    again: Option<Again>,
    ended: Option<EndNotice>,
}

/// The query of the sign-in page.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    next: Option<String>,
}

/// `GET /login`.
pub(crate) async fn get(
    site: web::Data<Site>,
    auth: RequestAuth,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let next = query.and_then(|query| LocalPath::parse(query.next.as_deref()?));
    if auth.identity().is_some() {
        return Ok(lead_to(site.after_sign_in(next.as_ref())));
    }
    let (own, shown) = (auth.form().and_then(|form| form.ended), auth.authenticated().ended);
    let ended = match own {
        // The visitor's own sign-out is told once, and first: it took the cookies away.
        Some(session) => site.sessions.tombstone(session).await?,
        None => shown.map(|Ended { reason, at, .. }| Tombstone { reason, at }),
    };
    // What the banner of a reset says is not said twice.
    let just_reset = auth.notice() == Some(&Notice::PasswordReset);
    let ended = ended.filter(|tombstone| !(just_reset && tombstone.reason == EndReason::PasswordChanged));
    let ended = ended.map(|tombstone| notice(tombstone, &site, auth.now()));
    let ended = ended.or_else(|| auth.authenticated().unproven.as_ref().map(|_| not_proven()));
    let next = next.as_ref().map_or("", LocalPath::as_str);
    let filled = Filled { keep: true, next, ended, ..Filled::default() };
    let response = page(&site, &auth, StatusCode::OK, filled)?;
    Ok(if own.is_some() { AuthChange::ToldWhy.attach(response) } else { response })
}

/// `POST /login`.
pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
) -> Result<HttpResponse, WebError> {
    // Two tabs showed the form and the other one was faster: nobody is signed in here.
    if let Some(identity) = auth.identity() {
        return Ok(switch_account::answer(&site, &request, payload, identity.user()).await);
    }
    let mut form = SubmittedForm::read(&request, payload, &auth, &site).await?;
    let password = Password::entered(form.take("password"));
    let next = LocalPath::parse(form.get("next"));
    let filled = Filled {
        email: form.get("email"),
        keep: form.is_checked("keep_signed_in"),
        shared_computer: form.is_checked("shared_computer"),
        next: next.as_ref().map_or("", LocalPath::as_str),
        ..Filled::default()
    };
    let mut problems = Vec::new();
    if filled.email.trim().is_empty() {
        problems.push(Problem { field: "email", message: NO_EMAIL.to_owned() });
    }
    let password = match password {
        Ok(password) if problems.is_empty() => password,
        refused => {
            let refused = refused.err().map(|error| Problem { field: "password", message: error.to_string() });
            problems.extend(refused);
            return page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled });
        }
    };
    let form_id = auth.form().map(|form| form.id);
    let (email, device) = (filled.email.parse().ok(), throttle::device(&request, &site, &auth)?);
    let attempt = SignIn {
        email,
        password,
        keep: filled.keep,
        shared_computer: filled.shared_computer,
        form: form_id,
        device: Some(device),
        audience: Audience::Pages,
    };
    match site.sessions.sign_in(attempt, auth.authenticated(), &client).await? {
        SignInOutcome::SignedIn { tokens, weakness } => {
            let next = site.after_sign_in(next.as_ref());
            let response = throttle::remember(&site, device, lead_to(next));
            Ok(AuthChange::SignedIn(tokens, weakness.map(Notice::WeakPassword)).attach(response))
        }
        SignInOutcome::Throttled(throttled) => refuse_throttled(throttled, &site, &auth, filled),
        SignInOutcome::Refused => {
            page(&site, &auth, StatusCode::UNAUTHORIZED, Filled { failure: Some(REFUSED), ..filled })
        }
    }
}

/// Answers a try that is not looked at: alike whether there is such an account.
fn refuse_throttled(
    throttled: Throttled,
    site: &Site,
    auth: &RequestAuth,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let Refusal { status, words, at } = Refusal::of(throttled, auth.now());
    let again = Some(Again { at, known_device: status == StatusCode::FORBIDDEN });
    let response = page(site, auth, status, Filled { failure: Some(words), again, ..filled })?;
    Ok(retry_after(throttled, response))
}

fn page(site: &Site, auth: &RequestAuth, status: StatusCode, filled: Filled<'_>) -> Result<HttpResponse, WebError> {
    let page = LoginPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(site, Some(auth), ""),
        // Whoever comes next to a shared computer need not see who was there before.
        email: if filled.shared_computer { "" } else { filled.email },
        keep_signed_in: filled.keep && !filled.shared_computer,
        kept_hint: kept_hint(site.sessions.lifetimes()),
        shared_computer: filled.shared_computer,
        shared_hint: format!("For this window only, and over after {} without use.", exactly(SHARED_IDLE)),
        next: filled.next,
        problems: filled.problems,
        failure: filled.failure,
        again: filled.again,
        ended: filled.ended,
        registration_open: site.registration_open,
    };
    match &site.choices.pages.sign_in {
        Some(maker) => Ok(page.form().answer(maker, status)),
        None => render(status, &page),
    }
}

impl LoginPage<'_> {
    /// Returns what a page of the application's shows instead.
    fn form(&self) -> FormPage<'_> {
        let mut notices = self.layout.notices();
        notices.extend(self.ended.as_ref().map(|ended| format!("{}. {}", ended.heading, ended.message)));
        let at = self.again.as_ref().and_then(|again| again.at.as_ref());
        notices.extend(at.map(|at| format!("You can try again {}.", at.ago)));
        let ticked = |ticked| if ticked { "on" } else { "" };
        FormPage {
            action: format!("{}/login", self.layout.base),
            form_token: &self.form_token,
            hidden: vec![("next", self.next)],
            values: vec![
                ("email", self.email),
                ("keep_signed_in", ticked(self.keep_signed_in)),
                ("shared_computer", ticked(self.shared_computer)),
            ],
            problems: told(&self.problems),
            message: self.failure,
            notices,
        }
    }
}

/// Says why whoever seems to be signed in is asked for the password.
fn not_proven() -> EndNotice {
    EndNotice {
        heading: "Please enter your password",
        message: "Your sign-in belongs to one device, and this browser could not prove that it is on it. Your sign-in has not \
                  ended; a new one here takes its place."
            .to_owned(),
        at: None,
        alarm: false,
    }
}

fn notice(tombstone: Tombstone, site: &Site, now: time::OffsetDateTime) -> EndNotice {
    let lifetimes = site.sessions.lifetimes();
    let (heading, message) = match tombstone.reason {
        EndReason::SignedOut => ("You have signed out", "This device is no longer signed in.".to_owned()),
        EndReason::SignedOutEverywhere => {
            ("You have signed out everywhere", "Every device that was signed in then was signed out.".to_owned())
        }
        EndReason::RevokedOnAnotherDevice => (
            "This sign-in was ended from another device",
            "Somebody who was signed in to your account ended it. If that was not you, sign in and end the sign-ins you do not know."
                .to_owned(),
        ),
        EndReason::RevokedByOperator => (
            "This sign-in was ended by whoever runs this site",
            "Sign in again to go on, and ask them if you want to know why.".to_owned(),
        ),
        EndReason::Expired => ("Your sign-in has expired", "It had reached the end of its life. Sign in again to go on.".to_owned()),
        EndReason::Idle => (
            "You were signed out after a long pause",
            format!("This device had not been used for {}. Sign in again to go on.", exactly(lifetimes.idle)),
        ),
        EndReason::LeftAlone => (
            "You were signed out on this shared computer",
            format!("It had not been used for {}. Sign in again to go on.", exactly(SHARED_IDLE)),
        ),
        EndReason::Replayed => (
            "This sign-in was ended to keep you safe",
            "A copy of it was used from two places, so somebody else may have had access to your account. \
             Sign in, look at your devices, and end the sign-ins you do not know."
                .to_owned(),
        ),
        EndReason::RenewalsLost => (
            "You were signed out to keep you safe",
            "This device asked for a new token several times and never used what it got. Somebody else may hold a copy of \
             this sign-in, or answers were lost on the way. Sign in again to go on."
                .to_owned(),
        ),
        EndReason::Restored => (
            "Please sign in again",
            "The data of this site were restored from a backup, and sign-ins are not taken over from one.".to_owned(),
        ),
        EndReason::Replaced => {
            ("Somebody signed in again in this browser", "That ended the sign-in that was here before.".to_owned())
        }
        EndReason::Deactivated => {
            ("This account is deactivated", "Ask whoever runs this site if you think it should not be.".to_owned())
        }
        EndReason::PasswordChanged => {
            ("Your password was changed", "Every sign-in was ended. Sign in with the new password.".to_owned())
        }
    };
    let alarm = tombstone.reason == EndReason::Replayed;
    EndNotice { heading, message, at: Some(DisplayTime::new(tombstone.at, now)), alarm }
}
