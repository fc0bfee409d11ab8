//! The processes on one database: what each announces, and for how long that counts.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::domain::id::NodeId;
use crate::domain::key_id::KeyId;

/// How long a process counts as live after it was last heard from, by the clock of the database: six heartbeats, so
/// that one that was lost, or a disk that is busy for a while, costs nothing.
pub const LEASE: Duration = Duration::seconds(30);

/// The capability of a process that verifies the proofs of devices, and whose settings let it.
pub const DEVICE_BINDING: &str = "device-binding";

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its name, for as long as it runs.
    pub id: NodeId,
    /// Its version of the program.
    pub version: String,
    /// The keys it has, in its order: it wants the first to sign.
    pub keys: Vec<KeyId>,
    /// How long everything lives, as [`announced`](crate::domain::agreement::announced) writes it.
    pub lifetimes: String,
    /// What it can do that not every version can, separated by spaces.
    pub capabilities: String,
    /// The machine it runs on, for people.
    pub host: String,
    /// Its number on that machine, for people.
    pub pid: u32,
}

/// A process as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it said.
    pub announced: Announcement,
    /// When it joined for the first time, by the clock of the database.
    pub started_at: OffsetDateTime,
    /// When it was last heard from, by the clock of the database.
    pub heard_at: OffsetDateTime,
}

impl Announcement {
    /// Tells whether it has a key.
    pub fn knows(&self, key: KeyId) -> bool {
        self.keys.contains(&key)
    }

    /// Tells whether it can do something that not every version can.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.split_whitespace().any(|word| word == capability)
    }
}

impl fmt::Display for Announcement {
    /// Writes it as people find the process: its machine and its number there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

impl Node {
    /// Tells whether its lease is good at `now`, by the clock of the database.
    ///
    /// Meant both ways: one that was last heard from in the future was heard from before that clock was set back.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        (now - self.heard_at).abs() <= LEASE
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 8:30 UTC);

    /// Makes a process that started `age` seconds ago and has the keys of these letters.
    pub(in crate::domain) fn node(age: i64, letters: &str) -> Node {
        let announced = Announcement {
            id: NodeId::from_bytes([u8::try_from(age).unwrap(); 16]),
            version: "0.2.0".to_owned(),
            keys: letters.bytes().map(key).collect(),
            lifetimes: String::new(),
            capabilities: String::new(),
            host: "web".to_owned(),
            pid: 1,
        };
        Node { announced, started_at: NOW - Duration::seconds(age), heard_at: NOW }
    }

    /// Makes the name of a key.
    pub(in crate::domain) fn key(letter: u8) -> KeyId {
        KeyId::from_bytes([letter; 12])
    }

    #[test]
    fn a_lease_is_good_for_half_a_minute_both_ways() {
        let node = node(100, "a");
        for (seconds, live) in [(0, true), (30, true), (31, false), (-30, true), (-31, false), (31_536_000, false)] {
            assert_eq!(node.is_live(NOW + Duration::seconds(seconds)), live, "{seconds}");
        }
    }
}
