//! JSON as clients send it: bounded in size and time.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use serde::Deserialize;
use serde_json::error::Category;
use zeroize::Zeroizing;

use super::problem::{Problem, ProblemKind};
use crate::web::error::WebError;
use crate::web::forms;

/// Bytes of a body at most, as of the form of the sign-in page.
const MAX_BYTES: usize = 16 * 1024;

/// Reads the body of a request that must be JSON.
///
/// # Errors
/// If it is of another media type, too large, or does not arrive.
pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Zeroizing<Vec<u8>>, WebError> {
    if !is_json(request) {
        return Err(Problem::new(ProblemKind::BodyNotJson).into());
    }
    forms::read_body(request.headers(), payload, MAX_BYTES).await
}

/// Understands a body. The words of a refusal hold nothing of it, since it may hold a password.
///
/// # Errors
/// `BodyMalformed` if it is no JSON, or too deeply nested; `BodyInvalid` if a field is missing, there twice, or no text.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], wanted: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Problem::new(ProblemKind::BodyInvalid).saying(format!("The body must be {wanted}.")),
        Category::Syntax | Category::Eof | Category::Io => {
            let (line, column) = (error.line(), error.column());
            let place = format!("The body is no JSON text: see line {line}, column {column}.");
            Problem::new(ProblemKind::BodyMalformed).saying(place)
        }
    })
}

/// Tells whether the body is said to be JSON, which is UTF-8 whatever a parameter says (RFC 8259 section 8.1).
fn is_json(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
