//! What a scope asks of whoever uses it.

use std::future::{Ready, ready};

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, FromRequest, HttpMessage};
use futures_util::TryFutureExt;
use futures_util::future::{Either, MapOk};
use time::Duration;

use crate::domain::user::Role;
use crate::web::error::WebError;
use crate::web::extract::{CurrentUser, require_recent};
use crate::web::reader::ReadsJson;

/// What a scope, a resource or a route asks of whoever uses it: a sign-in at least.
///
/// Wrap it around them; the application itself is wrapped in [`authenticate`](crate::authenticate), which gives a refusal
/// its page, its headers and its cookies, as to any other error.
///
/// ```
/// # use actix_web::web::{self, ServiceConfig};
/// # use perennial::Application;
/// # async fn notes() -> &'static str { "" }
/// fn configure(config: &mut ServiceConfig, perennial: &Application) {
///     config
///         .service(web::scope("/app").wrap(perennial.require()).route("/notes", web::get().to(notes)))
///         .service(web::scope("/data").wrap(perennial.require().json()).route("/notes", web::get().to(notes)))
///         .service(web::scope("/staff").wrap(perennial.require().role("editor")).route("/all", web::get().to(notes)))
///         .service(web::scope("/keys").wrap(perennial.require().recent(5)).route("/new", web::post().to(notes)));
///     perennial.configure(config);
/// }
/// ```
///
/// Whoever is not signed in is sent to `/login` and back, or gets 401 in JSON where a program asks; whoever lacks the role
/// gets 403; whoever entered the password too long ago is sent to `/reauthenticate` and back.
#[derive(Debug, Clone, Default)]
#[must_use = "wrap a scope in it"]
pub struct Require {
    json: bool,
    role: Option<String>,
    recent: Option<Duration>,
}

impl Require {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Tells every error of the scope in JSON, whatever the client says it takes.
    pub fn json(self) -> Self {
        Self { json: true, ..self }
    }

    /// Asks for a role, by the name that it has in the account.
    ///
    /// A name that no account can have stops the start of the application, and the log says which: a scope that nobody can
    /// open, or that a typing error leaves open, is a fault to be found then.
    pub fn role(self, role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// Asks for a password that was entered within so many minutes.
    pub fn recent(self, minutes: u32) -> Self {
        Self { recent: Some(Duration::minutes(minutes.into())), ..self }
    }

    /// Checks a request.
    fn check(&self, request: &ServiceRequest) -> Result<(), WebError> {
        if self.json {
            request.extensions_mut().insert(ReadsJson);
        }
        let request = request.request();
        let user = CurrentUser::from_request(request, &mut Payload::None).into_inner()?;
        if self.role.as_deref().is_some_and(|role| !user.has_role(role)) {
            return Err(WebError::Forbidden);
        }
        self.recent.map_or(Ok(()), |within| require_recent(&user, request, within))
    }
}

impl<S, B> Transform<S, ServiceRequest> for Require
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        if let Some(Err(problem)) = self.role.as_deref().map(str::parse::<Role>) {
            tracing::error!(role = self.role, "the role of a scope {problem}");
            return ready(Err(()));
        }
        ready(Ok(RequireMiddleware { service, require: self.clone() }))
    }
}

/// A scope, and what it asks of whoever uses it.
#[derive(Debug)]
pub struct RequireMiddleware<S> {
    service: S,
    require: Require,
}

/// Turns the answer of a handler into what may also be a refusal.
type Answered<F, B> = MapOk<F, fn(ServiceResponse<B>) -> ServiceResponse<EitherBody<B>>>;

impl<S, B> Service<ServiceRequest> for RequireMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Either<Ready<Result<Self::Response, Error>>, Answered<S::Future, B>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match self.require.check(&request) {
            Ok(()) => {
                let answered: fn(ServiceResponse<B>) -> _ = ServiceResponse::map_into_left_body;
                Either::Right(self.service.call(request).map_ok(answered))
            }
            // An answer and no error: it brings the request that the page, or the JSON, is made for.
            Err(error) => {
                let refused: ServiceResponse<BoxBody> = request.error_response(error);
                Either::Left(ready(Ok(refused.map_into_right_body())))
            }
        }
    }
}
