//! Redirects to pages of Perennial's, wherever an application has mounted them.
//!
//! Handlers and errors name a page as [`ROUTES`](super::routes::ROUTES) has it, since an error knows no site; the middleware
//! puts the mount before it, on the way out. A path that a browser has named, the `next` of a sign-in for instance, is no such
//! page and stays as it is.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, LOCATION, WWW_AUTHENTICATE};

/// Marks an answer whose headers name a page of Perennial's.
struct OwnPage;

/// Notes that the headers of an answer name a page of Perennial's.
pub(crate) fn mark<B>(response: &mut HttpResponse<B>) {
    response.extensions_mut().insert(OwnPage);
}

/// Puts the mount before the page that the headers of an answer name.
pub(crate) fn place<B>(mount: &str, response: &mut HttpResponse<B>) {
    if mount.is_empty() || response.extensions_mut().remove::<OwnPage>().is_none() {
        return;
    }
    let headers = response.headers_mut();
    let placed = |value: Option<&HeaderValue>, before: &str| {
        let (start, rest) = value?.to_str().ok()?.split_once(before)?;
        HeaderValue::from_str(&format!("{start}{before}{mount}{rest}")).ok()
    };
    if let Some(location) = placed(headers.get(LOCATION), "") {
        headers.insert(LOCATION, location);
    }
    if let Some(challenge) = placed(headers.get(WWW_AUTHENTICATE), "form-action=\"") {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
}
