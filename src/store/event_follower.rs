//! Follows the audit trail: every event, once, as it is committed.
//!
//! Writers to a file take turns, so numbers there grow in the order of commits. Transactions of a server commit in any
//! order: an event with a lower number may appear after one with a higher. So each reading begins at a number below which
//! nothing can appear any more, and tells what it has not told before. That number moves to the highest of a reading once
//! every transaction that was under way then is over: an event below it was given its number before that reading.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::BigInt;

use super::Connection;
use super::database::Database;
use super::error::StoreError;
use super::operator::{EventRow, StoredEvent, listed, read_event};
use super::schema::auth_events;
#[cfg(feature = "sqlite")]
use super::sqlite::data_version;

/// Events read in one go.
const PAGE: i64 = 1000;

/// Numbers below the highest at the start among which an event that is under way then may be: no transaction that ends
/// then has been given a number before this many others.
const UNDER_WAY: i64 = 10_000;

/// For how long a number counts as under way at least. A transaction is given its first number and then its own, by which
/// a snapshot knows it, and the processor may be taken from it in between.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Follows the events from where they stood when this was made.
pub struct EventFollower {
    database: Database,
    connection: Option<Connection>,
    /// What a file said the last time: without a commit by anybody it is not read.
    version: Option<i32>,
    /// Nothing at or below this number can appear any more.
    settled: i64,
    /// What was told above it.
    told: BTreeSet<i64>,
    marks: VecDeque<Mark>,
}

/// A reading that is still open.
struct Mark {
    highest: i64,
    /// Transactions of a greater number began after the reading.
    next_transaction: i64,
    at: Duration,
}

impl EventFollower {
    /// Starts after the events that are there.
    ///
    /// # Errors
    /// If the database cannot be opened or read.
    pub fn start(database: &Database) -> Result<Self, StoreError> {
        let mut connection = database.connect()?;
        let highest = highest(&mut connection)?;
        let (settled, told) = match &connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(_) => (highest, BTreeSet::new()),
            #[cfg(feature = "postgres")]
            Connection::Postgres(_) => {
                let settled = (highest - UNDER_WAY).max(0);
                let there = auth_events::table.filter(auth_events::id.gt(settled)).select(auth_events::id);
                (settled, there.load::<i64>(&mut connection)?.into_iter().collect())
            }
        };
        Ok(Self { connection: Some(connection), ..Self::after(database, settled, told) })
    }

    /// Goes on after what was told before, of which these are the last numbers; with none, it begins with the first event
    /// there is.
    ///
    /// Those that were under way when the last of them was told are told as well, if at least the last ten thousand numbers
    /// are among these.
    pub fn resume(database: &Database, told: BTreeSet<i64>) -> Self {
        let settled = match (told.first(), told.last()) {
            (Some(first), Some(last)) => (last - UNDER_WAY).max(first - 1),
            _ => 0,
        };
        Self::after(database, settled, told)
    }

    fn after(database: &Database, settled: i64, told: BTreeSet<i64>) -> Self {
        Self { database: database.clone(), connection: None, version: None, settled, told, marks: VecDeque::new() }
    }

    /// Tells of each event that was committed since the last call, in the order of their numbers.
    ///
    /// Where it fails, the next call goes on after the last event that was told, on a new connection.
    ///
    /// # Errors
    /// Those of the database, and what `tell` returns.
    pub fn catch_up<E: From<StoreError>>(
        &mut self,
        elapsed: Duration,
        tell: impl FnMut(StoredEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect()?,
        };
        self.read(&mut connection, elapsed, tell)?;
        self.connection = Some(connection);
        Ok(())
    }

    fn read<E: From<StoreError>>(
        &mut self,
        connection: &mut Connection,
        elapsed: Duration,
        mut tell: impl FnMut(StoredEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(file) => {
                let version = data_version(file)?;
                if self.version == Some(version) {
                    return Ok(());
                }
                self.version = Some(version);
                None
            }
            // Before the rows are read: what commits in between is read again the next time.
            #[cfg(feature = "postgres")]
            Connection::Postgres(server) => Some(under_way(server)?),
        };
        let mut last = self.settled;
        loop {
            let page = listed().filter(auth_events::id.gt(last)).order(auth_events::id).limit(PAGE);
            let page: Vec<EventRow> = page.load(connection).map_err(|error| self.unread(error))?;
            let Some((highest, ..)) = page.last() else { break };
            last = *highest;
            for row in page {
                let event = read_event(row)?;
                let id = event.id;
                if !self.told.contains(&id) {
                    tell(event)?;
                    self.told.insert(id);
                }
            }
        }
        match now {
            None => self.close(last),
            Some(now) => self.close_what_is_over(now, last, elapsed),
        }
        Ok(())
    }

    /// Has the file read again the next time, whether anybody commits or not.
    fn unread(&mut self, error: diesel::result::Error) -> StoreError {
        self.version = None;
        error.into()
    }

    fn close_what_is_over(&mut self, now: UnderWay, highest: i64, elapsed: Duration) {
        while let Some(mark) = self.marks.front()
            && mark.next_transaction <= now.oldest
            && elapsed.saturating_sub(mark.at) >= SETTLE_TIME
        {
            let highest = mark.highest;
            self.marks.pop_front();
            self.close(highest);
        }
        if highest > self.marks.back().map_or(self.settled, |mark| mark.highest) {
            self.marks.push_back(Mark { highest, next_transaction: now.next, at: elapsed });
        }
    }

    fn close(&mut self, highest: i64) {
        self.settled = highest;
        self.told = self.told.split_off(&(highest + 1));
    }
}

/// The transactions of a server at one moment.
struct UnderWay {
    /// Every one before this is over.
    oldest: i64,
    /// The number of the next one to begin.
    next: i64,
}

#[cfg(feature = "postgres")]
fn under_way(server: &mut PgConnection) -> Result<UnderWay, StoreError> {
    let number =
        |of: &str| diesel::dsl::sql::<BigInt>(&format!("pg_snapshot_{of}(pg_current_snapshot())::text::bigint"));
    let (oldest, next) =
        diesel::select((number("xmin"), number("xmax"))).get_result(server).map_err(StoreError::from)?;
    Ok(UnderWay { oldest, next })
}

fn highest(connection: &mut Connection) -> Result<i64, StoreError> {
    let highest = auth_events::table.select(diesel::dsl::max(auth_events::id)).get_result::<Option<i64>>(connection)?;
    Ok(highest.unwrap_or(0))
}

impl std::fmt::Debug for EventFollower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventFollower")
    }
}
