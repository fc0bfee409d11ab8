//! What the form of a request may be bound to.

use actix_web::http::header::HeaderMap;

use crate::crypto::FormBinding;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Returns what the form of a request may be bound to: the sign-in that it came with, also one that is over, or the browser.
pub(super) fn presented(auth: &RequestAuth) -> Vec<FormBinding> {
    let ended = auth.authenticated().ended.map(|ended| FormBinding::Session(ended.session));
    auth.presented_binding().into_iter().chain(ended).collect()
}

/// Returns the same where nobody can say who it is, as far as the signatures of the cookies alone can tell.
pub(super) fn claimed(site: &Site, headers: &HeaderMap) -> Vec<FormBinding> {
    let sessions = site.sessions.claimed_sessions(&site.jar.presented(headers), site.sessions.now());
    let browser = site.jar.form(headers, &site.form_cookie).map(|form| FormBinding::Browser(form.id));
    sessions.into_iter().map(FormBinding::Session).chain(browser).collect()
}
