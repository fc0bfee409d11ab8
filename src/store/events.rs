//! The audit trail.

use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::Deserialize;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::auth_events;
use super::times::{moment, seconds};
use crate::domain::event::{Event, EventType, Past, PastEvent, Theft, Window};
use crate::domain::id::{SessionId, UserId};

/// The column `details`, read back; what an event does not have is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredDetails {
    session: String,
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

/// How many of a user's events are looked through for a page that shows few kinds of them: some milliseconds of reading,
/// however long the trail is. Whoever wants to go on looking follows the link to the next page.
const LOOKED_THROUGH: i64 = 2_000;

/// Returns at most `limit` of a user's events of some kinds, or of all where none is named, newest first.
///
/// # Errors
/// If the database cannot read.
pub fn of_user(
    connection: &mut Connection,
    user: UserId,
    window: Window,
    kinds: &[&str],
    limit: i64,
) -> Result<Past, StoreError> {
    let within = ids_within(window);
    let own = |(from, to): (i64, i64)| auth_events::user_id.eq(user.0).and(auth_events::id.between(from, to));
    let forwards = matches!(window, Window::After(_));
    let ids = auth_events::table.filter(own(within)).select(auth_events::id).offset(LOOKED_THROUGH - 1).limit(1);
    // The index by user and number answers this without a look at the rows.
    let farthest: Option<i64> = match (kinds, forwards) {
        ([], _) => None,
        (_, true) => ids.order(auth_events::id.asc()).first(connection).optional()?,
        (_, false) => ids.order(auth_events::id.desc()).first(connection).optional()?,
    };
    let within = match (farthest, forwards) {
        (Some(farthest), true) => (within.0, farthest),
        (Some(farthest), false) => (farthest, within.1),
        (None, _) => within,
    };
    let columns = (auth_events::id, auth_events::event_type, auth_events::details, auth_events::created_at);
    let of_kinds = auth_events::event_type.eq_any(kinds).or(kinds.is_empty().into_sql::<Bool>());
    let found = auth_events::table.filter(own(within)).filter(of_kinds).select(columns).limit(limit);
    let mut rows: Vec<(i64, String, String, i64)> = if forwards {
        found.order(auth_events::id.asc()).load(connection)?
    } else {
        found.order(auth_events::id.desc()).load(connection)?
    };
    let reached = if rows.len() as i64 == limit { rows.last().map(|(id, ..)| *id) } else { farthest };
    rows.sort_unstable_by_key(|(id, ..)| std::cmp::Reverse(*id));
    let events = rows.into_iter().map(|(id, kind, details, at)| {
        let StoredDetails { address, user_agent, reason, by, .. } = StoredDetails::read(&details);
        Ok(PastEvent { id, kind, reason, by, address, user_agent, at: moment(at)? })
    });
    Ok(Past { events: events.collect::<Result<_, StoreError>>()?, reached })
}

/// Returns the least and the greatest number that a window lets through.
pub(super) fn ids_within(window: Window) -> (i64, i64) {
    match window {
        Window::Newest => (i64::MIN, i64::MAX),
        Window::Before(id) => (i64::MIN, id.saturating_sub(1)),
        Window::After(id) => (id.saturating_add(1), i64::MAX),
    }
}

/// Tells whether there is an event like this one about a session since `since`.
///
/// # Errors
/// If the database cannot read.
pub fn happened_since(
    connection: &mut Connection,
    event: &Event,
    session: SessionId,
    since: OffsetDateTime,
) -> Result<bool, StoreError> {
    let like = auth_events::table
        .filter(auth_events::user_id.eq(event.user.map(|user| user.0)))
        .filter(auth_events::event_type.eq(event.kind.as_str()))
        .filter(auth_events::created_at.gt(seconds(since)))
        .filter(auth_events::details.like(format!("%\"{session}\"%")));
    Ok(diesel::select(diesel::dsl::exists(like)).get_result(connection)?)
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

/// Tells whether a user's password was changed by one of their sign-ins after `since`.
///
/// # Errors
/// If the database cannot read.
pub fn password_changed_by(
    connection: &mut Connection,
    user: UserId,
    session: SessionId,
    since: OffsetDateTime,
) -> Result<bool, StoreError> {
    let changes: Vec<String> = auth_events::table
        .filter(auth_events::user_id.eq(user.0))
        .filter(auth_events::event_type.eq(EventType::PasswordChanged.as_str()))
        .filter(auth_events::created_at.ge(seconds(since)))
        .select(auth_events::details)
        .load(connection)?;
    let session = session.to_string();
    Ok(changes.iter().any(|details| StoredDetails::read(details).session == session))
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
