//! The locks that processes on one database agree on.

use super::Connection;
use super::error::StoreError;
#[cfg(feature = "postgres")]
use super::postgres::lock;

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
    /// Held by the process that does what is to be done once and not once a process.
    Background = 0x7065_7265_6e6e_0003,
    /// Held while what is over is deleted.
    Sweep = 0x7065_7265_6e6e_0004,
    /// Held while an account is made an administrator's, or ceases to be one.
    Admins = 0x7065_7265_6e6e_0005,
}

impl Lock {
    /// Returns the number, as the server computes it.
    pub(super) fn number(self) -> String {
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
