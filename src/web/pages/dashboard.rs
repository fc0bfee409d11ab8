//! `/dashboard`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use time::Duration;

use super::super::browser_names::browser_name;
use super::super::client_info::address_text;
use super::super::error::WebError;
use super::super::extract::CurrentUser;
use super::super::site::Site;
use super::super::visit::Visit;
use super::layout::Layout;
use super::render;
use super::theft_warning::TheftWarning;
use crate::domain::moment::Moment;

/// How long somebody must have been away to be welcomed back.
const AWAY: Duration = Duration::minutes(30);

#[derive(Template)]
#[template(path = "pages/dashboard.html")]
struct DashboardPage<'a> {
    layout: Layout<'a>,
    full_name: &'a str,
    email: &'a str,
    welcome_back: bool,
    last_sign_in: Option<Moment>,
    device: &'a str,
    address: String,
    kept: bool,
    sign_in_ends: Moment,
    warning: Option<TheftWarning>,
}

/// `GET /dashboard`.
pub(in crate::web) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    visit: Visit,
    user: CurrentUser,
) -> Result<HttpResponse, WebError> {
    let now = visit.arrived();
    let device = browser_name(request.headers());
    let page = DashboardPage {
        layout: Layout::new(&site, Some(&visit), "dashboard"),
        full_name: &user.user().full_name,
        email: &user.user().email,
        welcome_back: user.grant().take_away() >= AWAY,
        last_sign_in: user.user().last_login_at.map(|at| Moment::new(at, now)),
        device: &device,
        address: address_text(&request, &site.trusted_proxies),
        kept: user.session().kept,
        sign_in_ends: Moment::new(user.session().expires_at, now),
        warning: user.grant().theft.as_deref().map(|theft| TheftWarning::new(theft, now)),
    };
    render(StatusCode::OK, &page)
}
