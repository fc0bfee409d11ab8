//! `/admin/users/{id}`: one account, and what can be done with it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use time::OffsetDateTime;

use super::event_row::EventRow;
use super::read;
use super::sign_in_row::SignInRow;
use crate::display::time::DisplayTime;
use crate::domain::id::UserId;
use crate::domain::session::Lifetimes;
use crate::domain::throttle::{SignInTries, Verdict, judge_sign_in};
use crate::domain::user::Email;
use crate::store::operator::{Account, ListedSession, StoredEvent, account, list_events, list_sessions};
use crate::store::throttle::{SignInKeys, sign_in_tries};
use crate::store::{Connection, StoreError};
use crate::web::error::WebError;
use crate::web::extract::{AdminUser, CurrentUser};
use crate::web::pages::{Layout, Problem, opens_dialogs, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Sign-ins on the page at most; who has more of them has a program that signs in again and again.
const SIGN_INS: i64 = 50;

/// Events on the page; the others are a link away.
const EVENTS: i64 = 10;

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    form_token: &'a str,
    /// Whether the browser may know how to open a dialog.
    dialogs: bool,
    id: i64,
    name: String,
    email: String,
    role: String,
    /// What stands in the field for another one.
    typed_role: String,
    is_active: bool,
    is_own: bool,
    wrong_passwords: u32,
    lock: Option<LockWords>,
    created: DisplayTime,
    last_sign_in: Option<DisplayTime>,
    sessions: Vec<SignInRow>,
    events: Vec<EventRow>,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
}

/// How an account is locked.
pub(super) enum LockWords {
    /// Until then.
    Until(DisplayTime),
    /// Until its password is set anew, or it is unlocked.
    ForStrangers,
}

/// `GET /admin/users/{id}`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    admin: AdminUser,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let user = named(&id)?;
    let filled = Filled { dialogs: opens_dialogs(request.headers()), ..Filled::default() };
    page(&site, &auth, &admin, user, StatusCode::OK, filled).await
}

/// Understands the number of an account in an address.
///
/// # Errors
/// `NotFound`: no account has another.
pub(super) fn named(id: &str) -> Result<UserId, WebError> {
    id.parse().map_err(|_| WebError::NotFound)
}

/// What a form of the page comes back with, where it cannot be accepted.
#[derive(Debug, Default)]
pub(super) struct Filled<'a> {
    /// The role that was typed.
    pub(super) role: Option<&'a str>,
    /// What is wrong, beside its field and in the summary.
    pub(super) problems: Vec<Problem>,
    /// Why nothing was done.
    pub(super) failure: Option<&'a str>,
    /// Whether the browser opens a dialog; every act that asks has a page as well.
    pub(super) dialogs: bool,
}

/// What the page shows.
struct Shown {
    account: Account,
    sessions: Vec<ListedSession>,
    events: Vec<StoredEvent>,
    tries: SignInTries,
}

fn shown(
    rows: &mut Connection,
    user: UserId,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
) -> Result<Option<Shown>, StoreError> {
    let Some(account) = account(rows, user)? else { return Ok(None) };
    let email = account.user.email.parse::<Email>().ok();
    Ok(Some(Shown {
        sessions: list_sessions(rows, Some(user), lifetimes, now, SIGN_INS)?,
        events: list_events(rows, Some(user), None, EVENTS)?,
        tries: sign_in_tries(rows, &SignInKeys::new(email.as_ref(), None, None))?,
        account,
    }))
}

/// Renders the page, with the form that came back.
pub(super) async fn page(
    site: &Site,
    auth: &RequestAuth,
    admin: &CurrentUser,
    user: UserId,
    status: StatusCode,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let (lifetimes, now, times) = (*site.sessions.lifetimes(), auth.now(), auth.times());
    let found = read(site, move |rows| shown(rows, user, &lifetimes, now)).await?;
    let Shown { account: Account { user, created_at }, sessions, events, tries } = found.ok_or(WebError::NotFound)?;
    let failures = SignInTries { account: tries.account, ..SignInTries::default() };
    let lock = match judge_sign_in(&failures, now) {
        Verdict::Locked(until) => Some(LockWords::Until(times.end(until))),
        Verdict::LockedForStrangers => Some(LockWords::ForStrangers),
        Verdict::Try | Verdict::TooMany(_) => None,
    };
    let own = admin.identity().session();
    let page = UserPage {
        layout: Layout::new(site, Some(auth), "admin").on(&format!("/admin/users/{}", user.id)),
        section: "users",
        form_token: site.form_token_of(admin.identity()),
        dialogs: filled.dialogs,
        id: user.id.0,
        typed_role: filled.role.unwrap_or(user.role.as_str()).to_owned(),
        role: user.role.as_str().to_owned(),
        is_active: user.is_active,
        is_own: user.id == admin.user().id,
        wrong_passwords: tries.account.map_or(0, |failures| failures.count),
        lock,
        created: times.past(created_at),
        last_sign_in: user.last_login_at.map(|at| times.past(at)),
        name: user.full_name.into(),
        email: user.email.into(),
        sessions: sessions.iter().map(|(session, _)| SignInRow::new(session, &times, own)).collect(),
        events: events.into_iter().map(|event| EventRow::new(event, &times).of_one()).collect(),
        problems: filled.problems,
        failure: filled.failure,
    };
    render(status, &page)
}
