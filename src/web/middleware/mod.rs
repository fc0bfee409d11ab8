//! What every request passes.

mod authenticate;
mod error_page;
mod request_log;
mod require;
mod same_origin;
mod security_headers;

pub(crate) use authenticate::Renewal;
pub use require::Require;

use actix_http::ConnectionType;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tracing::Instrument;

use self::authenticate::{Arrived, finish, is_for_nobody, is_own_file, owes_something, recognize};
use self::request_log::RequestLine;
use super::api::complete as api;
use super::api::path::is_api;
use super::device_session::{is_browsers_own, may_answer, unavailable};
use super::error::WebError;
use super::extract::client_info::address;
use super::own_page;
use super::reader::wants_json;
use super::request_auth::RequestAuth;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::rescue::{self, Sent};
use super::site::Site;
use crate::session::Authenticated;

/// Where a load balancer asks whether this process is ready.
const READINESS: &str = "/readyz";

/// Signs requests in, keeps them signed in, and completes every answer; for `App::wrap(from_fn(authenticate))`.
///
/// In this order: a form from another site is refused; the cookies say who the request is, *before* the handler; a form that
/// was not carried out for want of a sign-in is kept; the refresh token is renewed right before the answer goes, *after* the
/// handler; an error becomes a page; the security headers are set. It is one middleware because each of these must hold for every answer, those of other middleware and
/// their errors included.
///
/// # Errors
/// Those of middleware inside this one, with the same headers and cookies as any answer.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let site = match Site::of(request.request()) {
        Ok(site) => site,
        Err(error) => return Ok(request.error_response(error)),
    };
    let id = site.request_ids.next();
    if !site.log_requests && matches!(*request.method(), Method::GET | Method::HEAD) {
        return handle(site, id, request, next).await;
    }
    let line = site.log_requests.then(|| RequestLine::start(&site, id, &request));
    // Whatever is logged of an act names its request.
    let span = tracing::info_span!("request", request_id = %id);
    // In a box: the future of a request that is not logged stays as small as without this.
    let result = Box::pin(handle(site, id, request, next)).instrument(span).await;
    if let Some(line) = line {
        line.answered(match &result {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        });
    }
    result
}

async fn handle(
    site: web::Data<Site>,
    id: RequestId,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_api(site.within(request.match_info().as_str())) {
        return Box::pin(handle_api(site, id, request, next)).await;
    }
    if is_browsers_own(request.method(), site.within(request.path())) {
        return Box::pin(of_browser(&site, id, request, next)).await;
    }
    if !same_origin::allows(request.method(), request.headers(), &site.origin, &site.choices.origins) {
        return Ok(answer(&site, id, request.error_response(WebError::CrossSite)));
    }
    if is_own_file(&site, request.path()) {
        let response = next.call(request).await?.map_into_boxed_body();
        return Ok(answer(&site, id, response));
    }
    if is_for_nobody(&site, request.path()) {
        return Box::pin(handle_without_cookies(site, id, request, next)).await;
    }
    if let Err(error) = site.sessions.node().keys().require() {
        // It can open nothing that the others signed, and must not say that anybody is signed out.
        return Ok(answer(&site, id, request.error_response(WebError::from(error))));
    }
    let arrived = match recognize(&site, &request) {
        Some(arrived) => arrived,
        // In boxes of their own, here and below: the future of nearly every request stays small enough to be moved about.
        None => match Box::pin(authenticate::authenticate(&site, &request)).await {
            Ok(arrived) => arrived,
            Err(error) => {
                return Ok(answer(&site, id, Box::pin(rescue::unrecognized(&site, request, error.into())).await));
            }
        },
    };
    let mut sent = None;
    if *request.method() == Method::POST {
        if site.within(request.path()) == rescue::SEND_AGAIN
            && let Err(error) = Box::pin(rescue::forward(&site, arrived.auth(), &mut request)).await
        {
            return Ok(answer(&site, id, request.error_response(error)));
        }
        (request, sent) = rescue::record(&site, request);
    }
    match next.call(request).await {
        Ok(response) => {
            let mut response = for_its_reader(response.map_into_boxed_body());
            if let Some(sent) = sent.filter(|_| response.response().error().is_some()) {
                Box::pin(rescue::rescue(&site, arrived.auth(), sent, response.response_mut())).await;
            }
            arrived.auth().set_style_policy(response.headers_mut());
            if owes_something(&arrived, response.response()) {
                Box::pin(finish(&site, arrived, response.response_mut())).await;
            }
            Ok(answer(&site, id, response))
        }
        Err(error) => Err(Box::pin(complete_error(&site, id, arrived, sent, error)).await),
    }
}

/// Answers at a path that probes and caches know: no cookie is set there, so nothing is renewed. A handler of the
/// application's own may still ask who is signed in.
async fn handle_without_cookies(
    site: web::Data<Site>,
    id: RequestId,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Readiness is asked for while the database hangs, and would wait for it twice.
    let asks_database = site.within(request.path()) != READINESS;
    if recognize(&site, &request).is_none()
        && !(asks_database && authenticate::authenticate(&site, &request).await.is_ok())
    {
        // It answers while the database is away, too.
        let address = address(request.request(), &site.trusted_proxies);
        let auth = RequestAuth::new(site.clone(), site.sessions.now(), address, Authenticated::default(), None);
        request.extensions_mut().insert(auth);
    }
    Ok(answer(&site, id, next.call(request).await?.map_into_boxed_body()))
}

/// Answers a request to the API: no cookie is looked at, so none has to be renewed, and none can be abused by another site.
async fn handle_api(
    site: web::Data<Site>,
    id: RequestId,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(error) = site.sessions.node().keys().require() {
        return Ok(answer(&site, id, request.error_response(WebError::from(error))));
    }
    let address = address(request.request(), &site.trusted_proxies);
    let auth = RequestAuth::new(site.clone(), site.sessions.now(), address, Authenticated::default(), None);
    request.extensions_mut().insert(auth);
    match next.call(request).await {
        Ok(response) => Ok(answer(&site, id, response.map_into_boxed_body())),
        Err(error) => {
            let described = error.to_string();
            let mut response = api::complete(&site, id, None, HttpResponse::from_error(error));
            finish_head(&site, id, &mut response);
            Err(InternalError::from_response(described, response).into())
        }
    }
}

/// Handles what a browser does by itself to keep a sign-in bound to its device: by the proof alone, and never with an answer
/// that would end the binding for want of time or room.
async fn of_browser(
    site: &web::Data<Site>,
    id: RequestId,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let path = site.within(request.path()).to_owned();
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            let mut response = unavailable();
            finish_head(site, id, &mut response);
            return Err(InternalError::from_response(error.to_string(), response).into());
        }
    };
    if may_answer(&path, response.response()) {
        return Ok(answer(site, id, response));
    }
    let (request, _) = response.into_parts();
    Ok(answer(site, id, ServiceResponse::new(request, unavailable())))
}

/// Completes the error of a middleware further in, which brings no request with it: the session is renewed all the same,
/// and the answer gets its page and its headers.
async fn complete_error(
    site: &web::Data<Site>,
    id: RequestId,
    arrived: Arrived,
    sent: Option<Sent>,
    error: Error,
) -> Error {
    let described = error.to_string();
    let mut response = HttpResponse::from_error(error);
    if let Some(sent) = sent {
        rescue::rescue(site, arrived.auth(), sent, &mut response).await;
    }
    let auth = arrived.auth().clone();
    finish(site, arrived, &mut response).await;
    let mut response = error_page::complete(site, id, None, Some(&auth), response);
    finish_head(site, id, &mut response);
    InternalError::from_response(described, response).into()
}

/// Tells a program that it has to sign in, where a handler said so as to a person: a script would follow the redirect, and
/// take the sign-in page for what it asked for.
fn for_its_reader(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let error = response.response().error().and_then(|error| error.as_error::<WebError>());
    let told = match error {
        Some(WebError::SignInRequired { json: false, .. }) => WebError::SignInRequired { next: None, json: true },
        Some(WebError::ReauthenticationRequired { json: false, .. }) => {
            WebError::ReauthenticationRequired { next: None, json: true }
        }
        _ => return response,
    };
    if wants_json(response.request()) { response.error_response(told) } else { response }
}

/// Gives an answer that belongs to no request its page and the security headers.
pub(crate) fn complete_alone(site: &web::Data<Site>, id: RequestId, response: HttpResponse) -> HttpResponse {
    let mut response = error_page::complete(site, id, None, None, response);
    finish_head(site, id, &mut response);
    response
}

/// Sets what every answer has: the security headers, the name of the request, and the end of the connection where the
/// process is about to end.
fn finish_head(site: &Site, id: RequestId, response: &mut HttpResponse) {
    security_headers::set(site, response.headers_mut());
    own_page::place(site.public_url.mount(), response);
    response.headers_mut().insert(X_REQUEST_ID, id.header());
    if site.is_draining() {
        // A header of that name would not reach the client: Actix writes its own.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// Gives an answer its page, if it is an error without one, and the security headers.
fn answer(site: &web::Data<Site>, id: RequestId, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let (request, plain): (HttpRequest, HttpResponse) = response.into_parts();
        let complete = if api::wants_problem(&request) {
            api::complete(site, id, Some(&request), plain)
        } else {
            let auth = request.extensions().get::<RequestAuth>().cloned();
            error_page::complete(site, id, Some(&request), auth.as_ref(), plain)
        };
        response = ServiceResponse::new(request, complete);
    }
    finish_head(site, id, response.response_mut());
    response
}
