//! Who has entered the password a short while ago, as a handler asks for it.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest};
use time::Duration;

use super::user::CurrentUser;
use crate::web::error::WebError;
use crate::web::local_path::LocalPath;
use crate::web::reader::wants_json;
use crate::web::site::Site;

/// The signed-in user of this request, who has entered their password within the last `MINUTES`: 10, unless a handler
/// says otherwise.
///
/// Take it instead of a [`CurrentUser`], which it derefs to, in a handler that changes or shows what a copied cookie or an
/// unattended screen must not reach. Whoever entered it longer ago is sent to `/reauthenticate` and back: to the page that
/// was asked for, or, where a form was sent, to the page that it stood on. A client that prefers JSON gets 401, with
/// another `error` than one that is not signed in.
///
/// Ten minutes are enough for what one comes to do, and short enough for a screen left alone (OWASP ASVS 5.0, 7.5.1: ask
/// again before sensitive changes). The time is that of the access token's claim `auth_time`, so it costs no database call.
#[derive(Debug, Clone)]
pub struct RecentUser<const MINUTES: i64 = 10>(CurrentUser);

impl<const MINUTES: i64> Deref for RecentUser<MINUTES> {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<const MINUTES: i64> FromRequest for RecentUser<MINUTES> {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload).into_inner();
        ready(user.and_then(|user| {
            require_recent(&user, request, Duration::minutes(MINUTES))?;
            Ok(Self(user))
        }))
    }
}

/// Makes sure that a user has entered their password within so long.
pub(crate) fn require_recent(user: &CurrentUser, request: &HttpRequest, within: Duration) -> Result<(), WebError> {
    let entered = user.identity().access().authenticated_at;
    // Either way: a clock that was set back stretches nothing.
    if (user.auth().now() - entered).abs() <= within {
        return Ok(());
    }
    let next = if matches!(*request.method(), Method::GET | Method::HEAD) {
        request.uri().path_and_query().and_then(|path| LocalPath::parse(path.as_str()))
    } else {
        page_of_form(request, user.auth().site())
    };
    Err(WebError::ReauthenticationRequired { next, json: wants_json(request) })
}

/// Returns the page that a form was sent from; the page that asks for the password does not lead to itself.
fn page_of_form(request: &HttpRequest, site: &Site) -> Option<LocalPath> {
    site.page_of_form(request.headers()).filter(|page| !site.within(page.as_str()).starts_with("/reauthenticate"))
}
