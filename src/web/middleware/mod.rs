//! What every request passes.

mod error_page;
mod headers;
mod keep_signed_in;
mod same_origin;

pub(super) use headers::POLICY;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::error::WebError;
use super::site::Site;

/// Signs requests in, keeps them signed in, and guards every answer; for `App::wrap(from_fn(guard))`.
///
/// In this order: a form from another site is refused; the cookies say who the request is, *before* the handler; the
/// refresh token is rotated right before the answer goes, *after* the handler; an error becomes a page; the security
/// headers are set. It is one middleware because each of these must hold for every answer, those of the others included.
///
/// # Errors
/// Those of a middleware inside this one; whatever goes wrong in a handler is an answer.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let site = match Site::of(request.request()) {
        Ok(site) => site,
        Err(error) => return Ok(request.error_response(error)),
    };
    let response = if same_origin::allows(request.method(), request.headers(), &site.origin) {
        keep_signed_in::run(&site, request, next).await?
    } else {
        request.error_response(WebError::CrossSite)
    };
    let mut response = match response.status() {
        status if status.is_client_error() || status.is_server_error() => error_page::complete(&site, response),
        _ => response,
    };
    headers::set(&site, response.headers_mut());
    Ok(response)
}
