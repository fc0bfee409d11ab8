//! The audit trail of all users.

use diesel::prelude::*;
use time::OffsetDateTime;

use crate::domain::id::UserId;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::{auth_events, users};
use crate::store::times::moment;

/// An audit event as the table holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its number; a later event has a greater one, as a rule.
    pub id: i64,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// The address of that account now.
    pub email: Option<String>,
    /// The name of its kind.
    pub kind: String,
    /// The particulars.
    pub details: serde_json::Value,
    /// When it happened.
    pub at: OffsetDateTime,
}

/// The columns of [`listed`].
pub(in crate::store) type EventRow = (i64, Option<i64>, Option<String>, String, String, i64);

/// Returns the query for events, each with the address of its user.
#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn listed() -> _ {
    auth_events::table.left_join(users::table).select((
        auth_events::id,
        auth_events::user_id,
        users::email.nullable(),
        auth_events::event_type,
        auth_events::details,
        auth_events::created_at,
    ))
}

/// Reads a row; particulars that are no JSON are a text.
pub(in crate::store) fn read_event(row: EventRow) -> Result<StoredEvent, StoreError> {
    let (id, user, email, kind, details, at) = row;
    let details = serde_json::from_str(&details).unwrap_or(serde_json::Value::String(details));
    Ok(StoredEvent { id, user: user.map(UserId), email, kind, details, at: moment(at)? })
}

/// Returns at most `limit` events, newest first: those of one user and of one kind, where these are given.
///
/// # Errors
/// If the database cannot read.
pub fn list_events(
    connection: &mut Connection,
    user: Option<UserId>,
    kind: Option<&str>,
    limit: i64,
) -> Result<Vec<StoredEvent>, StoreError> {
    let newest = listed().order(auth_events::id.desc()).limit(limit);
    let rows: Vec<EventRow> = match (user, kind) {
        (None, None) => newest.load(connection)?,
        (Some(user), None) => newest.filter(auth_events::user_id.eq(user.0)).load(connection)?,
        (None, Some(kind)) => newest.filter(auth_events::event_type.eq(kind)).load(connection)?,
        (Some(user), Some(kind)) => {
            newest.filter(auth_events::user_id.eq(user.0)).filter(auth_events::event_type.eq(kind)).load(connection)?
        }
    };
    rows.into_iter().map(read_event).collect()
}
