//! The locks that processes on one database agree on.

#[cfg(feature = "postgres")]
use diesel::connection::SimpleConnection;
#[cfg(feature = "postgres")]
use diesel::prelude::*;

use super::Connection;
use super::error::StoreError;

/// The locks that processes on one server agree on; any number will do, as long as no other program takes it.
///
/// They belong to a database, so a schema other than `public` makes other numbers of them: whoever has one of its own is on
/// its own.
#[derive(Debug, Clone, Copy)]
#[repr(i64)]
pub(super) enum Lock {
    /// Held while migrations run.
    Migrations = 0x7065_7265_6e6e_0001,
    /// Held while the first rows of all are made: the first user, the pepper.
    FirstRows = 0x7065_7265_6e6e_0002,
    /// Held by the process that does what is to be done once, and not once per process.
    Background = 0x7065_7265_6e6e_0003,
    /// Held while what is over is deleted.
    Sweep = 0x7065_7265_6e6e_0004,
    /// Held while an account is made an administrator's, or ceases to be one.
    Admins = 0x7065_7265_6e6e_0005,
}

impl Lock {
    /// Returns the number, as the server computes it.
    fn number(self) -> String {
        format!(
            "{} # CASE coalesce(current_schema(), 'public') WHEN 'public' THEN 0 \
             ELSE hashtext(current_schema())::bigint << 16 END",
            self as i64
        )
    }
}

/// Waits for a lock of a server and holds it to the end of the transaction. Writes to a file take turns as it is.
///
/// # Errors
/// If the database has no answer.
pub(super) fn take_turns(connection: &mut Connection, turn: Lock) -> Result<(), StoreError> {
    match (connection, turn) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(_), _) => Ok(()),
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), turn) => lock(server, turn),
    }
}

/// Waits for a lock and holds it to the end of the transaction.
#[cfg(feature = "postgres")]
pub(super) fn lock(connection: &mut PgConnection, lock: Lock) -> Result<(), StoreError> {
    Ok(connection.batch_execute(&format!("SELECT pg_advisory_xact_lock({})", lock.number()))?)
}

/// Takes a lock for as long as the connection lives, unless another has it; returns whether it did.
#[cfg(feature = "postgres")]
pub(super) fn try_lock(connection: &mut PgConnection, lock: Lock) -> Result<bool, StoreError> {
    let taken = diesel::dsl::sql::<diesel::sql_types::Bool>(&format!("pg_try_advisory_lock({})", lock.number()));
    Ok(diesel::select(taken).get_result(connection)?)
}

/// Gives back every lock of a connection, however often it was taken.
#[cfg(feature = "postgres")]
pub(super) fn unlock_all(connection: &mut PgConnection) -> Result<(), StoreError> {
    Ok(connection.batch_execute("SELECT pg_advisory_unlock_all()")?)
}
