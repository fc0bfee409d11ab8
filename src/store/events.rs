//! The audit trail.

use diesel::prelude::*;

use super::connection::Connection;
use super::error::StoreError;
use super::schema::auth_events;
use super::times::seconds;
use crate::domain::event::Event;

/// Adds an event; call it in the transaction of what it tells of.
///
/// # Errors
/// If the database cannot write.
pub fn insert(connection: &mut Connection, event: &Event) -> Result<(), StoreError> {
    let details = serde_json::to_string(&event.details).map_err(|_| StoreError::Corrupt("event details"))?;
    let row = (
        auth_events::user_id.eq(event.user.map(|user| user.0)),
        auth_events::event_type.eq(event.kind.as_str()),
        auth_events::details.eq(details),
        auth_events::created_at.eq(seconds(event.at)),
    );
    diesel::insert_into(auth_events::table).values(row).execute(connection)?;
    Ok(())
}
