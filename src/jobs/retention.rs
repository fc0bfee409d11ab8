//! What is over goes, in small batches that no request waits for.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use time::OffsetDateTime;

use super::daily_counts::count_days;
use super::retention_clock::RetentionClock;
use super::worker::{Stopped, Worker};
use crate::domain::clock::Clock;
use crate::session::{Rescue, Sessions};
use crate::store::{
    AdvisoryLock, Connection, Database, Exclusive, StoreError, auth_tokens, changes, event_cursors, events, kept_forms,
    mail_limits, notice_links, outbox, pending_registrations, sessions, sign_in_forms, throttle,
};

/// How long a batch may keep the writer before it is committed: a rotation that comes meanwhile waits for it, and for its
/// commit, which takes about as long. Batches twice as long gained nothing and made the slowest rotations wait twice as long.
const BATCH_TIME: Duration = Duration::from_millis(2);

/// Rows of the first batch.
const FIRST_BATCH: i64 = 50;

/// Rows of a batch at least, on the slowest disk, and at most, on the quickest.
const BATCHES: std::ops::RangeInclusive<i64> = 20..=1000;

/// Rows deleted in one statement, after which the thread yields: a page that waits for this processor waits for some
/// rows, and not for a batch.
const STEP: i64 = 20;

/// From the end of a batch to the next, in times of what it took: three quarters of the writer are for requests. Meanwhile
/// the batch goes from the log into the file, and what the next one needs is read.
const REST: u32 = 3;

/// From the end of a batch to the next at least: processors rest, too.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// How often the background looks for what is over.
const EVERY: Duration = Duration::from_secs(600);

/// How often SQLite measures its tables anew: they change little in a day.
const OPTIMIZE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the days are counted; the sign-ins that are alive are read for it, all of them.
const COUNT_EVERY: Duration = Duration::from_secs(60 * 60);

/// How far behind its clock retention stays: whoever signed in under a clock that was a day off loses nothing.
const BEHIND: time::Duration = time::Duration::days(1);

/// How long a table of changes is kept: every process on the database has followed it within seconds, and what a new
/// one remembers is younger than itself.
const CHANGES_KEPT: time::Duration = time::Duration::days(1);

/// How much longer than events the place of a hook is kept that no process has any more: one that has, says so daily.
const HOOKS_KEPT: time::Duration = time::Duration::days(2);

/// How many rows went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Sign-ins past their absolute end, tombstones included.
    pub sessions: usize,
    /// Tokens of mails that expired or were used.
    pub tokens: usize,
    /// Forms that were kept for their users and not sent, which are emptied.
    pub forms: usize,
    /// Audit events older than their retention.
    pub events: usize,
    /// Changes that every process has taken in.
    pub changes: usize,
    /// Mails that are of no use any more, whether the mail server refused them or never took them.
    pub mails: usize,
}

/// Deletes what is over.
#[derive(Clone)]
pub struct Retention {
    database: Database,
    clock: Arc<dyn Clock>,
    retention_clock: Arc<RetentionClock>,
    events_kept: time::Duration,
}

impl Retention {
    /// Prepares clean-ups; `events_kept` is how long audit events stay.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn new(database: Database, clock: Arc<dyn Clock>, events_kept: time::Duration) -> Result<Self, StoreError> {
        let retention_clock = Arc::new(RetentionClock::default());
        retention_clock.advance(&database, clock.as_ref())?;
        Ok(Self { database, clock, retention_clock, events_kept })
    }

    /// Sets the clock that retention goes by to the wall clock, because somebody vouches for it.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn trust_clock(&self) -> Result<(), StoreError> {
        self.retention_clock.trust(&self.database, self.clock.as_ref())
    }

    /// Deletes everything that is over, batch by batch; `pause` is told between them how long to wait, and may end it.
    ///
    /// A tombstone stays until its sign-in would have ended by itself: so long it is the evidence against a replay.
    ///
    /// # Errors
    /// `Taken` where another process is at it; if the database cannot write, the batches before are done.
    pub fn sweep(&self, mut pause: impl FnMut(Duration) -> Continue) -> Result<Swept, StoreError> {
        let _lock = self.database.try_exclusive(Exclusive::Sweep)?.ok_or(StoreError::Taken)?;
        let reached = self.retention_clock.advance(&self.database, self.clock.as_ref())?;
        let (over, old_events, old_changes) = (reached - BEHIND, reached - self.events_kept, reached - CHANGES_KEPT);
        self.all(over, nothing_ahead, sign_in_forms::delete_older, &mut pause)?;
        self.all(over, nothing_ahead, mail_limits::delete_older, &mut pause)?;
        self.all(over, nothing_ahead, throttle::delete_expired, &mut pause)?;
        // What people typed is not kept beyond its time, whatever the clock was when it began.
        let forms = self.all(reached, nothing_ahead, kept_forms::empty_expired, &mut pause)?;
        self.all(over, nothing_ahead, kept_forms::delete_expired, &mut pause)?;
        self.all(over, nothing_ahead, pending_registrations::delete_expired, &mut pause)?;
        self.all(over, nothing_ahead, notice_links::delete_expired, &mut pause)?;
        self.all(old_events - HOOKS_KEPT, nothing_ahead, event_cursors::delete_unused, &mut pause)?;
        Ok(Swept {
            forms,
            sessions: self.all(over, sessions::read_ahead, sessions::delete_expired, &mut pause)?,
            tokens: self.all(over, nothing_ahead, auth_tokens::delete_spent, &mut pause)?,
            events: self.all(old_events, nothing_ahead, events::delete_older, &mut pause)?,
            changes: self.all(old_changes, nothing_ahead, changes::delete_older, &mut pause)?,
            mails: self.all(over, nothing_ahead, outbox::delete_expired, &mut pause)?,
        })
    }

    fn all(
        &self,
        before: OffsetDateTime,
        read_ahead: fn(&mut Connection, OffsetDateTime, i64) -> Result<(), StoreError>,
        delete: fn(&mut Connection, OffsetDateTime, i64) -> Result<usize, StoreError>,
        pause: &mut impl FnMut(Duration) -> Continue,
    ) -> Result<usize, StoreError> {
        let mut pace = Pace { rows: FIRST_BATCH };
        let mut total = 0;
        let mut rest_until = None;
        loop {
            // The disk is waited for here, and not by the writer.
            self.database.read_blocking(|connection| read_ahead(connection, before, pace.rows))?;
            let rest = rest_until.map(|until: Duration| until.saturating_sub(self.clock.elapsed()));
            if rest.is_some_and(|rest| pause(rest) == Continue::No) {
                return Ok(total);
            }
            let (rows, clock, begun) = (pace.rows, Arc::clone(&self.clock), self.clock.elapsed());
            let (gone, kept) = self.database.write_blocking(move |connection| {
                let (mut gone, begun) = (0, clock.elapsed());
                while gone < rows {
                    let some = i64::try_from(delete(connection, before, STEP)?).unwrap_or(STEP);
                    gone += some;
                    if some < STEP {
                        break;
                    }
                    thread::yield_now();
                }
                Ok((gone, clock.elapsed().saturating_sub(begun)))
            })?;
            total += usize::try_from(gone).unwrap_or_default();
            if gone < rows {
                return Ok(total);
            }
            let ended = self.clock.elapsed();
            rest_until = Some(ended + pace.after(kept, ended.saturating_sub(begun)));
            // In small pieces, between the batches: a commit that comes meanwhile waits for one of them at most.
            self.database.shorten_log()?;
        }
    }
}

/// Reads nothing: what these rows lie beside is written at the same time, and is in memory.
fn nothing_ahead(_: &mut Connection, _: OffsetDateTime, _: i64) -> Result<(), StoreError> {
    Ok(())
}

/// How many rows the next batch takes.
///
/// What a row costs depends on the disk, and on how much of the table is in memory, by a factor of a hundred: a batch is
/// as large as its time allows, and the pause after it is measured by what it took. The commit is paid once, however large
/// the batch: it counts for the pause alone.
#[derive(Debug)]
struct Pace {
    rows: i64,
}

impl Pace {
    /// Takes in for how long a batch kept the writer, and how long it took from its request to the disk; returns how long
    /// to leave the writer alone.
    fn after(&mut self, kept: Duration, took: Duration) -> Duration {
        if kept > BATCH_TIME {
            self.rows /= 2;
        } else if kept < BATCH_TIME / 2 {
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

/// A thread that cleans up every ten minutes; it ends when this is dropped.
#[derive(Debug)]
pub struct RetentionWorker {
    worker: Worker,
}

impl RetentionWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(retention: Retention, sessions: Sessions) -> std::io::Result<Self> {
        Ok(Self { worker: Worker::start("retention", move |stopped| work(&retention, &sessions, stopped))? })
    }

    /// Ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.worker.stop();
    }
}

fn work(retention: &Retention, sessions: &Sessions, stopped: &Stopped) {
    let mut lock = None;
    let (mut optimized, mut counted) = (None, None);
    while !stopped.within(EVERY) {
        if let Err(error) = follow_upgrade(retention, sessions, &mut lock) {
            tracing::warn!(%error, "cannot tell whether the upgrade is over");
        }
        if !is_mine(&mut lock, &retention.database) {
            continue;
        }
        optimize_daily(retention, &mut optimized);
        count_hourly(retention, sessions, &mut counted);
        let pause = |pause| if stopped.within(pause) { Continue::No } else { Continue::Yes };
        match retention.sweep(pause) {
            Ok(swept) if swept == Swept::default() => {}
            Ok(Swept { sessions: ended, tokens, forms, events, changes, mails }) => {
                sessions.counts().rescued(Rescue::Expired, forms as u64);
                tracing::info!(sessions = ended, tokens, forms, events, changes, mails, "cleaned up");
            }
            Err(error) => tracing::warn!(%error, "the clean-up stopped; it goes on in ten minutes"),
        }
    }
}

/// Has the tables measured, unless that was done within a day.
fn optimize_daily(retention: &Retention, last: &mut Option<Duration>) {
    let now = retention.clock.elapsed();
    if last.is_some_and(|last| now.saturating_sub(last) < OPTIMIZE_EVERY) {
        return;
    }
    match retention.database.optimize() {
        Ok(()) => *last = Some(now),
        Err(error) => tracing::warn!(%error, "the tables were not measured; the next try is in ten minutes"),
    }
}

/// Counts the days that are over and the sign-ins that are alive, unless that was done within an hour.
fn count_hourly(retention: &Retention, sessions: &Sessions, last: &mut Option<Duration>) {
    let now = retention.clock.elapsed();
    if last.is_some_and(|last| now.saturating_sub(last) < COUNT_EVERY) {
        return;
    }
    match count_days(&retention.database, sessions.lifetimes(), retention.clock.now()) {
        Ok(()) => *last = Some(now),
        Err(error) => tracing::warn!(%error, "the days were not counted; the next try is in ten minutes"),
    }
}

/// Ends the time in which a process of the version before may run beside this one, once the database shows none.
fn follow_upgrade(
    retention: &Retention,
    sessions: &Sessions,
    lock: &mut Option<AdvisoryLock>,
) -> Result<(), StoreError> {
    let database = &retention.database;
    if database.version_before_may_run()? && is_mine(lock, database) && database.finish_upgrade(false)? {
        tracing::info!("the upgrade is over: the version before is not let in any more");
    }
    sessions.set_reissue_in_place(database.version_before_may_run()?);
    Ok(())
}

/// Tells whether this is the process that cleans up for all on its database; it takes over where another has gone.
fn is_mine(lock: &mut Option<AdvisoryLock>, database: &Database) -> bool {
    if !lock.as_mut().is_some_and(AdvisoryLock::holds) {
        *lock = database.try_exclusive(Exclusive::Background).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot ask who cleans up; the next try is in ten minutes");
            None
        });
    }
    lock.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_once_they_are_not() {
        let mut pace = Pace { rows: FIRST_BATCH };
        for _ in 0..100 {
            assert_eq!(pace.after(Duration::ZERO, Duration::ZERO), SHORTEST_PAUSE);
        }
        assert_eq!(pace.rows, *BATCHES.end());
        assert_eq!(pace.after(BATCH_TIME, BATCH_TIME * 3), BATCH_TIME * 3 * REST);
        assert_eq!(pace.rows, *BATCHES.end(), "as long as it may take");
        for _ in 0..100 {
            let second = Duration::from_secs(1);
            assert_eq!(pace.after(second, second), second * REST);
        }
        assert_eq!(pace.rows, *BATCHES.start());
        pace.after(Duration::ZERO, Duration::ZERO);
        assert!(pace.rows > *BATCHES.start(), "even the smallest batch can grow");
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn nothing_is_left_in_the_log_when_a_batch_begins() {
        use diesel::connection::SimpleConnection;
        use diesel::prelude::*;
        use diesel::sql_types::Integer;
        use time::macros::datetime;

        use crate::domain::clock::ManualClock;
        use crate::store::url::DatabaseUrl;

        #[derive(QueryableByName)]
        struct Log {
            #[diesel(sql_type = Integer, column_name = "log")]
            pages: i32,
            #[diesel(sql_type = Integer, column_name = "checkpointed")]
            moved: i32,
        }

        let folder = tempfile::tempdir().unwrap();
        let (database, _) = Database::open(&DatabaseUrl::Sqlite(folder.path().join("perennial.db"))).unwrap();
        let mut connection = database.connect().unwrap();
        connection
            .batch_execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
                 INSERT INTO auth_events (event_type, details, created_at) SELECT 'signed_in', '{}', i FROM n",
            )
            .unwrap();
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-21 12:00 UTC)));
        let retention = Retention::new(database, clock, time::Duration::days(1)).unwrap();
        retention.trust_clock().unwrap();
        let mut logs = Vec::new();
        let swept = retention.sweep(|_| {
            let log: Log = diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(&mut connection).unwrap();
            logs.push((log.pages, log.moved));
            Continue::Yes
        });
        assert_eq!(swept.unwrap().events, 300);
        assert!(logs.len() > 1, "several batches");
        assert!(logs.iter().all(|(pages, moved)| *pages > 0 && pages == moved), "{logs:?}");
    }
}
