//! Moments as the columns hold them: Unix seconds.

use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;

/// Reads a column.
pub(super) fn moment(seconds: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| StoreError::Corrupt("a time outside all calendars"))
}

/// Writes a column.
pub(super) fn seconds(moment: OffsetDateTime) -> i64 {
    moment.unix_timestamp()
}

/// Returns what the clock of the database says, in Unix seconds: that of the machine where it is a file.
pub(super) fn database_clock(connection: &mut Connection) -> Result<i64, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => sqlite::clock(file),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => postgres::clock(server),
    }
}

/// Returns what the clock says that all processes on this database share, in Unix seconds: the server's, or, for a file,
/// that of the machine, which is what every process passes in.
pub(super) fn shared_clock(connection: &mut Connection, now: OffsetDateTime) -> Result<i64, StoreError> {
    match (connection, now) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(_), now) => Ok(seconds(now)),
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), _) => postgres::clock(server),
    }
}
