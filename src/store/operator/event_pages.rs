//! The audit trail page by page, the newest first, however long it is.

use diesel::prelude::*;

use super::event_list::{EventRow, StoredEvent, listed, read_event};
use crate::domain::id::UserId;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::auth_events;

/// How many events of one user are looked through for one page: some milliseconds of reading, however many they have.
const LOOKED_THROUGH: i64 = 2_000;

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of one user.
    pub user: Option<UserId>,
    /// Those of one kind.
    pub kind: Option<String>,
    /// Those from this moment on, in Unix seconds.
    pub from: Option<i64>,
    /// Those before this moment, in Unix seconds.
    pub until: Option<i64>,
}

/// An event in the order of the trail: by its time, and of those of one second by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its time, in Unix seconds.
    pub at: i64,
    /// Its number.
    pub id: i64,
}

/// A part of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The events, the newest first.
    pub events: Vec<StoredEvent>,
    /// The last event that was looked at, where there may be more behind it.
    pub reached: Option<Place>,
}

/// Returns at most `limit` events that a filter lets through, the newest first, from behind `place` on.
///
/// # Errors
/// If the database cannot read.
pub fn events_before(
    connection: &mut Connection,
    filter: &EventFilter,
    place: Option<Place>,
    limit: i64,
) -> Result<EventPage, StoreError> {
    let Place { at, id } = place.unwrap_or(Place { at: i64::MAX, id: i64::MAX });
    if let Some(user) = filter.user {
        return of_user(connection, user, filter, id, limit);
    }
    let (from, until) = span(filter);
    let behind = auth_events::created_at.le(at).and(auth_events::created_at.lt(at).or(auth_events::id.lt(id)));
    let found = listed()
        .filter(auth_events::created_at.between(from, until))
        .filter(behind)
        .order((auth_events::created_at.desc(), auth_events::id.desc()))
        .limit(limit);
    let rows: Vec<EventRow> = match &filter.kind {
        Some(kind) => found.filter(auth_events::event_type.eq(kind)).load(connection)?,
        None => found.load(connection)?,
    };
    let last = rows.last().map(place_of).filter(|_| rows.len() as i64 == limit);
    Ok(EventPage { events: rows.into_iter().map(read_event).collect::<Result<_, _>>()?, reached: last })
}

/// Returns the same of one user, in the order of their numbers: there is an index for it. Those of few kinds may lie far
/// apart, so only so many are looked through.
fn of_user(
    connection: &mut Connection,
    user: UserId,
    filter: &EventFilter,
    before: i64,
    limit: i64,
) -> Result<EventPage, StoreError> {
    let own = auth_events::user_id.eq(user.0).and(auth_events::id.lt(before));
    let farthest: Option<i64> = auth_events::table
        .filter(own)
        .order(auth_events::id.desc())
        .select(auth_events::id)
        .offset(LOOKED_THROUGH - 1)
        .limit(1)
        .first(connection)
        .optional()?;
    let (from, until) = span(filter);
    let found = listed()
        .filter(own)
        .filter(auth_events::id.ge(farthest.unwrap_or(i64::MIN)))
        .filter(auth_events::created_at.between(from, until))
        .order(auth_events::id.desc())
        .limit(limit);
    let rows: Vec<EventRow> = match &filter.kind {
        Some(kind) => found.filter(auth_events::event_type.eq(kind)).load(connection)?,
        None => found.load(connection)?,
    };
    let last = rows.last().map(place_of).filter(|_| rows.len() as i64 == limit);
    let reached = last.or(farthest.map(|id| Place { at: i64::MAX, id }));
    Ok(EventPage { events: rows.into_iter().map(read_event).collect::<Result<_, _>>()?, reached })
}

/// Returns the first and the last second that a filter lets through.
fn span(filter: &EventFilter) -> (i64, i64) {
    (filter.from.unwrap_or(i64::MIN), filter.until.map_or(i64::MAX, |until| until.saturating_sub(1)))
}

fn place_of((id, .., at): &EventRow) -> Place {
    Place { at: *at, id: *id }
}
