//! Answers to what never became a request: malformed, too slow, too much.

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HttpDate, RETRY_AFTER};
use actix_web::{HttpResponse, web};

use super::error::RETRY_SECONDS;
use super::middleware::complete_alone;
use super::site::Site;

/// Writes out a whole answer, with the page and the headers that every error has; the connection closes after it.
///
/// The server sends it where Actix has no request to answer, and would send a bare status line.
pub(crate) fn plain_answer(site: &web::Data<Site>, status: StatusCode) -> Vec<u8> {
    let mut response = HttpResponse::new(status);
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS.into());
    }
    let response = complete_alone(site, site.request_ids.next(), response);
    let date = HttpDate::from(std::time::SystemTime::from(site.sessions.now()));
    let mut answer = format!("HTTP/1.1 {status}\r\ndate: {date}\r\nconnection: close\r\n").into_bytes();
    for (name, value) in response.headers() {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    // A page is made before it is sent, so it lies ready.
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(&body);
    answer
}
