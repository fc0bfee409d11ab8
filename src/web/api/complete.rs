//! An error becomes a problem that a program understands, whoever made it.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use super::authorization::{WantsProblem, missing};
use super::path::is_api;
use super::problem::{Problem, ProblemKind, write_blank};
use crate::web::error::WebError;
use crate::web::fault_log::lost_answer;
use crate::web::request_id::RequestId;
use crate::web::site::Site;

/// Tells whether the errors of a request are to be told in the words of the API: below `/api`, and wherever a handler asked
/// for a bearer token.
pub(crate) fn wants_problem(request: &HttpRequest) -> bool {
    is_api(request.match_info().as_str()) || request.extensions().contains::<WantsProblem>()
}

/// Gives an answer with the status of an error its problem, unless the handler wrote one.
///
/// Without a request, which an error of a middleware further in does not bring, less is known of it.
pub(crate) fn complete(
    site: &web::Data<Site>,
    id: RequestId,
    request: Option<&HttpRequest>,
    response: HttpResponse,
) -> HttpResponse {
    let error = response.error();
    let known = error.and_then(|error| error.as_error::<WebError>());
    let kind = match known {
        Some(WebError::Problem(_)) => return response,
        Some(error) => kind_of(site, request, error),
        None if response.headers().contains_key(CONTENT_TYPE) => return response,
        None => by_status(response.status()),
    };
    let reference = response.status().is_server_error().then(|| {
        let words = error.map_or_else(|| response.status().to_string(), ToString::to_string);
        lost_answer(site, id, known, &words, request)
    });
    match kind {
        Some(kind) => Problem::new(kind).referring_to(reference).write(response),
        None => write_blank(response),
    }
}

/// Names the problem of an error; nothing where the API has none of its own.
fn kind_of(site: &Site, request: Option<&HttpRequest>, error: &WebError) -> Option<ProblemKind> {
    Some(match error {
        WebError::SignInRequired { .. }
        | WebError::ReauthenticationRequired { .. }
        | WebError::ProofRequired { .. } => request.map_or(ProblemKind::TokenMissing, |request| missing(site, request)),
        WebError::NotFound => ProblemKind::NotFound,
        WebError::MethodNotAllowed(_) => ProblemKind::MethodNotAllowed,
        WebError::BadRequest(_) => ProblemKind::BodyMalformed,
        WebError::TooLarge => ProblemKind::BodyTooLarge,
        WebError::TooSlow => ProblemKind::BodyTooSlow,
        WebError::Unavailable(_) => ProblemKind::Unavailable,
        WebError::Busy => ProblemKind::Busy,
        WebError::TooManyTries(_) => ProblemKind::TooManyTries,
        WebError::Internal(_) => ProblemKind::Internal,
        // A form, which only an application that embeds Perennial can have put here.
        WebError::CrossSite
        | WebError::FormToken
        | WebError::Forbidden
        | WebError::RegistrationClosed
        | WebError::FirstAccountLink
        | WebError::SentBefore
        | WebError::OfAnother
        | WebError::Problem(_) => return None,
    })
}

/// Names the problem of an answer that has a status and no words.
fn by_status(status: StatusCode) -> Option<ProblemKind> {
    Some(match status {
        StatusCode::UNAUTHORIZED => ProblemKind::TokenMissing,
        StatusCode::NOT_FOUND => ProblemKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemKind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
        StatusCode::INTERNAL_SERVER_ERROR => ProblemKind::Internal,
        StatusCode::SERVICE_UNAVAILABLE => ProblemKind::Unavailable,
        _ => return None,
    })
}
