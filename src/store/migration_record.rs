//! Which migrations ran on a database, as the table `perennial_migrations` notes them.
//!
//! Not in Diesel's own table, `__diesel_schema_migrations`: that is the one of an application that has its migrations in
//! the same database, and each would take the other's for those of a newer version.
//!
//! The releases up to 0.1 did use Diesel's. Such a database is carried over by the first start: what ran is copied, and
//! nothing is taken away. As long as a process of such a release may still be started on it, what runs from then on is
//! noted in both; a later release takes ours out of Diesel's table.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::Connection;
use super::error::StoreError;
use super::tables;

diesel::table! {
    perennial_migrations (version) {
        version -> Text,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

/// The table of this program.
const OWN: &str = "perennial_migrations";

/// The table that Diesel would use.
const DIESELS: &str = "__diesel_schema_migrations";

/// The migration that every database begins with. Beside Diesel's record of it there must be [`BESIDE`]: an application may
/// have a migration of the same second.
const FIRST: &str = "20261121000001";

/// A table that the first migration makes, and hardly anybody else.
const BESIDE: &str = "tolerated_migrations";

/// Makes the table, with the columns of Diesel's: `run_on` in UTC, by the database's clock.
const MAKE: &str = include_str!("migration_record.sql");

/// Where it is noted which migrations ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// Nowhere: none ever ran.
    Missing,
    /// In Diesel's table, by a release up to 0.1.
    Diesels,
    /// In the table of this program.
    Own,
}

/// Finds the record of a database, and asks for no right to make one.
pub(super) fn of(connection: &mut Connection) -> Result<Record, StoreError> {
    if tables::exists(connection, OWN)? {
        Ok(Record::Own)
    } else if tables::exists(connection, BESIDE)? && is_shared(connection)? {
        Ok(Record::Diesels)
    } else {
        Ok(Record::Missing)
    }
}

/// Returns the versions of what ran here, among them those that this program does not know. In Diesel's table those are
/// an application's.
pub(super) fn applied(connection: &mut Connection, known: &[String]) -> Result<Vec<String>, StoreError> {
    Ok(match of(connection)? {
        Record::Missing => Vec::new(),
        Record::Own => perennial_migrations::table.select(perennial_migrations::version).load(connection)?,
        Record::Diesels => {
            let versions = __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
            versions.filter(__diesel_schema_migrations::version.eq_any(known)).load(connection)?
        }
    })
}

/// Makes the record where there is none, with what a release up to 0.1 noted; in the transaction of the migrations.
///
/// # Errors
/// If the database has tables of other programs by the names of ours.
pub(super) fn prepare(connection: &mut Connection, known: &[String]) -> Result<(), StoreError> {
    match of(connection)? {
        Record::Own => return Ok(()),
        Record::Missing => tables::refuse_taken(connection)?,
        Record::Diesels => {}
    }
    let carried_over = applied(connection, known)?;
    connection.batch_execute(MAKE)?;
    for version in carried_over {
        // Its time comes along: an upgrade that is under way is over a day after it.
        diesel::sql_query(format!(
            "INSERT INTO {OWN} (version, run_on) SELECT version, run_on FROM {DIESELS} WHERE version = '{version}'"
        ))
        .execute(connection)?;
    }
    Ok(())
}

/// Tells whether a release up to 0.1 noted its migrations in Diesel's table, and so may look there again.
pub(super) fn is_shared(connection: &mut Connection) -> Result<bool, StoreError> {
    if !tables::exists(connection, DIESELS)? {
        return Ok(false);
    }
    let first = __diesel_schema_migrations::table.find(FIRST).count().get_result::<i64>(connection)?;
    Ok(first > 0)
}

/// Notes that a migration ran, where a release up to 0.1 may look for it too.
pub(super) fn note(connection: &mut Connection, version: &str, also_in_diesels: bool) -> Result<(), StoreError> {
    diesel::insert_into(perennial_migrations::table)
        .values(perennial_migrations::version.eq(version))
        .execute(connection)?;
    if also_in_diesels {
        let there = __diesel_schema_migrations::table.find(version).count().get_result::<i64>(connection)? > 0;
        if !there {
            diesel::insert_into(__diesel_schema_migrations::table)
                .values(__diesel_schema_migrations::version.eq(version))
                .execute(connection)?;
        }
    }
    Ok(())
}
