//! What a handler does about too many tries, and about the device that they come from.

use actix_web::{HttpRequest, HttpResponse};

use super::error::WebError;
use super::request_auth::{RequestAuth, fresh_form_id};
use super::site::Site;
use crate::domain::client::Client;
use crate::domain::id::DeviceId;

/// Counts a form by the client address; call it first thing once the form is known to be this browser's.
///
/// `path` names the form: each is counted by itself.
///
/// # Errors
/// `TooManyTries` if the form is not to be looked at.
pub(crate) async fn count_form(site: &Site, path: &'static str, client: &Client) -> Result<(), WebError> {
    match site.sessions.count_form(path, client).await? {
        Some(throttled) => Err(WebError::TooManyTries(throttled.wait())),
        None => Ok(()),
    }
}

/// Returns the device that a request comes from; one that has no name yet gets one, which counts once somebody signs in.
///
/// # Errors
/// If there are no random bytes.
pub(crate) fn device(request: &HttpRequest, site: &Site, auth: &RequestAuth) -> Result<DeviceId, WebError> {
    if let Some(known) = site.jar.device(request.headers(), &site.device_cookie) {
        return Ok(known);
    }
    let form = match auth.form() {
        Some(form) => form.id,
        None => fresh_form_id()?,
    };
    Ok(DeviceId::after(form))
}

/// Lets the browser name itself for the next year, since somebody signed in with it.
pub(crate) fn remember(site: &Site, device: DeviceId, mut response: HttpResponse) -> HttpResponse {
    site.jar.set_device(response.headers_mut(), device, &site.device_cookie);
    response
}
