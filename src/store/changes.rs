//! What other processes on this database changed: the table that triggers write, and a reader that follows it.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::Connection;
use super::database::{Database, data_version};
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

/// Changes read in one go at most; the rest comes with the next.
const PAGE: i64 = 1000;

/// Follows the table from where it stood when the follower was made.
///
/// It has a connection of its own, so a crowded pool never delays a revocation.
pub struct Follower {
    connection: Connection,
    version: Option<i32>,
    last: i64,
    /// Whoever waits for the end of the database waits for this connection too.
    _database: Database,
}

impl Follower {
    /// Starts at the end of the table: whoever follows has nothing yet to forget.
    ///
    /// # Errors
    /// If the database cannot be opened or read.
    pub fn start(database: &Database) -> Result<Self, StoreError> {
        let mut connection = database.connect()?;
        let last = changes::table.select(diesel::dsl::max(changes::sequence)).first::<Option<i64>>(&mut connection)?;
        Ok(Self { connection, version: None, last: last.unwrap_or(0), _database: database.clone() })
    }

    /// Returns what changed since the last call; without a change anywhere in the database, it asks for nothing.
    ///
    /// # Errors
    /// If the database cannot be read; the next call starts where this one did.
    pub fn catch_up(&mut self) -> Result<Vec<Change>, StoreError> {
        let version = data_version(&mut self.connection)?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        let (mut found, mut last) = (Vec::new(), self.last);
        loop {
            let page = changes::table
                .filter(changes::sequence.gt(last))
                .order(changes::sequence)
                .limit(PAGE)
                .select((changes::sequence, changes::subject, changes::subject_id))
                .load::<(i64, String, String)>(&mut self.connection)?;
            found.extend(page.iter().filter_map(|(_, subject, id)| read(subject, id)));
            match page.last() {
                Some((sequence, ..)) => last = *sequence,
                None => break,
            }
        }
        (self.version, self.last) = (Some(version), last);
        Ok(found)
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
