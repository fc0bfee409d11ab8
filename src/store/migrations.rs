//! Migrations: embedded, run at the start, never run backwards.
//!
//! During an upgrade two versions of the program run on one database, and the older may be started again at any moment.
//! So a change that the older could stumble over takes two releases: **expand, then contract**.
//!
//! 1. The release that needs the change *expands*: it adds what is new (a table, a column that may be empty or has a
//!    default, an index) and leaves everything that the release before reads and writes. It writes both the old and the
//!    new as long as the other may read either.
//! 2. A later release *contracts*: it takes away what no running version uses any more.
//!
//! Each migration after the first says in `tolerated_migrations` who may go on without knowing it: an expansion names the
//! migration before it, a contraction the expansion that it completes. A program refuses a database with a migration that
//! it neither knows nor is tolerated by: that is a newer version than the next, or one that was not made to run beside it.
//!
//! A database that is made anew tolerates nobody: no older process ever ran on it.

use diesel::Connection as _;
use diesel::migration::{Migration, MigrationSource, MigrationVersion, Result as MigrationResult};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;
use super::error::StoreError;
use super::postgres::{Lock, VERSION_BEFORE, lock};
use super::schema::tolerated_migrations;
use super::times::database_clock;

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

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
///
/// Where nothing is missing it asks for no right to change the tables, which a server may keep from this user.
pub(super) fn run(connection: &mut Connection) -> Result<MigrationReport, StoreError> {
    if pending(connection)? == 0 {
        return Ok(MigrationReport { applied: Vec::new() });
    }
    let report = match connection {
        Connection::Sqlite(sqlite) => {
            sqlite.immediate_transaction(|sqlite| report(sqlite.run_pending_migrations(SQLITE)))
        }
        Connection::Postgres(postgres) => postgres.transaction(|postgres| {
            lock(postgres, Lock::Migrations)?;
            report(postgres.run_pending_migrations(POSTGRES))
        }),
    }?;
    if report.applied.iter().any(|version| version == FIRST) {
        // Nobody of the version before has ever seen this database.
        finish_upgrade(connection, true)?;
    }
    Ok(report)
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

/// Refuses a database that has migrations which this program neither knows nor is tolerated by.
pub(super) fn refuse_newer(connection: &mut Connection) -> Result<(), StoreError> {
    let known = known(connection)?;
    let mut unknown: Vec<_> = applied(connection)?.into_iter().filter(|version| !known.contains(version)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let tolerated = tolerated_migrations::table.load::<(String, String)>(connection).unwrap_or_default();
    unknown.retain(|version| {
        let row = tolerated.iter().find(|(tolerated, _)| *tolerated == version.to_string());
        !row.is_some_and(|(_, needed)| known.iter().any(|known| known.to_string() == *needed))
    });
    match unknown.first() {
        Some(version) => Err(StoreError::Newer { version: version.to_string() }),
        None => Ok(()),
    }
}

/// The migration that a new database begins with.
const FIRST: &str = "20261121000001";

/// The migration that this version began with; who does not know it is of the version before. Those that follow only add
/// to it, and whoever may go on beside this one may go on beside them.
const THIS_VERSION: &str = "20261121000003";

/// Tells whether a process of the version before may run beside this one.
pub(super) fn version_before_may_run(connection: &mut Connection) -> Result<bool, StoreError> {
    let row = tolerated_migrations::table.find(THIS_VERSION).count().get_result::<i64>(connection)?;
    Ok(row > 0)
}

/// Tells whether the database is up to date with this version, so that its newest tables are there.
pub(super) fn is_current(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(applied(connection)?.iter().any(|version| version.to_string() == THIS_VERSION))
}

/// How long after its migration an upgrade is taken to be under way: nodes are replaced one by one within minutes, and an
/// operator may want to go back.
const UPGRADE_SECONDS: i64 = 24 * 60 * 60;

/// Shuts the version before out, if `vouched` or the database itself shows that none of its processes runs any more.
pub(super) fn finish_upgrade(connection: &mut Connection, vouched: bool) -> Result<bool, StoreError> {
    if !vouched && (upgrade_age(connection)? < UPGRADE_SECONDS || version_before_is_connected(connection)?) {
        return Ok(false);
    }
    Ok(diesel::delete(tolerated_migrations::table.find(THIS_VERSION)).execute(connection)? > 0)
}

/// Returns for how long this version's migration has been in place, by the database's clock.
fn upgrade_age(connection: &mut Connection) -> Result<i64, StoreError> {
    let run_on = match connection {
        Connection::Sqlite(_) => "CAST(strftime('%s', run_on) AS INTEGER)",
        Connection::Postgres(_) => "extract(epoch FROM run_on AT TIME ZONE current_setting('TimeZone'))::bigint",
    };
    let run_on = diesel::dsl::sql::<diesel::sql_types::BigInt>(run_on);
    let row = __diesel_schema_migrations::table.find(THIS_VERSION).select(run_on);
    Ok(database_clock(connection)? - row.get_result::<i64>(connection)?)
}

/// Tells whether a process of the version before is connected; a file cannot tell.
fn version_before_is_connected(connection: &mut Connection) -> Result<bool, StoreError> {
    let Connection::Postgres(server) = connection else { return Ok(false) };
    let connected = diesel::dsl::sql::<diesel::sql_types::Bool>(&format!(
        "EXISTS (SELECT FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = '{VERSION_BEFORE}')"
    ));
    Ok(diesel::select(connected).get_result(server)?)
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

/// Returns what ran here. Asking Diesel would make its table, or ask for the right to.
fn applied(connection: &mut Connection) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    if !is_migrated(connection)? {
        return Ok(Vec::new());
    }
    let versions = __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
    Ok(versions.load::<String>(connection)?.into_iter().map(MigrationVersion::from).collect())
}

/// Tells whether any migration ever ran here.
pub(super) fn is_migrated(connection: &mut Connection) -> Result<bool, StoreError> {
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
