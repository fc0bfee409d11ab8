//! How often something was tried lately, in memory: what costs this process nothing to refuse.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::id::SessionId;

/// Keys remembered at most; past that all begin anew, and what was refused is allowed once more.
const CAPACITY: usize = 10_000;

/// Requests to renew one session from one address in ten seconds that are looked at: an honest browser sends a few for each
/// access life, some beside each other.
const RENEWALS: (u32, Duration) = (60, Duration::from_secs(10));

/// Times an hour that the cookies of one bound session, coming without a proof, are written down; further ones cost no
/// write.
const WITHOUT_PROOF: (u32, Duration) = (10, Duration::from_secs(3600));

/// By what a flood of renewals is counted: a thief who knows the name of a session must not keep its owner out.
pub(super) type RenewalKey = (SessionId, Option<IpAddr>);

/// Counts tries by a key, each in a span of its own that begins with its first.
#[derive(Debug)]
pub(super) struct RecentTries<K> {
    tries: Mutex<HashMap<K, (Duration, u32)>>,
    span: Duration,
    at_most: u32,
}

impl RecentTries<RenewalKey> {
    /// Counts requests to renew by a proof.
    pub(super) fn of_renewals() -> Self {
        Self::new(RENEWALS.0, RENEWALS.1)
    }
}

impl RecentTries<SessionId> {
    /// Counts how often the cookies of a bound session come without a proof.
    pub(super) fn without_proof() -> Self {
        Self::new(WITHOUT_PROOF.0, WITHOUT_PROOF.1)
    }
}

impl<K: Eq + Hash> RecentTries<K> {
    /// Allows `at_most` tries of each key in a span.
    fn new(at_most: u32, span: Duration) -> Self {
        Self { tries: Mutex::default(), span, at_most }
    }

    /// Counts a try at the running time `elapsed`, and tells whether it is allowed.
    pub(super) fn allows(&self, key: K, elapsed: Duration) -> bool {
        let mut tries = self.tries.lock();
        if tries.len() >= CAPACITY && !tries.contains_key(&key) {
            tries.clear();
        }
        let (began, count) = tries.entry(key).or_insert((elapsed, 0));
        if elapsed.saturating_sub(*began) >= self.span {
            (*began, *count) = (elapsed, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.at_most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_tries_in_each_span() {
        let tries = RecentTries::new(2, Duration::from_secs(10));
        let at = Duration::from_secs;
        assert!(tries.allows(1, at(0)) && tries.allows(1, at(9)) && !tries.allows(1, at(9)));
        assert!(tries.allows(2, at(9)), "another key");
        assert!(tries.allows(1, at(10)), "another span");
    }

    #[test]
    fn a_flood_of_keys_takes_no_memory() {
        let tries = RecentTries::new(1, Duration::from_secs(10));
        for key in 0..3 * CAPACITY {
            assert!(tries.allows(key, Duration::ZERO));
        }
        assert!(tries.tries.lock().len() <= CAPACITY);
    }
}
