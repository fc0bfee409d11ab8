//! `/activity`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use time::OffsetDateTime;

use super::layout::Layout;
use super::render;
use crate::display::device::device;
use crate::display::time::DisplayTime;
use crate::domain::event::{COMMAND_LINE, PastEvent, Window};
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Events on a page.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "pages/activity.html")]
struct ActivityPage<'a> {
    layout: Layout<'a>,
    events: Vec<ActivityRow>,
    newer: Option<String>,
    older: Option<String>,
}

/// One event in words.
struct ActivityRow {
    at: DisplayTime,
    words: String,
    place: String,
    alarm: bool,
}

/// Which part of the trail is asked for.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    before: Option<i64>,
    after: Option<i64>,
}

/// `GET /activity`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let window = match query.map(web::Query::into_inner) {
        Some(Query { after: Some(id), .. }) => Window::After(id),
        Some(Query { before: Some(id), .. }) => Window::Before(id),
        _ => Window::Newest,
    };
    // One more than is shown tells whether there is another page that way.
    let mut events = site.sessions.activity(user.identity(), window, PAGE as i64 + 1).await?;
    let more = events.len() > PAGE;
    match window {
        Window::After(_) if more => drop(events.remove(0)),
        _ => events.truncate(PAGE),
    }
    let (newest, oldest) = (events.first().map(|event| event.id), events.last().map(|event| event.id));
    let newer = newest.filter(|_| matches!(window, Window::Before(_)) || (matches!(window, Window::After(_)) && more));
    let older = oldest.filter(|_| matches!(window, Window::After(_)) || more);
    let now = auth.now();
    let here = request.uri().path_and_query().map_or("/activity", |here| here.as_str());
    let page = ActivityPage {
        layout: Layout::new(&site, Some(&auth), "activity").at(here),
        events: events.iter().map(|event| row(event, now)).collect(),
        newer: newer.map(|id| format!("/activity?after={id}")),
        older: older.map(|id| format!("/activity?before={id}")),
    };
    render(StatusCode::OK, &page)
}

fn row(event: &PastEvent, now: OffsetDateTime) -> ActivityRow {
    let browser = device(&event.user_agent);
    let by_command = event.by == COMMAND_LINE;
    let place = match event.address.as_str() {
        _ if by_command => "Done by whoever runs this site".to_owned(),
        "" => browser,
        address => format!("{browser}, {address}"),
    };
    let (words, alarm) = match event.kind.as_str() {
        "registered" if by_command => ("This account was made for you".to_owned(), false),
        "password_reset_requested" if by_command => ("A link for a new password was made".to_owned(), true),
        kind => words(kind, &event.reason),
    };
    ActivityRow { at: DisplayTime::new(event.at, now), words, place, alarm }
}

/// Says what happened, and whether it calls for attention.
fn words(kind: &str, reason: &str) -> (String, bool) {
    let (words, alarm) = match (kind, reason) {
        ("signed_in", _) => ("You signed in", false),
        ("sign_in_failed", "deactivated") => ("A sign-in was refused: the account was deactivated", true),
        ("sign_in_failed", _) => ("A sign-in failed: wrong password", true),
        ("auto_signed_in", _) => ("You were kept signed in", false),
        ("signed_out", "signed_out_everywhere") => ("You signed out everywhere", false),
        ("signed_out", _) => ("You signed out", false),
        ("session_revoked", "deactivated") => ("A sign-in was ended: the account was deactivated", true),
        ("session_revoked", "password_changed") => ("A sign-in was ended: the password was changed", false),
        ("session_revoked", "revoked_by_operator") => ("A sign-in was ended by whoever runs this site", true),
        ("session_revoked", "restored") => ("A sign-in was ended: the data were restored from a backup", false),
        ("session_revoked", _) => ("You ended a sign-in on another device", false),
        ("refresh_token_replayed", _) => ("A copy of a sign-in was used; that sign-in was ended", true),
        ("account_locked", _) => ("The account was locked for a while after too many tries", true),
        ("account_unlocked", _) => ("The lock of the account was ended by whoever runs this site", false),
        ("registered", _) => ("You made this account", false),
        ("password_changed", "password_reset") => ("Your password was changed by a mailed link", true),
        ("password_changed", _) => ("You changed your password", false),
        ("password_reset_requested", _) => ("A new password was asked for by mail", false),
        ("password_reset", _) => ("You set a new password by a mailed link", true),
        ("email_changed", _) => ("You changed your email address", false),
        ("email_verified", _) => ("You confirmed your email address", false),
        ("user_deactivated", _) => ("The account was deactivated", true),
        ("user_activated", _) => ("The account was activated", false),
        ("role_changed", _) => ("Your role was changed", true),
        (other, _) => return (other.replace('_', " "), false),
    };
    (words.to_owned(), alarm)
}
