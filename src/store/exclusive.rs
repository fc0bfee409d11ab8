//! Work that is done once for all processes on one database, and the lock that says by whom.

#[cfg(not(feature = "postgres"))]
use std::convert::Infallible;

use super::Connection;
use super::database::Database;
use super::error::StoreError;
use super::locks::Lock;
#[cfg(feature = "postgres")]
use super::locks::{try_lock, unlock_all};

impl Database {
    /// Takes the lock on work that is done once for all processes; `None` where another process holds it.
    ///
    /// Processes on one file share one machine, and what they do twice costs little there: each gets the lock.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub fn try_exclusive(&self, work: Exclusive) -> Result<Option<AdvisoryLock>, StoreError> {
        let lock = match work {
            Exclusive::Background => Lock::Background,
            Exclusive::Sweep => Lock::Sweep,
        };
        match (self.connect()?, lock) {
            #[cfg(feature = "sqlite")]
            (Connection::Sqlite(_), _) => Ok(Some(AdvisoryLock(None))),
            #[cfg(feature = "postgres")]
            (Connection::Postgres(mut connection), lock) => {
                Ok(try_lock(&mut connection, lock)?.then(|| AdvisoryLock(Some((connection, lock)))))
            }
        }
    }
}

/// Work that is done once for all processes on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusive {
    /// What runs beside the requests, for as long as the process lives.
    Background,
    /// One pass of deleting what is over, by a process or by hand.
    Sweep,
}

/// A lock that this process holds as long as it keeps this and the server does not drop the connection.
pub struct AdvisoryLock(Option<Held>);

/// A lock of a server, and the connection that holds it.
#[cfg(feature = "postgres")]
type Held = (diesel::PgConnection, Lock);

/// Nobody holds a lock where there is no server.
#[cfg(not(feature = "postgres"))]
type Held = Infallible;

impl AdvisoryLock {
    /// Asks the server whether this process still has it.
    pub fn holds(&mut self) -> bool {
        match &mut self.0 {
            None => true,
            #[cfg(not(feature = "postgres"))]
            Some(never) => match *never {},
            // Taking it once more is how to ask; a connection that was cut off has lost it.
            #[cfg(feature = "postgres")]
            Some((connection, lock)) => try_lock(connection, *lock).unwrap_or(false),
        }
    }
}

#[cfg(feature = "postgres")]
impl Drop for AdvisoryLock {
    /// A server notices late that a connection is gone: whoever asks next would be told that the lock is taken.
    fn drop(&mut self) {
        if let Some((connection, _)) = &mut self.0
            && let Err(error) = unlock_all(connection)
        {
            tracing::debug!(%error, "the lock goes with its connection");
        }
    }
}

impl std::fmt::Debug for AdvisoryLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdvisoryLock")
    }
}
