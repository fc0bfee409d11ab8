//! `/session/bind` and `/session/renew`: what a browser does by itself to keep a sign-in bound to its device.
//!
//! No page and no form leads here, and no `Origin` comes along: the proof that the device signed stands in their place.
//! W3C Device Bound Session Credentials says what a browser makes of an answer: 403 asks for another proof, 503 is tried
//! again later, every other refusal ends the binding, and a redirect is waited for without end. So nothing else is said.

use actix_web::body::BoxBody;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::cookies::Credential;
use super::error::RETRY_SECONDS;
use super::extract::client_info::{address, client};
use super::fault_log::lost_nothing;
use super::site::Site;
use super::structured_fields;
use crate::domain::client::Client;
use crate::domain::id::SessionId;
use crate::session::{BindOutcome, DeviceSession, Presented, Registration, RenewOutcome, SessionError};

/// Where a browser registers the key of its device.
pub(crate) const BIND: &str = "/session/bind";

/// Where it renews by a proof.
pub(crate) const RENEW: &str = "/session/renew";

const REGISTRATION: HeaderName = HeaderName::from_static("secure-session-registration");
const CHALLENGE: HeaderName = HeaderName::from_static("secure-session-challenge");
const RESPONSE: HeaderName = HeaderName::from_static("secure-session-response");
const SESSION_ID: HeaderName = HeaderName::from_static("sec-secure-session-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Ends the binding in the browser.
const OVER: &str = r#"{"continue":false}"#;

/// A session as the browser keeps it in mind.
#[derive(Serialize)]
struct Description<'a> {
    session_identifier: &'a str,
    refresh_url: String,
    scope: Scope,
    credentials: [Credential; 1],
    /// Without any site, a visit by a link from another one is not renewed first.
    allowed_refresh_initiators: [&'static str; 1],
}

/// Where the browser sees to it that the session is renewed.
#[derive(Serialize)]
struct Scope {
    include_site: bool,
    scope_specification: [Exception; 1],
}

/// Where it does not.
#[derive(Serialize)]
struct Exception {
    #[serde(rename = "type")]
    kind: &'static str,
    domain: &'static str,
    path: String,
}

/// Tells whether a request is the browser's own and stands on its proof.
pub(crate) fn is_browsers_own(method: &Method, path: &str) -> bool {
    *method == Method::POST && (path == BIND || path == RENEW)
}

/// Tells whether bytes begin a request that is the browser's own: whoever answers it before it is whole must say no more
/// than 503 either.
pub(crate) fn begins_browsers_own(bytes: &[u8]) -> bool {
    let target = bytes.strip_prefix(b"POST ").unwrap_or_default();
    let path = target.split(|byte| b" ?".contains(byte)).next().unwrap_or_default();
    // An application may have mounted them anywhere.
    [BIND, RENEW].iter().any(|own| path.ends_with(own.as_bytes()))
}

/// Tells whether an answer may reach the browser as it is: what another layer says, of a limit or a timeout, would end the
/// binding.
pub(crate) fn may_answer(path: &str, response: &HttpResponse<BoxBody>) -> bool {
    match response.status() {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::FORBIDDEN => path == BIND || response.headers().contains_key(CHALLENGE),
        StatusCode::BAD_REQUEST => path == BIND,
        _ => false,
    }
}

/// Asks the browser that has just been given a password to register the key of its device.
pub(crate) fn ask_to_register(site: &Site, headers: &mut HeaderMap, registration: Option<&Registration>) {
    let value = registration.and_then(|registration| structured_fields::registration(registration, &site.at(BIND)));
    if let Some(value) = value {
        headers.insert(REGISTRATION, value);
    }
}

/// `POST /session/bind`.
pub(crate) async fn bind(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let Some(proof) = header(&request, &RESPONSE) else { return plain(StatusCode::BAD_REQUEST) };
    let (presented, client, now) = (presented(&request, &site), sender(&request, &site), site.sessions.now());
    match site.sessions.bind_device(&proof, &presented, &client, now).await {
        Ok(BindOutcome::Bound(session)) => session_answer(&site, &session),
        Ok(BindOutcome::Refused(Some((id, challenge)))) => challenged(id, &challenge),
        Ok(BindOutcome::Refused(None)) => plain(StatusCode::FORBIDDEN),
        Ok(BindOutcome::Malformed) => plain(StatusCode::BAD_REQUEST),
        Ok(BindOutcome::Unavailable) => unavailable(),
        Err(error) => failed(&site, error),
    }
}

/// `POST /session/renew`.
pub(crate) async fn renew(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let id = header(&request, &SESSION_ID).and_then(|text| text.parse::<SessionId>().ok());
    let Some(id) = id else { return unavailable() };
    let proof = header(&request, &RESPONSE);
    let (presented, client, now) = (presented(&request, &site), sender(&request, &site), site.sessions.now());
    match site.sessions.renew_by_proof(id, proof.as_deref(), &presented, &client, now).await {
        Ok(RenewOutcome::Renewed(session)) => {
            let mut response = session_answer(&site, &session);
            if presented.browser.is_some() {
                site.jar.set_unproven(response.headers_mut(), None, &site.unproven_cookie);
            }
            response
        }
        Ok(RenewOutcome::Challenged { id, challenge }) => challenged(id, &challenge),
        Ok(RenewOutcome::Over) => HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(OVER),
        Ok(RenewOutcome::Unavailable) => unavailable(),
        Err(error) => failed(&site, error),
    }
}

/// Says that nobody can say anything now: the browser keeps what it has, and tries again later.
pub(crate) fn unavailable() -> HttpResponse {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS.into());
    response
}

fn failed(site: &web::Data<Site>, error: SessionError) -> HttpResponse {
    lost_nothing(site, &error.into());
    unavailable()
}

fn header(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    request.headers().get(name).and_then(structured_fields::text)
}

fn presented<'a>(request: &'a HttpRequest, site: &Site) -> Presented<'a> {
    let browser = site.jar.unproven(request.headers(), &site.unproven_cookie);
    Presented { browser, ..site.jar.presented(request.headers()) }
}

fn sender(request: &HttpRequest, site: &Site) -> Client {
    client(address(request, &site.trusted_proxies), request.headers())
}

/// Describes a session as the browser keeps it, with the cookies and the next challenge.
fn session_answer(site: &Site, session: &DeviceSession) -> HttpResponse {
    let id = session.id.to_string();
    let mut response = HttpResponse::Ok().json(Description {
        session_identifier: &id,
        refresh_url: site.at(RENEW),
        scope: Scope {
            include_site: false,
            scope_specification: [Exception { kind: "exclude", domain: "*", path: site.at("/static") }],
        },
        credentials: [site.jar.renewed_by_proof()],
        allowed_refresh_initiators: ["*"],
    });
    set_challenge(response.headers_mut(), &id, &session.challenge);
    if let Some(tokens) = &session.tokens {
        site.jar.set_tokens(response.headers_mut(), tokens);
    }
    response
}

fn challenged(id: SessionId, challenge: &str) -> HttpResponse {
    let mut response = plain(StatusCode::FORBIDDEN);
    set_challenge(response.headers_mut(), &id.to_string(), challenge);
    response
}

fn set_challenge(headers: &mut HeaderMap, id: &str, challenge: &str) {
    if let Some(value) = structured_fields::challenge(challenge, id) {
        headers.insert(CHALLENGE, value);
    }
}

/// Answers without a page: no person reads it.
fn plain(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, BoxBody::new(()));
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response
}
