//! Whether the tables are those of this version: each with each of its columns, and whether their names are free.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Connection;
use super::error::StoreError;
use super::schema;

macro_rules! tables {
    ($($table:ident)*) => {
        /// The names of the tables that the migrations make.
        const NAMES: &[&str] = &[$(stringify!($table)),*];

        /// Asks for every column of every table and for no row; a database refuses what it does not have before it looks
        /// for rows.
        fn ask(connection: &mut Connection) -> Result<(), StoreError> {
            $(
                let columns = schema::$table::table.select(schema::$table::all_columns);
                columns.filter(sql::<Bool>("1 = 0")).execute(connection)?;
            )*
            Ok(())
        }
    };
}

tables!(
    auth_events auth_tokens changes daily_counts dropped_keys event_cursors kept_forms mail_limits nodes notice_links
    outbox pending_registrations peppers retention_clock sessions sign_in_forms signing_key throttle_counters tolerated_migrations users
);

/// Returns what is missing, in the words of the database.
///
/// # Errors
/// If the database has no answer.
pub(super) fn missing(connection: &mut Connection) -> Result<Option<String>, StoreError> {
    match ask(connection) {
        Ok(()) => Ok(None),
        Err(StoreError::Query(words)) => Ok(Some(words.to_string())),
        Err(error) => Err(error),
    }
}

/// Tells whether there is a table of this name.
///
/// # Errors
/// If the database has no answer.
pub(super) fn exists(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => is_in_file(file, name),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => is_on_server(server, name, "to_regclass(quote_ident("),
    }
}

/// Tells whether there is a table where one of ours by this name would be made: on a server, one in another schema is in
/// nobody's way.
fn is_taken(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => is_in_file(file, name),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => {
            is_on_server(server, name, "to_regclass(quote_ident(current_schema()) || '.' || quote_ident(")
        }
    }
}

#[cfg(feature = "sqlite")]
fn is_in_file(file: &mut SqliteConnection, name: &str) -> Result<bool, StoreError> {
    diesel::table! {
        sqlite_master (name) {
            name -> Text,
        }
    }
    let found = sqlite_master::table.filter(sqlite_master::name.eq(name)).count();
    Ok(found.get_result::<i64>(file)? > 0)
}

/// Looks for a table as an expression says that ends before its name.
#[cfg(feature = "postgres")]
fn is_on_server(server: &mut PgConnection, name: &str, expression: &str) -> Result<bool, StoreError> {
    let there = sql::<Bool>(expression).bind::<diesel::sql_types::Text, _>(name).sql(")) IS NOT NULL");
    Ok(diesel::select(there).get_result(server)?)
}

/// Refuses a database with tables that are not ours and have the names of ours.
///
/// # Errors
/// Those names.
pub(super) fn refuse_taken(connection: &mut Connection) -> Result<(), StoreError> {
    let mut taken = Vec::new();
    for name in NAMES {
        if is_taken(connection, name)? {
            taken.push(*name);
        }
    }
    if taken.is_empty() { Ok(()) } else { Err(StoreError::NamesTaken { names: taken.join(", ") }) }
}

/// Tells whether there is a table of accounts, as there is after the first migration.
pub(super) fn has_users(connection: &mut Connection) -> bool {
    schema::users::table.select(schema::users::id).filter(sql::<Bool>("1 = 0")).execute(connection).is_ok()
}
