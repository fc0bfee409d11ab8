//! Who brought a bearer token, as a handler asks for it.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Either, LocalBoxFuture};

use super::authorization::{WantsProblem, bearer};
use super::problem::{Problem, ProblemKind};
use crate::domain::user::User;
use crate::session::{BearerRefusal, DecisionLog, Identity, SessionError};
use crate::web::error::WebError;
use crate::web::extract::client_info::client;
use crate::web::loggable_path::loggable;
use crate::web::request_auth::RequestAuth;

/// The user whose access token a request brought in its `Authorization: Bearer` header. A handler that takes it cannot be
/// reached without one.
///
/// It is for clients that are no browser: scripts, programs, apps. Such a client gets its tokens from `/api/login` and
/// `/api/refresh`. Cookies are not looked at, so a handler that takes this needs no form token; a handler that takes a
/// [`CurrentUser`](crate::CurrentUser) looks at cookies alone, and at none below `/api`. So the type of its argument says
/// which clients a handler serves, and no page takes a bearer token.
///
/// Without a token, or with one that is wrong, expired or revoked, the client gets 401 with a problem in JSON (RFC 9457) and
/// a `WWW-Authenticate` header (RFC 6750). In an application that is not wrapped in [`authenticate`](crate::authenticate),
/// every request fails.
#[derive(Debug, Clone)]
pub struct ApiUser {
    identity: Arc<Identity>,
    auth: RequestAuth,
}

impl ApiUser {
    /// Returns the user as the database knows them, at most a second ago.
    pub fn user(&self) -> &User {
        self.identity.user()
    }

    /// Returns who they are, with the session they came with.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Asks the database once more whether the session is alive and its user active, as
    /// [`CurrentUser::confirm`](crate::CurrentUser::confirm) does.
    ///
    /// # Errors
    /// As for a revoked token, if it is not; and if the database has no answer.
    pub async fn confirm(&self) -> Result<(), WebError> {
        self.auth.site().sessions.confirm(&self.identity).await.map_err(not_done)
    }

    /// Returns what is known of the request.
    pub(super) fn auth(&self) -> &RequestAuth {
        &self.auth
    }
}

impl FromRequest for ApiUser {
    type Error = WebError;
    type Future = Either<Ready<Result<Self, WebError>>, LocalBoxFuture<'static, Result<Self, WebError>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let auth = match RequestAuth::from_request(request, payload).into_inner() {
            Ok(auth) => auth,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        let known = bearer(auth.site(), request).map(|token| auth.site().sessions.recognize_bearer(token, auth.now()));
        match known {
            Ok(Some(identity)) => {
                log(&auth, request, || "signed in: bearer token, remembered".to_owned());
                Either::Left(ready(Ok(Self { identity, auth })))
            }
            Ok(None) => Either::Right(Box::pin(look_up(auth, request.clone()))),
            Err(problem) => {
                request.extensions_mut().insert(WantsProblem);
                Either::Left(ready(Err(problem.into())))
            }
        }
    }
}

/// Verifies a token that is not remembered.
async fn look_up(auth: RequestAuth, request: HttpRequest) -> Result<ApiUser, WebError> {
    request.extensions_mut().insert(WantsProblem);
    let (site, client) = (auth.site(), client(auth.address(), request.headers()));
    let token = bearer(site, &request)?;
    let mut steps = DecisionLog::new(site.debug_auth);
    let found = site.sessions.authenticate_bearer(token, &client, auth.now(), &mut steps).await;
    if let Some(why) = steps.line() {
        log(&auth, &request, || why);
    }
    let identity = found?.map_err(refused)?;
    Ok(ApiUser { identity, auth })
}

/// Writes down why a request was or was not signed in, for `DEBUG_AUTH`.
pub(super) fn log(auth: &RequestAuth, request: &HttpRequest, why: impl FnOnce() -> String) {
    if auth.site().debug_auth {
        tracing::info!(path = loggable(request.path()), why = why(), "auth");
    }
}

/// Says why a token opens nothing.
pub(super) fn refused(refusal: BearerRefusal) -> WebError {
    Problem::from(refusal).into()
}

/// Says why nothing was done in the name of whoever sent a request.
pub(super) fn not_done(error: SessionError) -> WebError {
    match error {
        SessionError::SignedOut => Problem::new(ProblemKind::TokenRevoked).into(),
        error => error.into(),
    }
}

impl From<BearerRefusal> for Problem {
    fn from(refusal: BearerRefusal) -> Self {
        match refusal {
            BearerRefusal::Wrong => Self::new(ProblemKind::TokenInvalid),
            BearerRefusal::Expired => Self::new(ProblemKind::TokenExpired),
            BearerRefusal::Ended(reason) => Self::new(ProblemKind::TokenRevoked).because(reason),
        }
    }
}
