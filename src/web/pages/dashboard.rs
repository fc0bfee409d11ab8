//! `/dashboard`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::layout::Layout;
use super::render;
use crate::display::time::DisplayTime;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::browser_name::browser_name;
use crate::web::fault_log::lost_nothing;

#[derive(Template)]
#[template(path = "pages/dashboard.html")]
struct DashboardPage<'a> {
    layout: Layout<'a>,
    full_name: &'a str,
    email: &'a str,
    welcome_back: bool,
    last_sign_in: Option<DisplayTime>,
    device: &'a str,
    address: String,
    kept: bool,
    sign_in_ends: DisplayTime,
}

/// `GET /dashboard`.
pub(crate) async fn get(request: HttpRequest, user: CurrentUser) -> Result<HttpResponse, WebError> {
    let (identity, auth) = (user.identity(), user.auth());
    let (site, now) = (auth.site(), auth.now());
    let welcome_back = site.sessions.claim_welcome(identity).await.unwrap_or_else(|error| {
        // The reader loses nothing but the greeting, and has that the next time.
        lost_nothing(site, &error.into());
        false
    });
    let device = browser_name(request.headers());
    let page = DashboardPage {
        layout: Layout::new(site, Some(auth), "dashboard"),
        full_name: &user.user().full_name,
        email: &user.user().email,
        welcome_back,
        last_sign_in: user.user().last_login_besides(identity.created_at()).map(|at| DisplayTime::new(at, now)),
        device: &device,
        address: auth.address().map(|address| address.to_string()).unwrap_or_default(),
        kept: identity.is_kept(),
        sign_in_ends: DisplayTime::of_end(identity.expires_at(), now),
    };
    render(StatusCode::OK, &page)
}
