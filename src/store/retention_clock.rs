//! The clock that retention goes by, which no jump of the wall clock moves.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::events;
use super::schema::retention_clock;
use super::times::{moment, seconds};

/// Returns the time that the clock has reached. One that never ran begins with the last event, or now where there is none:
/// a database of the version before may be opened under a wrong clock.
///
/// # Errors
/// If the database cannot write.
pub fn reached(connection: &mut Connection, now: OffsetDateTime) -> Result<OffsetDateTime, StoreError> {
    if let Some(reached) = find(connection)? {
        return moment(reached);
    }
    let begin = events::newest(connection)?.map_or(now, |newest| newest.min(now));
    let row = (
        retention_clock::id.eq(1),
        retention_clock::reached_at.eq(seconds(begin)),
        retention_clock::advanced_at.eq(seconds(now)),
    );
    // Another process that starts at the same time may be first; it is waited for.
    let row = diesel::insert_into(retention_clock::table).values(row);
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => row.on_conflict_do_nothing().execute(file)?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => row.on_conflict_do_nothing().execute(server)?,
    };
    find(connection)?.map_or(Ok(begin), moment)
}

fn find(connection: &mut Connection) -> Result<Option<i64>, StoreError> {
    let row = retention_clock::table.find(1).select(retention_clock::reached_at);
    Ok(row.get_result(connection).optional()?)
}

/// Sets the clock to `to` if it still stands at `from`; returns whether it did.
///
/// # Errors
/// If the database cannot write.
pub fn advance(
    connection: &mut Connection,
    from: OffsetDateTime,
    to: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let unmoved = retention_clock::table.find(1).filter(retention_clock::reached_at.eq(seconds(from)));
    let set = (retention_clock::reached_at.eq(seconds(to)), retention_clock::advanced_at.eq(seconds(now)));
    Ok(diesel::update(unmoved).set(set).execute(connection)? == 1)
}
