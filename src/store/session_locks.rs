//! Locks on the rows of sign-ins, all taken in one order.
//!
//! A transaction locks what decides about administrators, then the rows of users in the order of their numbers, then the rows
//! of sign-ins in the order of their ids. [`touch`](super::sessions::touch) locks the sign-ins of many users in that order,
//! and two transactions that lock several rows in different orders would wait for each other until the server ends one.

#[cfg(feature = "postgres")]
use diesel::dsl::sql;
#[cfg(feature = "postgres")]
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::Text;

use super::Connection;
use super::error::StoreError;
#[cfg(feature = "postgres")]
use super::schema::sessions;
use super::sessions::{find, lock};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;

/// Ids as bytes, as they are sorted outside the database: a server sorts texts by the rules of its language.
#[cfg(feature = "postgres")]
const BYTEWISE: &str = "id COLLATE \"C\"";

/// Which rows a request may change besides that of its own sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// None.
    Own,
    /// That of one other sign-in.
    One(SessionId),
    /// All of a user.
    AllOf(UserId),
}

/// Locks the row of a sign-in and all that are within reach, in the order of their ids, until the transaction ends; returns
/// the one of the sign-in. Call it once the users are locked, so that no other row is added.
///
/// # Errors
/// If the database has no answer.
pub fn lock_in_order(connection: &mut Connection, own: SessionId, reach: Reach) -> Result<Option<Session>, StoreError> {
    match (&mut *connection, reach) {
        (_, Reach::Own) => return lock(connection, own),
        // The writer's transaction holds the lock on all of the file already.
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(_), _) => {}
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), Reach::One(other)) => {
            let both = sessions::table.filter(sessions::id.eq_any([own.to_string(), other.to_string()]));
            both.order(sql::<Text>(BYTEWISE)).select(sessions::id).for_no_key_update().load::<String>(server)?;
        }
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), Reach::AllOf(user)) => {
            let all = sessions::table.filter(sessions::id.eq(own.to_string()).or(sessions::user_id.eq(user.0)));
            all.order(sql::<Text>(BYTEWISE)).select(sessions::id).for_no_key_update().load::<String>(server)?;
        }
    }
    find(connection, own)
}

/// Locks every sign-in of some users, in the order of their ids, until the transaction ends.
///
/// # Errors
/// If the database has no answer.
pub fn lock_all_of(connection: &mut Connection, users: &[UserId]) -> Result<(), StoreError> {
    match (connection, users) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(_), _) => {}
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), users) => {
            let owners: Vec<i64> = users.iter().map(|user| user.0).collect();
            let all = sessions::table.filter(sessions::user_id.eq_any(owners));
            all.order(sql::<Text>(BYTEWISE)).select(sessions::id).for_no_key_update().load::<String>(server)?;
        }
    }
    Ok(())
}
