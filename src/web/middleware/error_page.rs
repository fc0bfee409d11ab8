//! An error becomes a page: what happened, and what to do next; never how it happened inside.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::json;

use crate::display::duration::roughly;
use crate::web::error::{RETRY_SECONDS, WebError};
use crate::web::fault_log::lost_answer;
use crate::web::pages::{ErrorPage, Layout, SendAgain};
use crate::web::reader::wants_json;
use crate::web::request_auth::RequestAuth;
use crate::web::request_id::RequestId;
use crate::web::site::Site;

/// Makes a browser ask again after some seconds (WHATWG HTML, "`Refresh`"): the reader need do nothing.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// The words of one error page.
struct Words {
    title: &'static str,
    what: String,
    next: String,
    link: Option<(&'static str, &'static str)>,
}

const HOME: Option<(&str, &str)> = Some(("/", "Go to the first page"));

/// Gives an answer with the status of an error its page, unless the handler wrote one.
///
/// A program gets the same words in JSON. An error of a middleware further in brings no request, so nobody can say whether a
/// program reads it.
pub(crate) fn complete(
    site: &web::Data<Site>,
    id: RequestId,
    request: Option<&HttpRequest>,
    auth: Option<&RequestAuth>,
    response: HttpResponse,
) -> HttpResponse {
    let status = response.status();
    if response.headers().contains_key(CONTENT_TYPE) || has_body(&response) {
        return response;
    }
    let reference = status.is_server_error().then(|| log(site, id, request, &response));
    let error = response.error().and_then(|error| error.as_error::<WebError>());
    let mut words = words(site, status, error);
    // Whoever brings no sign-in cannot lose one; where nobody could find out, there may be one.
    if status == StatusCode::SERVICE_UNAVAILABLE && auth.is_none_or(|auth| auth.identity().is_some()) {
        words.what.push_str(" You're still signed in.");
    }
    if request.is_some_and(wants_json) {
        return in_json(&words, reference.as_deref(), response);
    }
    let again = response.extensions().get::<SendAgain>().cloned();
    let layout = Layout::new(site, auth, "");
    // A form is sent again by a person, who then knows what became of it.
    let reads = request.is_some_and(|request| request.method() == Method::GET);
    let comes_back = status == StatusCode::SERVICE_UNAVAILABLE && reads;
    let page = ErrorPage {
        layout,
        comes_back,
        title: words.title,
        what: &words.what,
        next: &words.next,
        link: words.link,
        reference: reference.as_deref(),
        request_id: id,
        again,
    };
    // A page of constant words can fail only for want of memory.
    let body = page.render().unwrap_or_else(|_| words.what.clone());
    let mut response = response.map_body(|_, _| BoxBody::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if comes_back {
        response.headers_mut().insert(REFRESH, RETRY_SECONDS.into());
    }
    if let Some(auth) = auth {
        auth.set_style_policy(response.headers_mut());
    }
    response
}

/// Tells a program what a page would tell a person.
fn in_json(words: &Words, reference: Option<&str>, response: HttpResponse) -> HttpResponse {
    let message = format!("{} {}", words.what, words.next);
    let mut told = json!({ "error": words.title, "message": message });
    if let (Some(told), Some(reference)) = (told.as_object_mut(), reference) {
        told.insert("reference".to_owned(), reference.into());
    }
    let mut response = response.map_body(|_, _| BoxBody::new(told.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Tells whether a handler wrote something, with or without saying of what kind it is.
fn has_body(response: &HttpResponse) -> bool {
    !matches!(response.body().size(), BodySize::None | BodySize::Sized(0))
}

/// Logs a failure once, here, under a reference that the page shows; one that lasts has the same one on every page.
fn log(site: &web::Data<Site>, id: RequestId, request: Option<&HttpRequest>, response: &HttpResponse) -> String {
    let error = response.error();
    let words = error.map_or_else(|| response.status().to_string(), ToString::to_string);
    lost_answer(site, id, error.and_then(|error| error.as_error()), &words, request)
}

fn words(site: &Site, status: StatusCode, error: Option<&WebError>) -> Words {
    let say = |title, what: &str, next: &str, link| Words { title, what: what.to_owned(), next: next.to_owned(), link };
    match error {
        Some(WebError::CrossSite) => {
            let next = format!("Open {} in this browser and do it there.", site.public_url);
            say(
                "This form came from somewhere else",
                "It was not sent from a page at this site's address, so nothing was changed.",
                &next,
                HOME,
            )
        }
        Some(WebError::FormToken) => say(
            "This form is no longer valid",
            "It was made for another browser or for a sign-in that has ended, so nothing was changed.",
            "Go back, reload the page and send the form again. If that does not help, allow cookies for this site.",
            HOME,
        ),
        Some(WebError::Forbidden) => say(
            "This is not for your account",
            "You are signed in, and what is here is for others.",
            "If it should be for you, ask whoever runs this site, or sign in with another account.",
            HOME,
        ),
        Some(WebError::SentBefore) => say(
            "This form was sent already",
            "It was sent once, and a form that was kept for you is not sent twice.",
            "Look whether it did what you wanted; if it did not, fill it in again.",
            HOME,
        ),
        Some(WebError::OfAnother) => say(
            "This form is somebody else's",
            "It was sent from this browser by another account, so it is kept for that account alone, and for a few minutes.",
            "If it was yours, sign out and sign in as whoever sent it.",
            HOME,
        ),
        Some(WebError::RegistrationClosed) => say(
            "New accounts cannot be made here",
            "Registration is closed.",
            "If you should have an account, ask whoever runs this site.",
            Some(("/login", "Sign in")),
        ),
        Some(WebError::FirstAccountLink) => say(
            "This site is not set up yet",
            "The first account is the administrator's, and only whoever runs this site can create it.",
            "If that is you, open the one-time link that Perennial printed when it last started: it is in its output, or \
             in its log. Otherwise come back later.",
            None,
        ),
        Some(WebError::BadRequest(what)) => {
            say("This request cannot be understood", what, "Go back, reload the page and try again.", HOME)
        }
        Some(WebError::TooManyTries(wait)) => {
            let next = format!("Try again in {}.", roughly(*wait));
            say("Too many tries", "This was tried too often in a short time, so nothing was changed.", &next, HOME)
        }
        Some(WebError::Busy) => say(
            "Too many people are signing in",
            "The queue is full; nothing was changed.",
            "Wait a few seconds and try again.",
            Some(("/login", "Try again")),
        ),
        _ => by_status(status),
    }
}

fn by_status(status: StatusCode) -> Words {
    let (title, what, next) = match status {
        StatusCode::BAD_REQUEST => (
            "This request cannot be understood",
            "Something about it is malformed.",
            "Go back, reload the page and try again.",
        ),
        StatusCode::NOT_FOUND => (
            "There is no such page",
            "The address may be mistyped, or what was here is gone.",
            "Check the address, or start from the first page.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "This page does not work that way",
            "It was asked for in a way it does not answer, often because a button's address was opened as a page.",
            "Go back and use the button.",
        ),
        StatusCode::REQUEST_TIMEOUT => (
            "This took too long to arrive",
            "The form did not arrive within ten seconds, so nothing was changed.",
            "Check your connection and send it again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "This form is too large",
            "It has more than this page takes, so nothing was changed.",
            "Shorten what you entered and send it again.",
        ),
        StatusCode::TOO_MANY_REQUESTS => {
            ("Too many tries", "This was tried too often in a short time.", "Wait a while and try again.")
        }
        StatusCode::SERVICE_UNAVAILABLE => (
            "Not available right now",
            "The data cannot be reached at the moment.",
            "Wait a few seconds and try again.",
        ),
        status if status.is_server_error() => (
            "Something went wrong here",
            "It is our fault and has been noted; what you did was not carried out.",
            "Try again. If it happens again, tell whoever runs this site.",
        ),
        _ => ("This cannot be done", "The request was refused.", "Go back and try another way."),
    };
    Words { title, what: what.to_owned(), next: next.to_owned(), link: HOME }
}
