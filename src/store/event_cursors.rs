//! How far the hooks of an application have come in the audit trail.
//!
//! Any process that has a hook may deliver to it, once there is something to deliver: it takes the hook over under a lease,
//! as one takes an e-mail out of the [`outbox`](super::outbox), whose remarks on clocks hold here too, and writes down how
//! far it came. A lease is a number that grows with each: whoever has lost theirs moves nothing any more.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::event_tail::EventTail;
use super::schema::event_cursors;
use super::times::{seconds, shared_clock};

/// How long a process that fell silent keeps others from going on: four of its renewals.
const LEASE: Duration = Duration::seconds(8);

/// How long a hook that failed waits until it is called again at most.
pub const LONGEST_PAUSE: Duration = Duration::minutes(5);

/// How much further ahead than it could have been written a time may be before it counts as over.
const TOLERANCE: Duration = Duration::minutes(1);

/// How often it is written down that there still is a hook.
const USED_EVERY: Duration = Duration::days(1);

/// Where a hook begins that is new.
#[derive(Debug, Clone)]
pub enum Begin {
    /// After the events that are there.
    Newest,
    /// With the first event that is there.
    Oldest,
    /// Where this process knows that it was.
    At(EventTail),
}

/// How far a hook has come.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = event_cursors)]
pub struct Cursor {
    /// Every event up to this number was delivered, but for those that are missing.
    position: i64,
    missing: String,
    /// How often it was taken over.
    pub lease: i64,
    leased_until: i64,
    /// How often in a row the hook failed.
    pub failures: i64,
    retry_at: i64,
    used_at: i64,
}

impl Cursor {
    /// Returns the place from which to read on.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn tail(&self) -> Result<EventTail, StoreError> {
        EventTail::at(self.position, &self.missing)
    }

    /// Tells whether nobody delivers now, and the pause after a failure is over.
    ///
    /// # Errors
    /// If the database has no answer.
    pub fn is_free(&self, connection: &mut Connection, now: OffsetDateTime) -> Result<bool, StoreError> {
        // A hook at rest spares a look at the server's clock.
        let clock = if self.leased_until == 0 { 0 } else { shared_clock(connection, now)? };
        Ok(is_over(self.leased_until, clock, LEASE) && is_over(self.retry_at, seconds(now), LONGEST_PAUSE))
    }

    /// Tells whether it is time to [`touch`] the row.
    pub fn is_stale(&self, now: OffsetDateTime) -> bool {
        (seconds(now) - self.used_at).abs() >= USED_EVERY.whole_seconds()
    }
}

/// Tells whether a time has come; one further ahead than any that is written was written before the clock was set back.
fn is_over(until: i64, now: i64, longest: Duration) -> bool {
    until <= now || until > now + (longest + TOLERANCE).whole_seconds()
}

/// What a process writes down of a hook that it delivers to.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The number of its lease.
    pub lease: i64,
    /// How far it came.
    pub tail: EventTail,
    /// How often in a row the hook failed.
    pub failures: i64,
    /// When it is called again, if it failed.
    pub retry_at: Option<OffsetDateTime>,
}

/// Makes the row of a hook that is new; one that failed before is called at once, because whoever starts a process may have
/// put right what was wrong.
///
/// # Errors
/// If the database cannot write.
pub fn register(connection: &mut Connection, name: &str, begin: Begin, now: OffsetDateTime) -> Result<(), StoreError> {
    let known = event_cursors::table.find(name);
    let fresh = (event_cursors::failures.eq(0), event_cursors::retry_at.eq(0), event_cursors::used_at.eq(seconds(now)));
    if diesel::update(known).set(fresh).execute(connection)? == 1 {
        return Ok(());
    }
    let tail = match begin {
        Begin::Newest => EventTail::at_newest(connection)?,
        Begin::Oldest => EventTail::at_oldest(),
        Begin::At(tail) => tail,
    };
    let row = (
        event_cursors::name.eq(name),
        event_cursors::position.eq(tail.position()),
        event_cursors::missing.eq(tail.missing()),
        event_cursors::lease.eq(0),
        event_cursors::leased_until.eq(0),
        fresh,
    );
    let row = diesel::insert_into(event_cursors::table).values(row);
    // Another process may have been faster.
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => row.on_conflict_do_nothing().execute(file)?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => row.on_conflict_do_nothing().execute(server)?,
    };
    Ok(())
}

/// Returns how far a hook has come.
///
/// # Errors
/// If the database cannot read.
pub fn find(connection: &mut Connection, name: &str) -> Result<Option<Cursor>, StoreError> {
    Ok(event_cursors::table.find(name).select(Cursor::as_select()).get_result(connection).optional()?)
}

/// Returns the name of each hook, and how often in a row it failed.
///
/// # Errors
/// If the database cannot read.
pub fn failures(connection: &mut Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let hooks = event_cursors::table.order(event_cursors::name.asc());
    Ok(hooks.select((event_cursors::name, event_cursors::failures)).load(connection)?)
}

/// Takes a hook over that was found with this lease, and was free; `false` where another process was faster.
///
/// # Errors
/// If the database cannot write.
pub fn take(connection: &mut Connection, name: &str, found: i64, now: OffsetDateTime) -> Result<bool, StoreError> {
    let until = shared_clock(connection, now)? + LEASE.whole_seconds();
    let unchanged = event_cursors::table.find(name).filter(event_cursors::lease.eq(found));
    let taken = (event_cursors::lease.eq(found + 1), event_cursors::leased_until.eq(until));
    Ok(diesel::update(unchanged).set(taken).execute(connection)? == 1)
}

/// Writes down how far a hook has come, and renews its lease; `false` where another process has taken it over.
///
/// # Errors
/// If the database cannot write.
pub fn renew(
    connection: &mut Connection,
    name: &str,
    progress: &Progress,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let until = shared_clock(connection, now)? + LEASE.whole_seconds();
    write(connection, name, progress, until, now)
}

/// Writes down how far a hook has come, and lets any process go on.
///
/// # Errors
/// If the database cannot write.
pub fn release(
    connection: &mut Connection,
    name: &str,
    progress: &Progress,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    write(connection, name, progress, 0, now)
}

fn write(
    connection: &mut Connection,
    name: &str,
    progress: &Progress,
    leased_until: i64,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let held = event_cursors::table.find(name).filter(event_cursors::lease.eq(progress.lease));
    let row = (
        event_cursors::position.eq(progress.tail.position()),
        event_cursors::missing.eq(progress.tail.missing()),
        event_cursors::leased_until.eq(leased_until),
        event_cursors::failures.eq(progress.failures),
        event_cursors::retry_at.eq(progress.retry_at.map_or(0, seconds)),
        event_cursors::used_at.eq(seconds(now)),
    );
    Ok(diesel::update(held).set(row).execute(connection)? == 1)
}

/// Notes that a process has the hook.
///
/// # Errors
/// If the database cannot write.
pub fn touch(connection: &mut Connection, name: &str, now: OffsetDateTime) -> Result<(), StoreError> {
    let known = event_cursors::table.find(name);
    diesel::update(known).set(event_cursors::used_at.eq(seconds(now))).execute(connection)?;
    Ok(())
}

/// Deletes at most `limit` rows of hooks that no process has had since `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_unused(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(event_cursors as listed);
    let unused = listed
        .filter(listed.field(event_cursors::used_at).lt(seconds(before)))
        .order(listed.field(event_cursors::used_at))
        .select(listed.field(event_cursors::name))
        .limit(limit);
    Ok(diesel::delete(event_cursors::table.filter(event_cursors::name.eq_any(unused))).execute(connection)?)
}
