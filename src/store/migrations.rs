//! Migrations: embedded, run at the start, never run backwards.

use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::Connection;
use super::error::StoreError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// What the migrations did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of those that ran, in order; empty where the database was up to date.
    pub applied: Vec<String>,
}

/// Runs what is missing, in one transaction: all of it or nothing, and one process at a time.
pub(super) fn run(connection: &mut Connection) -> Result<MigrationReport, StoreError> {
    connection.immediate_transaction(|connection| {
        let applied = connection.run_pending_migrations(MIGRATIONS).map_err(StoreError::Migration)?;
        Ok(MigrationReport { applied: applied.iter().map(ToString::to_string).collect() })
    })
}

/// Counts what is missing.
pub(super) fn pending(connection: &mut Connection) -> Result<usize, StoreError> {
    if !is_migrated(connection)? {
        return Ok(known()?.len());
    }
    connection.pending_migrations(MIGRATIONS).map(|pending| pending.len()).map_err(StoreError::Migration)
}

/// Refuses a database that has migrations which this program does not know.
pub(super) fn refuse_newer(connection: &mut Connection) -> Result<(), StoreError> {
    if !is_migrated(connection)? {
        return Ok(());
    }
    let known = known()?;
    let applied = connection.applied_migrations().map_err(StoreError::Migration)?;
    match applied.into_iter().find(|version| !known.contains(version)) {
        Some(version) => Err(StoreError::Newer { version: version.to_string() }),
        None => Ok(()),
    }
}

fn known() -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    let migrations = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(StoreError::Migration)?;
    Ok(migrations.iter().map(|migration| migration.name().version().as_owned()).collect())
}

/// Tells whether any migration ever ran here; asking Diesel would make its table.
fn is_migrated(connection: &mut Connection) -> Result<bool, StoreError> {
    use diesel::prelude::*;
    diesel::table! {
        sqlite_master (name) {
            name -> Text,
        }
    }
    let found = sqlite_master::table.filter(sqlite_master::name.eq("__diesel_schema_migrations")).count();
    Ok(found.get_result::<i64>(connection)? > 0)
}
