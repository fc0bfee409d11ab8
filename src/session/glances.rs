//! What the dashboard says at a glance: how many devices there are, what happened last, and what needs the owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use time::OffsetDateTime;

use crate::display::event::Described;
use crate::domain::id::SessionId;

/// Glances that are kept at most: one is worth keeping for a second, so few are asked for again.
const CAPACITY: usize = 1_000;

/// What needs the owner of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Somebody tried too many passwords.
    Locked(OffsetDateTime),
    /// Whoever signed in last has a password that is easy to guess.
    WeakPassword,
}

/// An event in words, with when it happened and where it came from.
#[derive(Debug)]
pub struct GlanceEvent {
    /// What happened.
    pub described: Described,
    /// Where it came from.
    pub place: String,
    /// When.
    pub at: OffsetDateTime,
}

/// What there is to see at a glance.
#[derive(Debug)]
pub struct Glance {
    /// On how many devices the user is signed in, and since when there was no new one, as a sentence to its reader.
    pub devices: String,
    /// What needs the owner, beside a theft.
    pub concern: Option<Concern>,
    /// What happened last, newest first.
    pub events: Vec<GlanceEvent>,
    /// When it was read, by the clock's running time.
    pub(super) read_at: Duration,
    /// How often this process had written by then.
    pub(super) writes: u64,
}

/// The glances of the last second.
pub(super) struct Glances {
    pub(super) known: Cache<SessionId, Arc<Glance>>,
    /// How often this process has written so far.
    pub(super) writes: AtomicU64,
    /// Whether somebody waits for a database that did not answer in time.
    pub(super) slow: AtomicBool,
}

impl Glances {
    pub(super) fn new() -> Self {
        Self { known: Cache::new(CAPACITY), writes: AtomicU64::new(0), slow: AtomicBool::new(false) }
    }

    /// Notes that something was written: what was read before may be outdated.
    pub(super) fn outdate(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
    }
}
