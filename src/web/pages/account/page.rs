//! `/account`: what somebody can change about themselves.
//!
//! Each section is a template of its own in `templates/pages/account`, with the form of one handler. A form that cannot be
//! accepted comes back on this page, with what was typed and what is wrong with it: see [`Filled`].

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::accounts::{self, EmailStanding};
use crate::display::time::DisplayTime;
use crate::domain::time_zone::TimeZone;
use crate::web::error::WebError;
use crate::web::extract::{CurrentUser, RecentUser};
use crate::web::pages::layout::Layout;
use crate::web::pages::{Problem, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "pages/account.html")]
struct AccountPage<'a> {
    layout: Layout<'a>,
    form_token: &'a str,
    full_name: &'a str,
    email: &'a str,
    new_email: &'a str,
    standing: EmailStanding,
    zones: Vec<ZoneOption>,
    clock: DisplayTime,
    minimum: usize,
    again: Option<DisplayTime>,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
}

/// One line of the list of time zones.
struct ZoneOption {
    name: &'static str,
    selected: bool,
}

/// Lists the time zones to choose from, and the one that stands, also where it is known by an old name.
fn zone_options(standing: Option<TimeZone>) -> Vec<ZoneOption> {
    let standing = standing.map(TimeZone::name);
    let mut names: Vec<_> = TimeZone::offered().collect();
    names.extend(standing.filter(|name| !names.contains(name)));
    names.into_iter().map(|name| ZoneOption { name, selected: standing == Some(name) }).collect()
}

/// What a form comes back with, where it cannot be accepted; the sections of the others show what is stored.
#[derive(Debug, Default)]
pub(super) struct Filled<'a> {
    /// The name that was typed.
    pub(super) full_name: Option<&'a str>,
    /// The new address that was typed.
    pub(super) email: Option<&'a str>,
    /// What is wrong, each beside its field and in the summary.
    pub(super) problems: Vec<Problem>,
    /// What is wrong with no field in particular.
    pub(super) failure: Option<&'a str>,
    /// When the next password is looked at, of whoever entered too many wrong ones.
    pub(super) again: Option<DisplayTime>,
}

/// `GET /account`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth, user: RecentUser) -> Result<HttpResponse, WebError> {
    page(&site, &auth, &user, StatusCode::OK, Filled::default()).await
}

/// Renders the page, with the form that came back filled in.
pub(super) async fn page(
    site: &Site,
    auth: &RequestAuth,
    user: &CurrentUser,
    status: StatusCode,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let zone = user.user().time_zone;
    let page = AccountPage {
        layout: Layout::new(site, Some(auth), "account"),
        form_token: site.form_token_of(user.identity()),
        full_name: filled.full_name.unwrap_or(&user.user().full_name),
        email: &user.user().email,
        new_email: filled.email.unwrap_or_default(),
        standing: accounts::email_standing(&site.sessions, user.identity()).await?,
        zones: zone_options(zone),
        clock: DisplayTime::in_zone(auth.now(), auth.now(), zone),
        minimum: site.password_min_length,
        again: filled.again,
        problems: filled.problems,
        failure: filled.failure,
    };
    render(status, &page)
}
