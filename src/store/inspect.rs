//! Looks at a database without touching it.

use time::OffsetDateTime;

use super::Connection;
use super::answer::answer_at_start;
use super::connection::Place;
use super::database::Database;
use super::error::StoreError;
use super::event_cursors;
use super::migrations;
use super::moved::refuse_moved;
use super::nodes::{self, Overview};
use super::outbox::{self, Waiting};
#[cfg(feature = "postgres")]
use super::postgres::clock;
use super::tables;
#[cfg(feature = "postgres")]
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
    /// It lacks a table or a column of this version, in the words of the database.
    Incomplete(String),
    /// Its file cannot be used; holds why, and what to do about it.
    Unusable(String),
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
        let place = Place::from(url);
        if let Err(fault) = place.check_storage() {
            return Ok(Health::Unusable(fault.to_string()));
        }
        Self::refuse_unusable(url)?;
        if let Some(words) = place.damage()? {
            return Ok(Health::Damaged(words));
        }
        answer_at_start(&url.shown(), move || {
            place.check_pooler()?;
            let Some(mut connection) = place.look()? else { return Ok(Health::Missing) };
            let pending = migrations::pending(&mut connection)?;
            if pending == 0 {
                if let Some(words) = tables::missing(&mut connection)? {
                    return Ok(Health::Incomplete(words));
                }
            } else if !migrations::is_migrated(&mut connection)? && tables::has_users(&mut connection) {
                return Ok(Health::Incomplete(
                    "it has tables, and no record of the migrations that made them".to_owned(),
                ));
            }
            let clock = match &mut connection {
                #[cfg(feature = "sqlite")]
                Connection::Sqlite(_) => None,
                #[cfg(feature = "postgres")]
                Connection::Postgres(server) => Some(moment(clock(server)?)?),
            };
            Ok(Health::Sound { pending, clock })
        })
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
        Self::inspect_with(url, move |connection| outbox::health(connection, now))
    }

    /// Looks at the hooks of the applications on a database, and how often in a row each failed, and changes nothing; `None`
    /// where there is no database yet.
    ///
    /// # Errors
    /// As [`Database::inspect`].
    pub fn inspect_hooks(url: &DatabaseUrl) -> Result<Option<Vec<(String, i64)>>, StoreError> {
        Self::inspect_with(url, event_cursors::failures)
    }

    /// Looks at a database whose migrations are all there.
    fn inspect_with<T: Send + 'static>(
        url: &DatabaseUrl,
        look: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        Self::refuse_unusable(url)?;
        let place = Place::from(url);
        answer_at_start(&url.shown(), move || {
            let Some(mut connection) = place.look()? else { return Ok(None) };
            if migrations::pending(&mut connection)? > 0 {
                return Ok(None);
            }
            look(&mut connection).map(Some)
        })
    }
}
