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
//!
//! What ran is noted in a table of Perennial's own; `migration_record` says why not in Diesel's.

use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, BoxableConnection, TransactionManager};
use diesel::migration::{Migration, MigrationSource, Result as MigrationResult};
#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
#[cfg(feature = "sqlite")]
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::Connection;
use super::error::StoreError;
use super::locks::{Lock, take_turns};
use super::migration_record::{self as record, Record, perennial_migrations};
#[cfg(feature = "postgres")]
use super::postgres::{VERSION_BEFORE, pin_functions};
use super::schema::tolerated_migrations;
use super::times::database_clock;

#[cfg(feature = "sqlite")]
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The same, by the same names.
#[cfg(feature = "postgres")]
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// What the migrations did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of those that ran, in order; empty where the database was up to date.
    pub applied: Vec<String>,
}

/// Begins, commits and rolls back on a connection of either kind.
type Transactions = <Connection as diesel::Connection>::TransactionManager;

/// Runs what is missing, in one transaction: all of it or nothing, and one process at a time.
///
/// Where nothing is missing it asks for no right to change the tables, which a server may keep from this user.
pub(super) fn run(connection: &mut Connection) -> Result<MigrationReport, StoreError> {
    if is_settled(connection)? {
        return Ok(MigrationReport { applied: Vec::new() });
    }
    begin(connection)?;
    let report = run_missing(connection);
    if report.is_ok() {
        Transactions::commit_transaction(connection)?;
    } else if let Err(error) = Transactions::rollback_transaction(connection) {
        // The connection is gone, and its transaction with it; what went wrong first says more.
        tracing::debug!(%error, "cannot roll back");
    }
    let report = report?;
    if report.applied.iter().any(|version| version == FIRST) {
        // Nobody of the version before has ever seen this database.
        finish_upgrade(connection, true)?;
    }
    Ok(report)
}

/// Begins a transaction that no other process migrates beside.
fn begin(connection: &mut Connection) -> Result<(), StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => AnsiTransactionManager::begin_transaction_sql(file, "BEGIN IMMEDIATE")?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => AnsiTransactionManager::begin_transaction(server)?,
    }
    take_turns(connection, Lock::Migrations)
}

fn run_missing(connection: &mut Connection) -> Result<MigrationReport, StoreError> {
    let known = known(connection)?;
    // Another process may have been faster.
    let there = applied(connection)?;
    record::prepare(connection, &known)?;
    let also_in_diesels = record::is_shared(connection)?;
    let missing = known.into_iter().filter(|version| !there.contains(version)).collect::<Vec<_>>();
    for version in &missing {
        match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(file) => apply(&SQLITE, version, file)?,
            #[cfg(feature = "postgres")]
            Connection::Postgres(server) => apply(&POSTGRES, version, server)?,
        }
        record::note(connection, version, also_in_diesels)?;
    }
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => pin_functions(server)?,
    }
    Ok(MigrationReport { applied: missing })
}

fn apply<B: Backend + 'static>(
    migrations: &EmbeddedMigrations,
    version: &str,
    connection: &mut dyn BoxableConnection<B>,
) -> Result<(), StoreError> {
    let all: Vec<Box<dyn Migration<B>>> = migrations.migrations().map_err(StoreError::Migration)?;
    let migration = all.iter().find(|migration| migration.name().version().to_string() == version);
    migration.map_or(Ok(()), |migration| migration.run(connection)).map_err(StoreError::Migration)
}

/// Tells whether there is nothing to run and nothing to carry over.
pub(super) fn is_settled(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(record::of(connection)? == Record::Own && pending(connection)? == 0)
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
        let row = tolerated.iter().find(|(tolerated, _)| tolerated == version);
        !row.is_some_and(|(_, needed)| known.contains(needed))
    });
    match unknown.into_iter().next() {
        Some(version) => Err(StoreError::Newer { version }),
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
    Ok(applied(connection)?.iter().any(|version| version == THIS_VERSION))
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
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => "CAST(strftime('%s', run_on) AS INTEGER)",
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => "extract(epoch FROM run_on AT TIME ZONE current_setting('TimeZone'))::bigint",
    };
    let run_on = diesel::dsl::sql::<diesel::sql_types::BigInt>(run_on);
    let row = perennial_migrations::table.find(THIS_VERSION).select(run_on);
    Ok(database_clock(connection)? - row.get_result::<i64>(connection)?)
}

/// Tells whether a process of the version before is connected; a file cannot tell.
fn version_before_is_connected(connection: &mut Connection) -> Result<bool, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => Ok(false),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => {
            let connected = diesel::dsl::sql::<diesel::sql_types::Bool>(&format!(
                "EXISTS (SELECT FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = '{VERSION_BEFORE}')"
            ));
            Ok(diesel::select(connected).get_result(server)?)
        }
    }
}

fn known(connection: &Connection) -> Result<Vec<String>, StoreError> {
    fn versions<B: Backend>(
        migrations: MigrationResult<Vec<Box<dyn Migration<B>>>>,
    ) -> Result<Vec<String>, StoreError> {
        let migrations = migrations.map_err(StoreError::Migration)?;
        let mut versions: Vec<_> = migrations.iter().map(|migration| migration.name().version().to_string()).collect();
        versions.sort_unstable();
        Ok(versions)
    }
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => versions(MigrationSource::<Sqlite>::migrations(&SQLITE)),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => versions(MigrationSource::<Pg>::migrations(&POSTGRES)),
    }
}

/// Returns the versions of what ran here.
fn applied(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let known = known(connection)?;
    record::applied(connection, &known)
}

/// Tells whether any migration ever ran here.
pub(super) fn is_migrated(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(record::of(connection)? != Record::Missing)
}
