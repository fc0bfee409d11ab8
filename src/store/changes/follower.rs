//! Follows the table, on a connection of its own.

use super::change::News;
#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;
use crate::store::Connection;
use crate::store::database::Database;
use crate::store::error::StoreError;

/// Follows the table from where it stood when the follower was made.
///
/// It has a connection of its own, so a crowded pool never delays a revocation.
pub struct Follower {
    reader: Reader,
    /// Whoever waits for the end of the database waits for this connection too.
    database: Database,
}

enum Reader {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Reader),
    #[cfg(feature = "postgres")]
    Postgres(Option<postgres::Reader>),
}

impl Reader {
    fn start(database: &Database) -> Result<Self, StoreError> {
        match database.connect()? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => sqlite::Reader::start(connection).map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => postgres::Reader::start(connection).map(Some).map(Self::Postgres),
        }
    }
}

impl Follower {
    /// Starts at the end of the table: whoever follows has nothing yet to forget.
    ///
    /// # Errors
    /// If the database cannot be opened or read.
    pub fn start(database: &Database) -> Result<Self, StoreError> {
        Ok(Self { reader: Reader::start(database)?, database: database.clone() })
    }

    /// Returns what there is to hear, and asks the database only where something calls for it: cheap enough for fifty
    /// times a second.
    ///
    /// # Errors
    /// If the database cannot be read; the next call starts where this one did, or says that anything may have changed.
    pub fn listen(&mut self) -> Result<News, StoreError> {
        self.hear(false)
    }

    /// Asks the database, and returns what changed since it was last asked.
    ///
    /// # Errors
    /// As [`Follower::listen`].
    pub fn catch_up(&mut self) -> Result<News, StoreError> {
        self.hear(true)
    }

    fn hear(&mut self, ask: bool) -> Result<News, StoreError> {
        match (&mut self.reader, ask) {
            #[cfg(feature = "sqlite")]
            (Reader::Sqlite(reader), _) => reader.catch_up(),
            #[cfg(feature = "postgres")]
            (Reader::Postgres(Some(reader)), ask) => {
                let heard = reader.hear(ask);
                if heard.is_err() {
                    // Whatever cut this connection off cut off the others; and it is done with, for its place is lost.
                    self.reader = Reader::Postgres(None);
                    self.database.revalidate_all();
                }
                heard
            }
            #[cfg(feature = "postgres")]
            (Reader::Postgres(None), _) => {
                self.reader = Reader::start(&self.database)?;
                Ok(News::Anything)
            }
        }
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}
