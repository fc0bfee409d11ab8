//! Who is signed in, as a handler asks for it.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest};

use super::error::WebError;
use super::visit::Visit;
use crate::auth::{Grant, SessionFacts};
use crate::domain::local_path::LocalPath;
use crate::domain::user::User;

/// The signed-in user of this request. A handler that takes it cannot be reached without a sign-in.
///
/// Without one, a browser is sent to `/login` and back, and a client that prefers JSON gets 401; there is no anonymous
/// user. In an application that is not wrapped in [`guard`](crate::guard), every request fails: never does one pass.
#[derive(Debug, Clone)]
pub struct CurrentUser(Arc<Grant>);

impl CurrentUser {
    /// Returns the user as the database knows them, at most a second ago.
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// Returns the sign-in they came with.
    pub fn session(&self) -> &SessionFacts {
        &self.0.session
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.0
    }
}

impl FromRequest for CurrentUser {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = match Visit::from_request(request, payload).into_inner() {
            Ok(visit) => visit,
            Err(error) => return ready(Err(error)),
        };
        ready(visit.grant().cloned().map(Self).ok_or_else(|| sign_in_required(request)))
    }
}

/// The signed-in user of this request, if there is one; for pages that everybody may see.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<CurrentUser>);

impl FromRequest for MaybeUser {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::from_request(request, payload).into_inner();
        ready(visit.map(|visit| Self(visit.grant().cloned().map(CurrentUser))))
    }
}

fn sign_in_required(request: &HttpRequest) -> WebError {
    // A form that was sent without a sign-in cannot be sent again by a redirect; the page it stood on can be opened.
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path_and_query().map(|path| path.as_str());
    let next = path.filter(|_| readable).and_then(LocalPath::parse);
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    WebError::SignInRequired { next, json: prefers_json(accept) }
}

/// Tells whether `application/json` is named with a greater quality than `text/html` (RFC 9110 section 12.5.1).
fn prefers_json(accept: &str) -> bool {
    let quality = |wanted: &str| {
        accept
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let named = parts.next()?.eq_ignore_ascii_case(wanted);
                let q = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
                named.then_some(q)
            })
            .fold(0.0, f32::max)
    };
    let html = quality("text/html").max(quality("application/xhtml+xml"));
    quality("application/json") > html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_prefer_it() {
        for accept in ["application/json", "Application/JSON, */*", "text/html;q=0.5, application/json;q=0.9"] {
            assert!(prefers_json(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json;q=0.5, text/html",
            "application/json;q=x",
            "text/html, application/json",
        ] {
            assert!(!prefers_json(accept), "{accept}");
        }
    }
}
