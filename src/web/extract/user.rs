//! Who is signed in, as a handler asks for it.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::domain::client::Client;
use crate::domain::id::DeviceId;
use crate::domain::user::User;
use crate::session::{Acting, Identity, Presented, SessionError};
use crate::web::api::path::is_api;
use crate::web::error::WebError;
use crate::web::local_path::LocalPath;
use crate::web::reader::wants_json;
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

    /// Tells whether they have a role, by its name.
    pub fn has_role(&self, role: &str) -> bool {
        self.user().role.as_str() == role
    }

    /// Waits until the session that they came with is over: signed out here or on another device, by whoever runs the site
    /// or by time, in this process or another.
    ///
    /// Await it beside a WebSocket or an event stream, and close that when it returns: within a second of the end. It asks
    /// for nothing of the request, so it may outlive it, and no request goes on while it waits. A page that is open all the
    /// time uses nothing: a sign-in that ends when it is not used ends beside it too.
    ///
    /// ```
    /// # use actix_web::{HttpResponse, web};
    /// # use futures_util::{StreamExt, stream};
    /// # use perennial::CurrentUser;
    /// async fn news(user: CurrentUser) -> HttpResponse {
    ///     let lines = stream::pending::<Result<web::Bytes, actix_web::Error>>();
    ///     let until = Box::pin(user.ended());
    ///     HttpResponse::Ok().content_type("text/event-stream").streaming(lines.take_until(until))
    /// }
    /// ```
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let sessions = self.auth.site().sessions.clone();
        sessions.ended(self.identity.session(), self.user().id)
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
    let json = is_api(request.match_info().as_str()) || wants_json(request);
    let auth = request.extensions().get::<RequestAuth>().cloned();
    if !json && auth.is_some_and(|auth| auth.authenticated().unproven.is_some()) {
        return WebError::ProofRequired { next };
    }
    WebError::SignInRequired { next, json }
}
