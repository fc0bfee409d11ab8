//! Follows the audit trail: every event, once, as it is committed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Connection;
use super::database::Database;
use super::error::StoreError;
use super::event_tail::EventTail;
use super::operator::StoredEvent;
#[cfg(feature = "sqlite")]
use super::sqlite::data_version;

/// Events read in one go.
const PAGE: i64 = 1000;

/// Follows the events from where they stood when this was made.
pub struct EventFollower {
    database: Database,
    connection: Option<Connection>,
    /// What a file said the last time: without a commit by anybody it is not read.
    version: Option<i32>,
    tail: EventTail,
}

impl EventFollower {
    /// Starts after the events that are there.
    ///
    /// # Errors
    /// If the database cannot be opened or read.
    pub fn start(database: &Database) -> Result<Self, StoreError> {
        let mut connection = database.connect()?;
        let tail = EventTail::at_newest(&mut connection)?;
        Ok(Self { database: database.clone(), connection: Some(connection), version: None, tail })
    }

    /// Goes on after what was told before, as [`EventTail::after`] says.
    pub fn resume(database: &Database, told: &BTreeSet<i64>) -> Self {
        Self { database: database.clone(), connection: None, version: None, tail: EventTail::after(told) }
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
        // Before the rows: what commits in between is read the next time.
        let version = version(connection)?;
        if version.is_some() && version == self.version {
            return Ok(());
        }
        loop {
            let page = self.tail.read(connection, elapsed, PAGE)?;
            if page.is_empty() {
                break;
            }
            for event in page {
                let id = event.id;
                tell(event)?;
                self.tail.told(id);
            }
        }
        // Whatever was not told is read again, whether anybody commits or not.
        self.version = version;
        Ok(())
    }
}

/// Returns what changes with every commit by anybody; a server has nothing of that kind.
fn version(connection: &mut Connection) -> Result<Option<i32>, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => data_version(file).map(Some),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => Ok(None),
    }
}

impl std::fmt::Debug for EventFollower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventFollower")
    }
}
