//! Whether a database takes writes, found out by writing.
//!
//! Nothing else tells: a disk may be full for this user alone, a file system mounted anew for reading, a server made one that
//! follows. A read would succeed in each case.

use std::time::Duration;

use diesel::prelude::*;

use super::Connection;
use super::database::Database;
use super::error::StoreError;
use super::moved::refuse_moved;
use super::schema::sign_in_forms;

/// The key of the row that is written and gone again: the hash of no form.
const PROBE: &[u8] = &[0; 32];

impl Database {
    /// Checks that a write goes through, by one that leaves nothing behind, or by the last such if it is less than a second
    /// old at the running time `elapsed`.
    ///
    /// # Errors
    /// If it does not within two seconds, or the file was moved to a server.
    pub async fn check_writes(&self, elapsed: Duration) -> Result<(), StoreError> {
        if let Some(known) = self.write_probe().known(elapsed) {
            return known;
        }
        let outcome = self.write(probe).await;
        self.write_probe().note(&outcome);
        outcome
    }
}

/// Writes a row and takes it away again. An update that leaves a row as it is would not do: SQLite notices, and writes
/// nothing.
fn probe(connection: &mut Connection) -> Result<(), StoreError> {
    refuse_moved(connection)?;
    let row = (sign_in_forms::form_hash.eq(PROBE), sign_in_forms::session_id.eq(""), sign_in_forms::used_at.eq(0));
    diesel::insert_into(sign_in_forms::table).values(row).execute(connection)?;
    diesel::delete(sign_in_forms::table.find(PROBE)).execute(connection)?;
    Ok(())
}
