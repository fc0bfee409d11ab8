//! How far retention may go: a clock in the database that advances with running time.
//!
//! A wall clock that is a year ahead for a minute would otherwise have every session deleted. This one advances only while
//! a process runs, at most twice as fast as time passes, so that it catches up after a long stop, and never past the wall
//! clock.

use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::domain::clock::Clock;
use crate::store::{Database, StoreError, retention_clock};

/// One process's part in advancing the clock.
#[derive(Debug, Default)]
pub(super) struct RetentionClock {
    /// The running time and what the clock said when this process last looked.
    last: Mutex<Option<(Duration, OffsetDateTime)>>,
}

impl RetentionClock {
    /// Advances the clock by what has passed since the last call, and returns the time that it has reached; never a later
    /// one than the wall clock says.
    ///
    /// Of several processes one advances it: whoever finds it moved since the last look begins to count anew.
    pub(super) fn advance(&self, database: &Database, clock: &dyn Clock) -> Result<OffsetDateTime, StoreError> {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let mut last = self.last.lock();
        let before = *last;
        let reached = database.write_blocking(move |connection| {
            let reached = retention_clock::reached(connection, now)?;
            let Some((since, seen)) = before.filter(|(_, seen)| *seen == reached) else { return Ok(reached) };
            let run = time::Duration::try_from(elapsed.saturating_sub(since) * 2).unwrap_or(time::Duration::MAX);
            let next = seen.saturating_add(run).replace_nanosecond(0).unwrap_or(seen).min(now);
            Ok(if retention_clock::advance(connection, reached, next, now)? { next } else { reached })
        })?;
        *last = Some((elapsed, reached));
        Ok(reached.min(now))
    }

    /// Sets the clock to the wall clock, because somebody vouches for it.
    pub(super) fn trust(&self, database: &Database, clock: &dyn Clock) -> Result<(), StoreError> {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        database.write_blocking(move |connection| {
            let reached = retention_clock::reached(connection, now)?;
            retention_clock::advance(connection, reached, now, now)
        })?;
        *self.last.lock() = Some((elapsed, now));
        Ok(())
    }
}
