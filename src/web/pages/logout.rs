//! `/logout` and `/logout/everywhere`.

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::client_info::client;
use super::super::error::WebError;
use super::super::extract::CurrentUser;
use super::super::forms::SubmittedForm;
use super::super::site::Site;
use super::super::visit::{Outcome, Visit};
use super::see_other;

/// Empties the browser's cache, so that Back shows nothing of what was signed in (W3C Clear Site Data section 3.1).
const CLEAR_SITE_DATA: (HeaderName, &str) = (HeaderName::from_static("clear-site-data"), "\"cache\"");

/// `POST /logout`.
pub(in crate::web) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    visit: Visit,
    user: CurrentUser,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let from = client(&request, &site.trusted_proxies);
    site.auth.sign_out(user.session(), &from).await?;
    Ok(signed_out(&visit, &user))
}

/// `POST /logout/everywhere`.
pub(in crate::web) async fn everywhere(
    request: HttpRequest,
    site: web::Data<Site>,
    visit: Visit,
    user: CurrentUser,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let from = client(&request, &site.trusted_proxies);
    site.auth.sign_out_everywhere(user.session(), &from).await?;
    Ok(signed_out(&visit, &user))
}

fn signed_out(visit: &Visit, user: &CurrentUser) -> HttpResponse {
    visit.set_outcome(Outcome::Ended(user.session().id));
    let mut response = see_other("/login");
    let (name, value) = CLEAR_SITE_DATA;
    response.headers_mut().insert(name, actix_web::http::header::HeaderValue::from_static(value));
    response
}
