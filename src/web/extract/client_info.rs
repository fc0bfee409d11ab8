//! Who is at the other end: the address through trusted proxies alone, and the user agent.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, USER_AGENT};
use actix_web::{FromRequest, HttpRequest};
use ipnet::IpNet;

use crate::domain::client::Client;
use crate::web::error::WebError;
use crate::web::request_auth::RequestAuth;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

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
pub(crate) fn address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    // Most servers trust nobody, and then there is nothing to read.
    Some(if trusted.is_empty() { peer.to_canonical() } else { beyond_proxies(peer, request.headers(), trusted) })
}

/// Describes the client at an address by its headers.
pub(crate) fn client(address: Option<IpAddr>, headers: &HeaderMap) -> Client {
    let user_agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client::new(address, user_agent.as_deref().unwrap_or_default())
}

/// Walks back from the peer as long as each hop is a trusted proxy; the first that is not is the client.
///
/// Everything a stranger writes into these headers stands to the left of what the outermost trusted proxy adds, so it is
/// never reached.
fn beyond_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let trusts = |address: &IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut address = peer.to_canonical();
    if !trusts(&address) {
        return address;
    }
    for hop in hops(headers).into_iter().rev() {
        let Some(hop) = hop else { break };
        address = hop.to_canonical();
        if !trusts(&address) {
            break;
        }
    }
    address
}

/// Returns the hops in the order of the header; `None` for one that is no address ("unknown", or made up).
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name: &HeaderName| {
        let values: Vec<String> =
            headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        values.join(",")
    };
    if headers.contains_key(X_FORWARDED_FOR) {
        return list(&X_FORWARDED_FOR).split(',').map(parse_node).collect();
    }
    let forwarded = list(&FORWARDED);
    let elements = forwarded.split(',').filter(|element| !element.trim().is_empty());
    elements
        .map(|element| {
            let mut parameters = element.split(';').filter_map(|parameter| parameter.trim().split_once('='));
            parameters.find(|(name, _)| name.eq_ignore_ascii_case("for")).and_then(|(_, node)| parse_node(node))
        })
        .collect()
}

/// Reads an address with or without quotes, brackets and port (RFC 7239 section 6).
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    text.rsplit_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn seen(peer: &str, name: &'static str, value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        beyond_proxies(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        assert_eq!(seen("192.0.2.1", "x-forwarded-for", "198.51.100.9"), "192.0.2.1");
    }

    #[test]
    fn the_nearest_hop_that_is_no_proxy_is_the_client() {
        assert_eq!(seen("10.0.0.1", "x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2"), "192.0.2.1");
        assert_eq!(seen("::ffff:10.0.0.1", "x-forwarded-for", "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", "forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https"), "2001:db8::1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for value in ["unknown", "", "<script>", "192.0.2.1, nonsense"] {
            assert_eq!(seen("10.0.0.1", "x-forwarded-for", value), "10.0.0.1", "{value}");
        }
    }
}
