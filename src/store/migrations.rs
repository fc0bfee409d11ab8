//! Migrations: embedded, run at the start, never run backwards.

use diesel::Connection as _;
use diesel::migration::{Migration, MigrationSource, MigrationVersion, Result as MigrationResult};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;
use super::error::StoreError;
use super::postgres::{Lock, lock};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The same, by the same names.
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// What the migrations did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of those that ran, in order; empty where the database was up to date.
    pub applied: Vec<String>,
}

/// Runs what is missing, in one transaction: all of it or nothing, and one process at a time.
pub(super) fn run(connection: &mut Connection) -> Result<MigrationReport, StoreError> {
    match connection {
        Connection::Sqlite(sqlite) => {
            sqlite.immediate_transaction(|sqlite| report(sqlite.run_pending_migrations(SQLITE)))
        }
        Connection::Postgres(postgres) => postgres.transaction(|postgres| {
            lock(postgres, Lock::Migrations)?;
            report(postgres.run_pending_migrations(POSTGRES))
        }),
    }
}

fn report(applied: MigrationResult<Vec<MigrationVersion<'_>>>) -> Result<MigrationReport, StoreError> {
    let applied = applied.map_err(StoreError::Migration)?;
    Ok(MigrationReport { applied: applied.iter().map(ToString::to_string).collect() })
}

/// Counts what is missing.
pub(super) fn pending(connection: &mut Connection) -> Result<usize, StoreError> {
    let applied = applied(connection)?;
    Ok(known(connection)?.iter().filter(|version| !applied.contains(version)).count())
}

/// Refuses a database that has migrations which this program does not know.
pub(super) fn refuse_newer(connection: &mut Connection) -> Result<(), StoreError> {
    let known = known(connection)?;
    match applied(connection)?.into_iter().find(|version| !known.contains(version)) {
        Some(version) => Err(StoreError::Newer { version: version.to_string() }),
        None => Ok(()),
    }
}

fn known(connection: &Connection) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    fn versions<B: diesel::backend::Backend>(
        migrations: MigrationResult<Vec<Box<dyn Migration<B>>>>,
    ) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
        let migrations = migrations.map_err(StoreError::Migration)?;
        Ok(migrations.iter().map(|migration| migration.name().version().as_owned()).collect())
    }
    match connection {
        Connection::Sqlite(_) => versions(MigrationSource::<Sqlite>::migrations(&SQLITE)),
        Connection::Postgres(_) => versions(MigrationSource::<Pg>::migrations(&POSTGRES)),
    }
}

fn applied(connection: &mut Connection) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    if !is_migrated(connection)? {
        return Ok(Vec::new());
    }
    let applied = match connection {
        Connection::Sqlite(sqlite) => sqlite.applied_migrations(),
        Connection::Postgres(postgres) => postgres.applied_migrations(),
    };
    applied.map_err(StoreError::Migration)
}

/// Tells whether any migration ever ran here; asking Diesel would make its table.
fn is_migrated(connection: &mut Connection) -> Result<bool, StoreError> {
    diesel::table! {
        sqlite_master (name) {
            name -> Text,
        }
    }
    Ok(match connection {
        Connection::Sqlite(sqlite) => {
            let found = sqlite_master::table.filter(sqlite_master::name.eq("__diesel_schema_migrations")).count();
            found.get_result::<i64>(sqlite)? > 0
        }
        Connection::Postgres(postgres) => {
            let there =
                diesel::dsl::sql::<diesel::sql_types::Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
            diesel::select(there).get_result(postgres)?
        }
    })
}
