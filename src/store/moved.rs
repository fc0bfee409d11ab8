//! Whether a file was moved to a server.

#[cfg(feature = "sqlite")]
use diesel::prelude::*;

use super::Connection;
use super::error::StoreError;

/// Refuses a file that was moved: what it holds is old.
pub(super) fn refuse_moved(connection: &mut Connection) -> Result<(), StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => {
            diesel::table! {
                sqlite_master (name) {
                    name -> Text,
                }
            }
            let seals = sqlite_master::table.filter(sqlite_master::name.like("moved\\_%").escape('\\')).count();
            if seals.get_result::<i64>(file)? > 0 { Err(StoreError::Moved) } else { Ok(()) }
        }
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => Ok(()),
    }
}
