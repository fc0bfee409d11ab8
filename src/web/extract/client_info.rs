//! Who is at the other end: the address through trusted proxies alone, and the user agent.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::{FromRequest, HttpRequest};

use crate::domain::client::Client;
use crate::web::error::WebError;
use crate::web::request_auth::RequestAuth;
use crate::web::trusted_proxies::TrustedProxies;

/// Where a request came from, as a handler asks for it.
#[derive(Debug)]
pub(crate) struct ClientInfo(pub(crate) Client);

impl FromRequest for ClientInfo {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        ready(auth.map(|auth| Self(client(auth.address(), request.headers()))))
    }
}

/// Returns the address of the client of a request, as seen through the trusted proxies; a test harness has none.
pub(crate) fn address(request: &HttpRequest, trusted: &TrustedProxies) -> Option<IpAddr> {
    Some(trusted.client(request.peer_addr()?.ip(), request.headers()))
}

/// Describes the client at an address by its headers.
pub(crate) fn client(address: Option<IpAddr>, headers: &HeaderMap) -> Client {
    let user_agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client::new(address, user_agent.as_deref().unwrap_or_default())
}
