//! Looks at a database without touching it.

use time::OffsetDateTime;

use super::Connection;
use super::answer::answer_at_start;
use super::connection::Place;
use super::database::Database;
use super::error::StoreError;
use super::migrations;
use super::nodes::{self, Overview};
use super::outbox::{self, Waiting};
use super::postgres::clock;
use super::relocation::refuse_moved;
use super::sqlite::damage;
use super::times::moment;
use super::url::DatabaseUrl;

/// What a look at a database finds, without touching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// There is none yet.
    Missing,
    /// It is sound; holds how many migrations are still to run.
    Sound {
        /// Migrations to run.
        pending: usize,
        /// What the clock of a server says; a file has none.
        clock: Option<OffsetDateTime>,
    },
    /// It is damaged, in SQLite's own words.
    Damaged(String),
}

impl Database {
    /// Refuses a file that is no database, or a database of a newer version, and touches nothing.
    ///
    /// # Errors
    /// If it is there and must not be used; a missing file is fine, a missing server is not.
    pub fn refuse_unusable(url: &DatabaseUrl) -> Result<(), StoreError> {
        let place = Place::from(url);
        answer_at_start(&url.shown(), move || match place.look()? {
            Some(mut connection) => {
                migrations::refuse_newer(&mut connection).map_err(|error| place.unreadable(error))?;
                refuse_moved(&mut connection)
            }
            None => Ok(()),
        })
    }

    /// Looks at a database and changes nothing.
    ///
    /// # Errors
    /// If it cannot be opened, or is of a newer version.
    pub fn inspect(url: &DatabaseUrl) -> Result<Health, StoreError> {
        Self::refuse_unusable(url)?;
        let place = Place::from(url);
        place.check_pooler()?;
        let Some(mut connection) = place.look()? else { return Ok(Health::Missing) };
        let clock = match &mut connection {
            Connection::Sqlite(file) => {
                if let Some(words) = damage(file)? {
                    return Ok(Health::Damaged(words));
                }
                None
            }
            Connection::Postgres(server) => Some(moment(clock(server)?)?),
        };
        Ok(Health::Sound { pending: migrations::pending(&mut connection)?, clock })
    }

    /// Looks at who runs on a database and which key signs there, and changes nothing; `None` where there is none yet, or
    /// one of an older version.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn inspect_nodes(url: &DatabaseUrl) -> Result<Option<Overview>, StoreError> {
        let place = Place::from(url);
        answer_at_start(&url.shown(), move || {
            let Some(mut connection) = place.look()? else { return Ok(None) };
            match migrations::is_current(&mut connection).map_err(|error| place.unreadable(error))? {
                true => nodes::overview(&mut connection).map(Some),
                false => Ok(None),
            }
        })
    }

    /// Looks at the outbox and changes nothing; `None` where there is none yet.
    ///
    /// # Errors
    /// As [`Database::inspect`].
    pub fn inspect_outbox(url: &DatabaseUrl, now: OffsetDateTime) -> Result<Option<Waiting>, StoreError> {
        Self::refuse_unusable(url)?;
        let Some(mut connection) = Place::from(url).look()? else { return Ok(None) };
        if migrations::pending(&mut connection)? > 0 {
            return Ok(None);
        }
        outbox::health(&mut connection, now).map(Some)
    }
}
