//! Whoever sends a request, for a handler that signs them in or out by itself.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use super::client_info::client;
use crate::domain::client::Client;
use crate::domain::id::{DeviceId, UserId};
use crate::session::VouchedSignIn;
use crate::web::error::WebError;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::throttle;

/// How long a session lasts that an application begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionLife {
    /// Until the browser is closed, and `SESSION_TTL` at most.
    BrowserSession,
    /// As with "keep me signed in".
    Kept,
}

/// Whoever sends this request, signed in or not, for a handler that has a check of its own: single sign-on, a passkey, a
/// link in a mail.
///
/// The check is the handler's alone: call [`sign_in`](Self::sign_in) only once it has shown who the visitor is, and only
/// for a request that their own browser meant to send (a [`SubmittedForm`](crate::SubmittedForm), or the `state` of OAuth
/// 2.0), or another site can sign people in to an account of its own.
///
/// ```
/// # use actix_web::HttpResponse;
/// # use perennial::{SessionLife, UserId, Visitor, WebError};
/// # async fn check(_code: &str) -> Option<UserId> { None }
/// async fn callback(visitor: Visitor, code: String) -> Result<HttpResponse, WebError> {
///     let Some(user) = check(&code).await else { return Ok(HttpResponse::Forbidden().finish()) };
///     let welcome = HttpResponse::SeeOther().insert_header(("location", "/dashboard")).finish();
///     let signed_in = visitor.sign_in(user, SessionLife::Kept, welcome).await?;
///     Ok(signed_in.unwrap_or_else(|| HttpResponse::Forbidden().finish()))
/// }
/// ```
#[derive(Debug)]
pub struct Visitor {
    auth: RequestAuth,
    client: Client,
    device: DeviceId,
}

impl Visitor {
    /// Signs somebody in: `response` then carries their cookies, and the sign-in that the browser held before is over.
    ///
    /// Nothing if there is no such account, or it is deactivated. The sign-in counts as a recent one, has its audit event,
    /// and its owner is told by mail where the device is a new one.
    ///
    /// # Errors
    /// If the database has no answer; nobody was signed in then.
    pub async fn sign_in(
        &self,
        user: UserId,
        life: SessionLife,
        response: HttpResponse,
    ) -> Result<Option<HttpResponse>, WebError> {
        let site = self.auth.site();
        let device = Some(self.device);
        let keep = life == SessionLife::Kept;
        let sign_in = VouchedSignIn { user, keep, device, authenticated_at: None, tell: true };
        let tokens = site.sessions.sign_in_vouched(sign_in, self.auth.authenticated(), &self.client).await?;
        Ok(tokens.map(|tokens| {
            let response = throttle::remember(site, self.device, response);
            AuthChange::SignedIn(tokens, None).attach(response)
        }))
    }

    /// Signs the visitor out: `response` then takes their cookies away. Whoever is not signed in gets it as it is.
    ///
    /// # Errors
    /// If the database has no answer; the sign-in then goes on.
    pub async fn sign_out(&self, response: HttpResponse) -> Result<HttpResponse, WebError> {
        let Some(identity) = self.auth.identity() else { return Ok(response) };
        self.auth.site().sessions.sign_out(identity, self.auth.authenticated(), &self.client).await?;
        Ok(AuthChange::SignedOut(identity.session()).attach(response))
    }
}

impl FromRequest for Visitor {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        ready(auth.and_then(|auth| {
            let device = throttle::device(request, auth.site(), &auth)?;
            Ok(Self { client: client(auth.address(), request.headers()), device, auth })
        }))
    }
}
