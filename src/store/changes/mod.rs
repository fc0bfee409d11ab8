//! What other processes on this database changed: the table that triggers write, and a reader that follows it.

mod postgres;
mod sqlite;

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::database::Database;
use super::error::StoreError;
use super::schema::changes;
use super::times::seconds;
use crate::domain::id::{SessionId, UserId};

/// Something that a process must forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A user's name, address, role or activity changed.
    User(UserId),
    /// A sign-in ended, or its end moved.
    Session(SessionId),
}

/// What a follower has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// These changes, and no others, since it was last asked; none is an answer too.
    Changes(Vec<Change>),
    /// The connection was lost and is there again: there is no telling what changed meanwhile.
    Anything,
    /// Nothing was asked of the database, because nothing called for it.
    Silence,
}

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
    pub fn listen(&mut self) -> Result<Heard, StoreError> {
        self.hear(false)
    }

    /// Asks the database, and returns what changed since it was last asked.
    ///
    /// # Errors
    /// As [`Follower::listen`].
    pub fn catch_up(&mut self) -> Result<Heard, StoreError> {
        self.hear(true)
    }

    fn hear(&mut self, ask: bool) -> Result<Heard, StoreError> {
        let heard = match &mut self.reader {
            Reader::Sqlite(reader) => return reader.catch_up().map(Heard::Changes),
            Reader::Postgres(Some(reader)) => reader.hear(ask),
            Reader::Postgres(None) => {
                self.reader = Reader::start(&self.database)?;
                return Ok(Heard::Anything);
            }
        };
        if heard.is_err() {
            // Whatever cut this connection off cut off the others; and it is done with, for its place is lost.
            self.reader = Reader::Postgres(None);
            self.database.doubt();
        }
        heard
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}

/// Deletes at most `limit` changes from before `before`; returns how many. Every process has long taken them in.
///
/// # Errors
/// If the database cannot write.
pub fn delete_older(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(changes as listed);
    let old = listed
        .filter(listed.field(changes::changed_at).lt(seconds(before)))
        .order(listed.field(changes::sequence))
        .select(listed.field(changes::sequence))
        .limit(limit);
    Ok(diesel::delete(changes::table.filter(changes::sequence.eq_any(old))).execute(connection)?)
}

fn read(subject: &str, id: &str) -> Option<Change> {
    match subject {
        "user" => id.parse().ok().map(Change::User),
        _ => id.parse().ok().map(Change::Session),
    }
}
