//! A transaction that brings its bounds along.

use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::Connection;
use super::bounds::Bounds;
use super::error::StoreError;

/// Begins, commits and rolls back on a connection of either kind.
type Transactions = <Connection as diesel::Connection>::TransactionManager;

/// Runs work in a transaction with bounds on each of its statements; on a file it has none but those of the connection.
///
/// # Errors
/// Those of the work, which is undone then, and `Unavailable` if it cannot be committed.
pub(super) fn bounded<T>(
    connection: &mut Connection,
    bounds: Bounds,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match (&mut *connection, bounds) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(file), _) => AnsiTransactionManager::begin_transaction(file)?,
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), bounds) => {
            AnsiTransactionManager::begin_transaction_sql(server, bounds.of_a_transaction())?;
        }
    }
    let answer = work(connection);
    if answer.is_ok() {
        Transactions::commit_transaction(connection)?;
    } else if let Err(error) = Transactions::rollback_transaction(connection) {
        // The connection is gone, and its transaction with it; what went wrong first says more.
        tracing::debug!(%error, "cannot roll back");
    }
    answer
}
