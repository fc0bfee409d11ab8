//! Who is signed in, as a handler asks for it.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{Accept, Header, Quality};
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::domain::client::Client;
use crate::domain::id::DeviceId;
use crate::domain::user::User;
use crate::session::{Acting, Identity, Presented, SessionError};
use crate::web::api::path::is_api;
use crate::web::error::WebError;
use crate::web::local_path::LocalPath;
use crate::web::request_auth::RequestAuth;

/// The signed-in user of this request. A handler that takes it cannot be reached without a sign-in.
///
/// Without one, a browser is sent to `/login` and back, and a client that prefers JSON gets 401; there is no anonymous
/// user. In an application that is not wrapped in [`authenticate`](crate::authenticate), every request fails: never does
/// one pass.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    identity: Arc<Identity>,
    auth: RequestAuth,
}

impl CurrentUser {
    /// Returns the user as the database knows them, at most a second ago.
    pub fn user(&self) -> &User {
        self.identity.user()
    }

    /// Returns who they are, with the session they came with.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns what is known of the request.
    pub(crate) fn auth(&self) -> &RequestAuth {
        &self.auth
    }

    /// Describes them to the use cases that ask for the password again.
    pub(crate) fn acting<'a>(
        &'a self,
        presented: &'a Presented<'a>,
        device: DeviceId,
        client: &'a Client,
    ) -> Acting<'a> {
        Acting { identity: &self.identity, presented, device, client, arrived: self.auth.now() }
    }

    /// Asks the database once more whether the session is alive and its user active.
    ///
    /// Call it right before something that must not be done in the name of somebody who was signed out while their request
    /// was under way: its body may have taken a while to arrive.
    ///
    /// # Errors
    /// As for a request without a sign-in, if it is not; and if the database has no answer.
    pub async fn confirm(&self) -> Result<(), WebError> {
        self.auth.site().sessions.confirm(&self.identity).await.map_err(|error| match error {
            SessionError::SignedOut => WebError::SignInRequired { next: None, json: false },
            error => error.into(),
        })
    }
}

impl FromRequest for CurrentUser {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let found = MaybeUser::from_request(request, payload).into_inner();
        ready(found.and_then(|MaybeUser(user)| user.ok_or_else(|| sign_in_required(request))))
    }
}

/// The signed-in user of this request, if there is one; for pages that everybody may see.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<CurrentUser>);

impl FromRequest for MaybeUser {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        ready(auth.map(|auth| Self(auth.identity().cloned().map(|identity| CurrentUser { identity, auth }))))
    }
}

pub(super) fn sign_in_required(request: &HttpRequest) -> WebError {
    // A form that was sent without a sign-in cannot be sent again by a redirect; the page it stood on can be opened.
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path_and_query().map(|path| path.as_str());
    let next = path.filter(|_| readable).and_then(LocalPath::parse);
    let json = is_api(request.match_info().as_str()) || prefers_json(request);
    let auth = request.extensions().get::<RequestAuth>().cloned();
    if !json && auth.is_some_and(|auth| auth.authenticated().unproven.is_some()) {
        return WebError::ProofRequired { next };
    }
    WebError::SignInRequired { next, json }
}

/// Tells whether a client ranks `application/json` above HTML (RFC 9110 section 12.5.1).
pub(super) fn prefers_json(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    let quality = |wanted: &[&str]| {
        let named = accept.iter().filter(|range| wanted.contains(&range.item.essence_str()));
        named.map(|range| range.quality).max().unwrap_or(Quality::ZERO)
    };
    quality(&["application/json"]) > quality(&["text/html", "application/xhtml+xml"])
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ACCEPT;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn json_is_for_those_who_prefer_it() {
        let prefers_json =
            |accept| prefers_json(&TestRequest::default().insert_header((ACCEPT, accept)).to_http_request());
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
