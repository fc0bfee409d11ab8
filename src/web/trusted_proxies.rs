//! The address of a client as the trusted proxies in front of this server pass it on.

use std::net::IpAddr;

use crate::domain::network::Network;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which trusted proxies pass the address of a client on.
///
/// There is only one, because a proxy that writes one of them passes the other on as the client sent it: whoever believed
/// both would let a client choose its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressHeader {
    /// `X-Forwarded-For`: addresses separated by commas, the nearest last.
    XForwardedFor,
    /// `Forwarded` (RFC 7239), of which `for` is read.
    Forwarded,
}

/// The proxies whose word on a client's address is believed, and where it stands.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    /// Where they are.
    pub networks: Vec<Network>,
    /// The one header that is read.
    pub header: AddressHeader,
}

impl TrustedProxies {
    /// Returns the address of the client that a connection from `peer` speaks for.
    ///
    /// It walks back from the peer as long as each hop is a trusted proxy; the first that is not is the client. Everything
    /// a stranger writes into the header stands to the left of what the outermost trusted proxy adds, so it is never
    /// reached.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        // Most servers trust nobody, and then there is nothing to read.
        if !self.trust(address) {
            return address;
        }
        for hop in self.hops(headers).into_iter().rev() {
            let Some(hop) = hop else { break };
            address = hop.to_canonical();
            if !self.trust(address) {
                break;
            }
        }
        address
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Returns the hops in the order of the header; `None` for one that is no address ("unknown", or made up).
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let list = |name: HeaderName| {
            let values: Vec<_> = headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            values.join(",")
        };
        match self.header {
            AddressHeader::XForwardedFor => list(X_FORWARDED_FOR).split(',').map(parse_node).collect(),
            AddressHeader::Forwarded => split_unquoted(&list(FORWARDED), ',').into_iter().map(forwarded_for).collect(),
        }
    }
}

/// Returns the address of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let parameters = split_unquoted(element, ';');
    let mut pairs = parameters.iter().filter_map(|parameter| parameter.trim().split_once('='));
    pairs.find(|(name, _)| name.eq_ignore_ascii_case("for")).and_then(|(_, node)| parse_node(node))
}

/// Splits at each `separator` outside a quoted string.
///
/// It reads from the right, where the nearest proxy wrote: a quotation mark that a client leaves open further to the left
/// must not swallow what the proxy added, and what a proxy quotes, such as a `Host` of the client's, is no hop.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut end, mut quoted) = (Vec::new(), text.len(), false);
    for (at, character) in text.char_indices().rev() {
        let before = text.get(..at).unwrap_or_default();
        if character == '"' {
            let escaped = quoted && before.chars().rev().take_while(|before| *before == '\\').count() % 2 == 1;
            quoted ^= !escaped;
        } else if character == separator && !quoted {
            parts.extend(text.get(at + separator.len_utf8()..end));
            end = at;
        }
    }
    parts.extend(text.get(..end));
    parts.reverse();
    parts
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

    use super::AddressHeader::{Forwarded, XForwardedFor};
    use super::*;

    fn seen_with(peer: &str, header: AddressHeader, pairs: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let networks = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        TrustedProxies { networks, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    fn seen(peer: &str, header: AddressHeader, value: &str) -> String {
        let name = if header == Forwarded { "forwarded" } else { "x-forwarded-for" };
        seen_with(peer, header, &[(name, value)])
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        assert_eq!(seen("192.0.2.1", XForwardedFor, "198.51.100.9"), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", Forwarded, "for=198.51.100.9"), "192.0.2.1");
    }

    #[test]
    fn the_nearest_hop_that_is_no_proxy_is_the_client() {
        assert_eq!(seen("10.0.0.1", XForwardedFor, "6.6.6.6, 192.0.2.1, 10.0.0.2"), "192.0.2.1");
        assert_eq!(seen("::ffff:10.0.0.1", XForwardedFor, "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", Forwarded, "for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https"), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", Forwarded, "for=6.6.6.6,FOR=192.0.2.1;by=10.0.0.2,for=10.0.0.2"), "192.0.2.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for value in ["unknown", "", "<script>", "192.0.2.1, nonsense"] {
            assert_eq!(seen("10.0.0.1", XForwardedFor, value), "10.0.0.1", "{value}");
        }
        for value in ["for=unknown", "", "for=_hidden", "by=192.0.2.1", "192.0.2.1", "for=192.0.2.1, proto=http"] {
            assert_eq!(seen("10.0.0.1", Forwarded, value), "10.0.0.1", "{value}");
        }
    }

    #[test]
    fn the_header_that_was_not_chosen_is_ignored_altogether() {
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        assert_eq!(seen_with("10.0.0.1", XForwardedFor, &both), "192.0.2.1");
        assert_eq!(seen_with("10.0.0.1", Forwarded, &both), "192.0.2.2");
        assert_eq!(seen_with("10.0.0.1", XForwardedFor, &both[1..]), "10.0.0.1");
        assert_eq!(seen_with("10.0.0.1", Forwarded, &both[..1]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_quotes_neither_hides_nor_makes_a_hop() {
        for value in [
            // Left open by the client, and closed by nobody.
            "for=\"6.6.6.6, for=192.0.2.1",
            "for=6.6.6.6;host=\"a\\\", for=192.0.2.1",
            // A name of a host, as the client sent it and the proxy quoted it.
            "for=192.0.2.1;host=\"a,for=6.6.6.6\"",
            "host=\"a;for=6.6.6.6\";for=192.0.2.1",
            "for=192.0.2.1;host=\"a\\\",for=6.6.6.6\"",
        ] {
            assert_eq!(seen("10.0.0.1", Forwarded, value), "192.0.2.1", "{value}");
        }
    }

    #[test]
    fn several_lines_of_one_header_are_one_list() {
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.9")];
        assert_eq!(seen_with("10.0.0.1", XForwardedFor, &lines), "192.0.2.1");
    }
}
