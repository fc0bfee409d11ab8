//! How many connections one client address may hold open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::network::Network;

/// Bits of an address of IP version 6 that belong to one customer at least (RFC 6177): whoever has one address has the
/// whole /64.
const CUSTOMER_BITS: u32 = 64;

/// Open connections by what stands for their client.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The doorkeeper of all workers: counts open connections by client address.
///
/// Without it, one machine could take every descriptor of the process and shut everybody else out.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    open: Open,
    at_most: usize,
    trusted: Arc<[Network]>,
}

/// A connection that was admitted; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    counted: Option<(Open, IpAddr)>,
}

impl Admission {
    /// Admits `at_most` connections per address, and any number from trusted proxies, which carry many clients.
    pub(super) fn new(at_most: usize, trusted: &[Network]) -> Self {
        Self { open: Arc::default(), at_most, trusted: trusted.into() }
    }

    /// Tells whether an address is that of a trusted proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Admits a connection, unless its address holds as many as it may.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Admitted> {
        if self.trusts(address) {
            return Some(Admitted { counted: None });
        }
        let customer = customer(address);
        let mut open = self.open.lock();
        let count = open.entry(customer).or_default();
        if *count >= self.at_most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Admitted { counted: Some((Arc::clone(&self.open), customer)) })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some((open, customer)) = &self.counted else { return };
        let mut open = open.lock();
        if let Some(count) = open.get_mut(customer) {
            *count -= 1;
            if *count == 0 {
                // What is kept is bounded by the connections that are open.
                open.remove(customer);
            }
        }
    }
}

/// Returns what stands for everybody who shares an address.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - CUSTOMER_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share_and_gets_it_back() {
        let admission = Admission::new(2, &["10.0.0.0/8".parse().unwrap()]);
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let first = admit("192.0.2.1");
        let second = admit("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some() && admit("192.0.2.1").is_none());
        assert!(admit("192.0.2.2").is_some(), "another address has a share of its own");
        drop(first);
        let third = admit("192.0.2.1");
        assert!(third.is_some() && admit("192.0.2.1").is_none());
        drop((second, third));
        assert!(admission.open.lock().is_empty());
    }

    #[test]
    fn a_customers_64_bits_count_as_one_address() {
        let admission = Admission::new(1, &[]);
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let held = admit("2001:db8:0:1::1");
        assert!(held.is_some() && admit("2001:db8:0:1:ffff::9").is_none());
        assert!(admit("2001:db8:0:2::1").is_some());
    }

    #[test]
    fn trusted_proxies_are_not_counted() {
        let admission = Admission::new(1, &["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..5).map(|_| admission.admit("10.1.2.3".parse().unwrap())).collect();
        assert!(held.iter().all(Option::is_some) && admission.open.lock().is_empty());
    }
}
