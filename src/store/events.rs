//! The audit trail.

use diesel::prelude::*;
use serde::Deserialize;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::auth_events;
use super::times::{moment, seconds};
use crate::domain::event::{Event, EventType, PastEvent, Theft, Window};
use crate::domain::id::UserId;

/// The column `details`, read back; what an event does not have is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredDetails {
    address: String,
    user_agent: String,
    reason: String,
    by: String,
    other_address: String,
    other_user_agent: String,
}

impl StoredDetails {
    /// Reads the column; a text of another form tells nothing, and must not keep a page from being shown.
    fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// An event as the table holds it.
#[derive(Debug, Insertable)]
#[diesel(table_name = auth_events)]
pub(super) struct EventRow {
    pub(super) user_id: Option<i64>,
    pub(super) event_type: &'static str,
    pub(super) details: String,
    pub(super) created_at: i64,
}

impl EventRow {
    pub(super) fn of(event: &Event) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: event.user.map(|user| user.0),
            event_type: event.kind.as_str(),
            details: serde_json::to_string(&event.details).map_err(|_| StoreError::Corrupt("event details"))?,
            created_at: seconds(event.at),
        })
    }
}

/// Adds an event; call it in the transaction of what it tells of.
///
/// # Errors
/// If the database cannot write.
pub fn insert(connection: &mut Connection, event: &Event) -> Result<(), StoreError> {
    diesel::insert_into(auth_events::table).values(EventRow::of(event)?).execute(connection)?;
    Ok(())
}

/// Returns at most `limit` of a user's events, newest first.
///
/// # Errors
/// If the database cannot read.
pub fn of_user(
    connection: &mut Connection,
    user: UserId,
    window: Window,
    limit: i64,
) -> Result<Vec<PastEvent>, StoreError> {
    let columns = (auth_events::id, auth_events::event_type, auth_events::details, auth_events::created_at);
    let own = auth_events::table.filter(auth_events::user_id.eq(user.0)).select(columns).limit(limit);
    let newest = auth_events::id.desc();
    let mut rows: Vec<(i64, String, String, i64)> = match window {
        Window::Newest => own.order(newest).load(connection)?,
        Window::Before(id) => own.filter(auth_events::id.lt(id)).order(newest).load(connection)?,
        Window::After(id) => own.filter(auth_events::id.gt(id)).order(auth_events::id.asc()).load(connection)?,
    };
    rows.sort_unstable_by_key(|(id, ..)| std::cmp::Reverse(*id));
    rows.into_iter()
        .map(|(id, kind, details, at)| {
            let StoredDetails { address, user_agent, reason, by, .. } = StoredDetails::read(&details);
            Ok(PastEvent { id, kind, reason, by, address, user_agent, at: moment(at)? })
        })
        .collect()
}

/// Returns the last theft of one of a user's sign-ins that was noticed after `since`.
///
/// # Errors
/// If the database cannot read.
pub fn last_theft(
    connection: &mut Connection,
    user: UserId,
    since: OffsetDateTime,
) -> Result<Option<Theft>, StoreError> {
    let row = auth_events::table
        .filter(auth_events::user_id.eq(user.0))
        .filter(auth_events::event_type.eq(EventType::RefreshTokenReplayed.as_str()))
        .filter(auth_events::created_at.ge(seconds(since)))
        .order(auth_events::id.desc())
        .select((auth_events::details, auth_events::created_at))
        .first::<(String, i64)>(connection)
        .optional()?;
    row.map(|(details, at)| {
        let StoredDetails { address, user_agent, other_address, other_user_agent, .. } = StoredDetails::read(&details);
        Ok(Theft { at: moment(at)?, address, user_agent, other_address, other_user_agent })
    })
    .transpose()
}

/// Returns when the newest event of all happened.
///
/// # Errors
/// If the database cannot read.
pub fn newest(connection: &mut Connection) -> Result<Option<OffsetDateTime>, StoreError> {
    let newest = auth_events::table.order(auth_events::created_at.desc()).select(auth_events::created_at);
    newest.first::<i64>(connection).optional()?.map(moment).transpose()
}

/// Deletes at most `limit` events from before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_older(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(auth_events as listed);
    let old = listed
        .filter(listed.field(auth_events::created_at).lt(seconds(before)))
        .order(listed.field(auth_events::created_at))
        .select(listed.field(auth_events::id))
        .limit(limit);
    Ok(diesel::delete(auth_events::table.filter(auth_events::id.eq_any(old))).execute(connection)?)
}
