//! What this process knows of its place among the others on its database.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use time::OffsetDateTime;

use crate::crypto::{KeyState, NoSigningKey};
use crate::domain::agreement::{clock_limit, clock_offset};
use crate::domain::session::Lifetimes;

/// What this process knows of its place among the others; clones share it.
#[derive(Debug, Clone)]
pub struct NodeState {
    keys: KeyState,
    clock_offset: Arc<AtomicI64>,
    clock_limit: time::Duration,
    binds: Arc<AtomicBool>,
}

/// Why this process should get no requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// What it signed would open nothing elsewhere, and it cannot open what others signed.
    #[error(transparent)]
    Key(#[from] NoSigningKey),
    /// Its clock and that of the database are too far apart; holds by how many seconds the other is ahead.
    #[error("the clock of the database is {0} s ahead of this machine's: keep both in step with NTP")]
    Clock(i64),
}

impl NodeState {
    /// Starts with the keys as they are, and with a clock that is right.
    pub fn new(keys: KeyState, lifetimes: &Lifetimes) -> Self {
        Self {
            keys,
            clock_offset: Arc::default(),
            clock_limit: clock_limit(lifetimes.reuse_grace),
            binds: Arc::default(),
        }
    }

    /// Returns which keys sign and verify.
    pub fn keys(&self) -> &KeyState {
        &self.keys
    }

    /// Makes sure that this process is fit to serve.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), NotReady> {
        self.keys.require()?;
        let seconds = self.clock_offset.load(Ordering::SeqCst);
        if time::Duration::seconds(seconds).abs() > self.clock_limit { Err(NotReady::Clock(seconds)) } else { Ok(()) }
    }

    /// Says whether every process on the database binds sign-ins to their devices; until then, nobody does.
    pub fn set_binds(&self, binds: bool) {
        self.binds.store(binds, Ordering::SeqCst);
    }

    /// Tells whether every process on the database binds sign-ins to their devices.
    pub fn binds(&self) -> bool {
        self.binds.load(Ordering::SeqCst)
    }

    /// Takes in what the clock of the database said between two moments of this machine's.
    pub fn compare_clocks(&self, database: OffsetDateTime, own: &RangeInclusive<OffsetDateTime>) {
        let offset = clock_offset(database, own).whole_seconds();
        let before = self.clock_offset.swap(offset, Ordering::SeqCst);
        match self.check() {
            Err(reason @ NotReady::Clock(_)) if offset != before => tracing::error!("not ready: {reason}"),
            _ => {}
        }
    }
}
