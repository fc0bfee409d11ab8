//! What other processes on this database changed: the table that triggers write, and a reader that follows it.

mod change;
mod follower;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use diesel::prelude::*;
use time::OffsetDateTime;

pub use change::{Change, News};
pub use follower::Follower;

use super::Connection;
use super::error::StoreError;
use super::schema::changes;
use super::times::seconds;

/// Deletes at most `limit` changes from before `before`; returns how many. Every process has long taken them in.
///
/// # Errors
/// If the database cannot write.
pub fn delete_older(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(changes as listed);
    let old = listed
        .filter(listed.field(changes::changed_at).lt(seconds(before)))
        .order(listed.field(changes::sequence))
        .select(listed.field(changes::sequence))
        .limit(limit);
    Ok(diesel::delete(changes::table.filter(changes::sequence.eq_any(old))).execute(connection)?)
}
