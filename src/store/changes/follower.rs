//! Follows the table, on a connection of its own.

use super::change::News;
use super::{postgres, sqlite};
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
    Sqlite(sqlite::Reader),
    Postgres(Option<postgres::Reader>),
}

impl Reader {
    fn start(database: &Database) -> Result<Self, StoreError> {
        match database.connect()? {
            Connection::Sqlite(connection) => sqlite::Reader::start(connection).map(Self::Sqlite),
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
        let heard = match &mut self.reader {
            Reader::Sqlite(reader) => return reader.catch_up(),
            Reader::Postgres(Some(reader)) => reader.hear(ask),
            Reader::Postgres(None) => {
                self.reader = Reader::start(&self.database)?;
                return Ok(News::Anything);
            }
        };
        if heard.is_err() {
            // Whatever cut this connection off cut off the others; and it is done with, for its place is lost.
            self.reader = Reader::Postgres(None);
            self.database.revalidate_all();
        }
        heard
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}
