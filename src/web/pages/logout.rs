//! `/logout` and `/logout/everywhere`.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};

use super::see_other;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::local_path::LocalPath;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

/// Empties the browser's cache, so that Back shows nothing of what was signed in (W3C Clear Site Data section 3.1).
const CLEAR_SITE_DATA: (HeaderName, &str) = (HeaderName::from_static("clear-site-data"), "\"cache\"");

/// `POST /logout`.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    site.sessions.sign_out(user.identity(), auth.authenticated(), &client).await?;
    Ok(signed_out(&user, LocalPath::parse(form.get("next")).as_ref()))
}

/// `POST /logout/everywhere`.
pub(crate) async fn everywhere(
    site: web::Data<Site>,
    user: CurrentUser,
    ClientInfo(client): ClientInfo,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    site.sessions.sign_out_everywhere(user.identity(), &client).await?;
    Ok(signed_out(&user, None))
}

/// Answers whoever has just ended the session that they came with, and leads to the sign-in page and from there on to `next`:
/// "Sign out and sign in again" loses no place.
pub(super) fn signed_out(user: &CurrentUser, next: Option<&LocalPath>) -> HttpResponse {
    let response = clearing_cache(see_other(&LocalPath::on_the_way("/login", next)));
    AuthChange::SignedOut(user.identity().session()).attach(response)
}

/// Tells the browser to forget the pages of whoever was signed in.
pub(super) fn clearing_cache(mut response: HttpResponse) -> HttpResponse {
    let (name, value) = CLEAR_SITE_DATA;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
