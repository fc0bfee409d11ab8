//! `/session/confirm`: waits for a browser to prove that it is on its device.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::{lead_to, render, see_other};
use crate::web::error::WebError;
use crate::web::local_path::LocalPath;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Reloads a page without a script; every browser knows it, and no standard does (WHATWG HTML section 7.4.6.1).
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// How often the page comes back by itself: each time, the browser has its chance to prove itself before it asks.
const ROUNDS: u8 = 2;

/// Seconds until it does.
const PAUSE_SECONDS: u8 = 1;

#[derive(Template)]
#[template(path = "pages/confirm.html")]
struct ConfirmPage<'a> {
    layout: Layout<'a>,
    again: String,
    sign_in: String,
}

/// The query of the page.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    next: Option<String>,
    round: Option<u8>,
}

/// `GET /session/confirm`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let (next, round) = query.map(|query| (query.next.clone(), query.round)).unwrap_or_default();
    let (next, round) = (next.and_then(|next| LocalPath::parse(&next)), round.unwrap_or(0));
    if auth.identity().is_some() {
        return Ok(lead_to(site.after_sign_in(next.as_ref())));
    }
    let sign_in = LocalPath::on_the_way("/login", next.as_ref());
    if auth.authenticated().unproven.is_none() || round >= ROUNDS {
        return Ok(see_other(&sign_in));
    }
    let here = LocalPath::on_the_way("/session/confirm", next.as_ref());
    let again = format!("{here}{}round={}", if next.is_some() { '&' } else { '?' }, round.saturating_add(1));
    let refresh = HeaderValue::try_from(format!("{PAUSE_SECONDS}; url={}", site.at(&again)));
    let page = ConfirmPage { layout: Layout::new(&site, Some(&auth), ""), again, sign_in };
    let mut response = render(StatusCode::OK, &page)?;
    if let Ok(refresh) = refresh {
        response.headers_mut().insert(REFRESH, refresh);
    }
    if !site.jar.presented(request.headers()).access.is_empty() {
        site.jar.clear_access(response.headers_mut());
    }
    Ok(response)
}
