//! What is over goes, in small batches that no request waits for.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use time::OffsetDateTime;

use super::Auth;
use super::companion::{Companion, Stopped};
use crate::domain::clock::Clock;
use crate::store::{Claim, Connection, Database, Duty, StoreError, auth_tokens, changes, events, sessions};

/// How long a batch may keep the writer: a rotation that comes meanwhile waits for it.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// Rows of the first batch.
const FIRST_BATCH: i64 = 50;

/// Rows of a batch at least, on the slowest disk, and at most, on the quickest.
const BATCHES: std::ops::RangeInclusive<i64> = 20..=1000;

/// Rows deleted in one statement, after which the thread yields: a page that waits for this processor waits for some
/// rows, and not for a batch.
const STEP: i64 = 5;

/// The pause after a batch, in times of what it took: four fifths of the writer, and of a processor, are for requests.
/// Even so, some thousand sign-ins go a second; a site with ten million loses four a second.
const REST: u32 = 4;

/// The pause after a batch at least: processors rest, too.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// How often the background looks for what is over.
const EVERY: Duration = Duration::from_secs(600);

/// How long the wall clock must have run in step with the monotonic one before the background believes it enough to
/// delete: a machine that starts with a wrong clock has the right one by then.
const TRUST_AFTER: Duration = Duration::from_secs(3600);

/// How far the two clocks may drift apart between two looks before the wall clock counts as set.
const DRIFT: time::Duration = time::Duration::minutes(5);

/// How long a table of changes is kept: every process on the database has followed it within seconds, and what a new
/// one remembers is younger than itself.
const CHANGES_KEPT: time::Duration = time::Duration::days(1);

/// How long nothing may have happened before a clean-up by hand asks whether the clock is right.
const QUIET: time::Duration = time::Duration::days(30);

/// How many rows went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Sign-ins past their absolute end, tombstones included.
    pub sessions: usize,
    /// Tokens of mails that expired or were used.
    pub tokens: usize,
    /// Audit events older than their retention.
    pub events: usize,
    /// Changes that every process has taken in.
    pub changes: usize,
}

/// Deletes what is over.
#[derive(Clone)]
pub struct Retention {
    database: Database,
    clock: Arc<dyn Clock>,
    events_kept: time::Duration,
}

impl Retention {
    /// Prepares clean-ups; `events_kept` is how long audit events stay.
    pub fn new(database: Database, clock: Arc<dyn Clock>, events_kept: time::Duration) -> Self {
        Self { database, clock, events_kept }
    }

    /// Deletes everything that is over, batch by batch; `pause` is told between them how long to wait, and may end it.
    ///
    /// A tombstone stays until its sign-in would have ended by itself: so long it is the evidence against a replay.
    ///
    /// # Errors
    /// `Taken` where another process is at it; if the database cannot write, the batches before are done.
    pub fn sweep(&self, mut pause: impl FnMut(Duration) -> Continue) -> Result<Swept, StoreError> {
        let _claim = self.database.claim(Duty::Sweep)?.ok_or(StoreError::Taken)?;
        let now = self.clock.now();
        let (old_events, old_changes) = (now - self.events_kept, now - CHANGES_KEPT);
        Ok(Swept {
            sessions: self.all(now, sessions::delete_expired, &mut pause)?,
            tokens: self.all(now, auth_tokens::delete_spent, &mut pause)?,
            events: self.all(old_events, events::delete_older, &mut pause)?,
            changes: self.all(old_changes, changes::delete_older, &mut pause)?,
        })
    }

    /// Returns how long nothing has happened, where that is so long that the clock may be wrong.
    ///
    /// A clock that is a year ahead would have every sign-in deleted; a database in which nothing happened for a month
    /// looks just like it, and loses nothing by waiting for an answer.
    ///
    /// # Errors
    /// If the database cannot read.
    pub fn suspicious_quiet(&self) -> Result<Option<time::Duration>, StoreError> {
        let newest = self.database.read_blocking(events::newest)?;
        Ok(newest.map(|newest| self.clock.now() - newest).filter(|quiet| *quiet > QUIET))
    }

    fn all(
        &self,
        before: OffsetDateTime,
        delete: fn(&mut Connection, OffsetDateTime, i64) -> Result<usize, StoreError>,
        pause: &mut impl FnMut(Duration) -> Continue,
    ) -> Result<usize, StoreError> {
        let mut pace = Pace { rows: FIRST_BATCH };
        let mut total = 0;
        loop {
            let (rows, begun) = (pace.rows, self.clock.elapsed());
            let gone = self.database.write_blocking(move |connection| {
                let mut gone = 0;
                while gone < rows {
                    let some = i64::try_from(delete(connection, before, STEP)?).unwrap_or(STEP);
                    gone += some;
                    if some < STEP {
                        break;
                    }
                    thread::yield_now();
                }
                Ok(gone)
            })?;
            total += usize::try_from(gone).unwrap_or_default();
            let rest = pace.after(self.clock.elapsed().saturating_sub(begun));
            if gone < rows || pause(rest) == Continue::No {
                return Ok(total);
            }
        }
    }
}

/// How many rows the next batch takes.
///
/// What a row costs depends on the disk, and on how much of the table is in memory, by a factor of a hundred: a batch is
/// as large as its time allows, and the pause after it is measured by what it took.
#[derive(Debug)]
struct Pace {
    rows: i64,
}

impl Pace {
    /// Takes in how long a batch took, from its request to the disk, and returns how long to leave the writer alone.
    fn after(&mut self, took: Duration) -> Duration {
        if took > BATCH_TIME {
            self.rows /= 2;
        } else if took < BATCH_TIME / 2 {
            self.rows += self.rows / 4;
        }
        self.rows = self.rows.clamp(*BATCHES.start(), *BATCHES.end());
        (took * REST).max(SHORTEST_PAUSE)
    }
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Retention")
    }
}

/// Whether to go on with the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continue {
    /// Go on.
    Yes,
    /// Stop here; the rest comes another time.
    No,
}

/// A thread that cleans up every ten minutes, and tells what was left untold; it ends when this is dropped.
#[derive(Debug)]
pub struct RetentionThread {
    _thread: Companion,
}

impl RetentionThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(retention: Retention, auth: Arc<Auth>) -> std::io::Result<Self> {
        Ok(Self { _thread: Companion::start("retention", move |stopped| work(&retention, &auth, stopped))? })
    }
}

fn work(retention: &Retention, auth: &Auth, stopped: &Stopped) {
    let mut watch = ClockWatch::new(retention.clock.as_ref());
    let mut duty = None;
    while !stopped.within(EVERY) {
        let trusted = watch.trusts(retention.clock.as_ref());
        if !is_mine(&mut duty, &retention.database) {
            continue;
        }
        match auth.tell_untold() {
            Ok(0) => {}
            Ok(users) => tracing::info!(users, "told of a theft, in the place of a process that did not get to it"),
            Err(error) => tracing::warn!(%error, "cannot look for who is still to be told of a theft"),
        }
        if !trusted {
            continue;
        }
        let pause = |pause| if stopped.within(pause) { Continue::No } else { Continue::Yes };
        match retention.sweep(pause) {
            Ok(swept) if swept == Swept::default() => {}
            Ok(Swept { sessions, tokens, events, changes }) => {
                tracing::info!(sessions, tokens, events, changes, "cleaned up");
            }
            Err(error) => tracing::warn!(%error, "the clean-up stopped; it goes on in ten minutes"),
        }
    }
}

/// Tells whether this is the process that cleans up for all on its database; it takes over where another has gone.
fn is_mine(duty: &mut Option<Claim>, database: &Database) -> bool {
    if !duty.as_mut().is_some_and(Claim::holds) {
        *duty = database.claim(Duty::Background).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot ask who cleans up; the next time is in ten minutes");
            None
        });
    }
    duty.is_some()
}

/// Notices that the wall clock was set, by comparing it with the monotonic one.
#[derive(Debug)]
struct ClockWatch {
    offset: time::Duration,
    since: Duration,
}

impl ClockWatch {
    fn new(clock: &dyn Clock) -> Self {
        Self { offset: offset(clock), since: clock.elapsed() }
    }

    /// Tells whether the clock has run undisturbed for long enough.
    fn trusts(&mut self, clock: &dyn Clock) -> bool {
        let offset = offset(clock);
        if (offset - self.offset).abs() > DRIFT {
            tracing::warn!("the clock was set: nothing is deleted for an hour");
            self.since = clock.elapsed();
        }
        self.offset = offset;
        clock.elapsed().saturating_sub(self.since) >= TRUST_AFTER
    }
}

fn offset(clock: &dyn Clock) -> time::Duration {
    let elapsed = i64::try_from(clock.elapsed().as_secs()).unwrap_or(i64::MAX);
    time::Duration::seconds(clock.now().unix_timestamp().saturating_sub(elapsed))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::clock::ManualClock;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_once_they_are_not() {
        let mut pace = Pace { rows: FIRST_BATCH };
        for _ in 0..100 {
            assert_eq!(pace.after(Duration::ZERO), SHORTEST_PAUSE);
        }
        assert_eq!(pace.rows, *BATCHES.end());
        assert_eq!(pace.after(BATCH_TIME), BATCH_TIME * REST);
        assert_eq!(pace.rows, *BATCHES.end(), "as long as it may take");
        for _ in 0..100 {
            assert_eq!(pace.after(Duration::from_secs(1)), Duration::from_secs(1) * REST);
        }
        assert_eq!(pace.rows, *BATCHES.start());
        pace.after(Duration::ZERO);
        assert!(pace.rows > *BATCHES.start(), "even the smallest batch can grow");
    }

    #[test]
    fn a_clock_is_believed_after_an_undisturbed_hour() {
        let clock = ManualClock::at(datetime!(2026-03-01 12:00 UTC));
        let mut watch = ClockWatch::new(&clock);
        assert!(!watch.trusts(&clock));
        clock.advance(time::Duration::minutes(59));
        assert!(!watch.trusts(&clock));
        clock.advance(time::Duration::minutes(1));
        assert!(watch.trusts(&clock));
        for jump in [time::Duration::days(365), time::Duration::days(-365)] {
            clock.jump(jump);
            assert!(!watch.trusts(&clock));
            clock.advance(time::Duration::minutes(59));
            assert!(!watch.trusts(&clock));
            clock.advance(time::Duration::minutes(1));
            assert!(watch.trusts(&clock));
        }
    }
}
