//! Where something came from, in words.

use std::net::IpAddr;

/// The part of an IPv6 address that names a network (RFC 4291 section 2.5.4); the rest, a device chooses and changes.
const NETWORK_SEGMENTS: usize = 4;

/// Says where a sign-in is used from: `this network`, the address, or that it is not known.
pub fn place(address: &str, own: Option<IpAddr>) -> String {
    let seen: Option<IpAddr> = address.parse().ok();
    match (seen, own) {
        (None, _) if address.is_empty() => "unknown address".to_owned(),
        (Some(seen), Some(own)) if is_same_network(seen, own) => "this network".to_owned(),
        _ => address.to_owned(),
    }
}

fn is_same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            one.segments().iter().zip(other.segments()).take(NETWORK_SEGMENTS).all(|(one, other)| *one == other)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_network_is_called_so() {
        let own = Some("192.0.2.1".parse().unwrap());
        assert_eq!(place("192.0.2.1", own), "this network");
        assert_eq!(place("192.0.2.2", own), "192.0.2.2");
        assert_eq!(place("192.0.2.1", None), "192.0.2.1");
        assert_eq!(place("", own), "unknown address");
        let own = Some("2001:db8:1:2:aaaa::1".parse().unwrap());
        assert_eq!(place("2001:db8:1:2:bbbb::9", own), "this network");
        assert_eq!(place("2001:db8:1:3:aaaa::1", own), "2001:db8:1:3:aaaa::1");
    }
}
