//! Who is at the other end: the address through trusted proxies alone, and the user agent.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, USER_AGENT};
use ipnet::IpNet;

use crate::domain::client::{Client, address_text as written};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Describes the client of a request.
pub(super) fn client(request: &HttpRequest, trusted: &[IpNet]) -> Client {
    describe(request.peer_addr().map(|peer| peer.ip()), request.headers(), trusted)
}

/// Returns the address of the client of a request alone, as text; empty where there is none.
pub(super) fn address_text(request: &HttpRequest, trusted: &[IpNet]) -> String {
    let address = request.peer_addr().map(|peer| beyond_proxies(peer.ip(), request.headers(), trusted));
    address.map(written).unwrap_or_default()
}

/// Returns the user agent of a request alone, cut and cleaned as [`Client`] has it.
pub(super) fn user_agent(headers: &HeaderMap) -> String {
    describe(None, headers, &[]).user_agent
}

fn describe(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let user_agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let address = peer.map(|peer| beyond_proxies(peer, headers, trusted));
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
        describe(peer.parse().ok(), &headers, &trusted).address_text()
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
