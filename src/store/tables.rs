//! Whether the tables are those of this version: each with each of its columns.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Connection;
use super::error::StoreError;
use super::schema;

/// Asks for every column of every table and for no row; a database refuses what it does not have before it looks for rows.
macro_rules! ask_for_each {
    ($connection:ident: $($table:ident)*) => {
        $(
            let columns = schema::$table::table.select(schema::$table::all_columns);
            columns.filter(sql::<Bool>("1 = 0")).execute($connection)?;
        )*
    };
}

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

fn ask(connection: &mut Connection) -> Result<(), StoreError> {
    ask_for_each!(connection:
        auth_events auth_tokens changes dropped_keys kept_forms mail_limits nodes notice_links outbox pending_registrations
        peppers retention_clock sessions sign_in_forms signing_key throttle_counters tolerated_migrations users
    );
    Ok(())
}

/// Tells whether there is a table of accounts, as there is after the first migration.
pub(super) fn has_users(connection: &mut Connection) -> bool {
    schema::users::table.select(schema::users::id).filter(sql::<Bool>("1 = 0")).execute(connection).is_ok()
}
