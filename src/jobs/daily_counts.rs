//! Counts what happened on each day, once it is over, so that no page counts millions of events.
//!
//! Nothing is counted where it happens: a renewal costs what it did before. One process of all on a database counts, in
//! the background, and reads while it does so; what it writes is a row per day and kind.

use time::{Duration, OffsetDateTime};

use crate::domain::session::Lifetimes;
use crate::store::operator::{
    COUNTED, LIVE, count_day, count_live, day_of, delete_old_counts, uncounted_days, write_count,
};
use crate::store::{Database, StoreError};

/// How long after its end a day is counted: whatever was written on it is committed by then.
const SETTLED_AFTER: Duration = Duration::minutes(10);

/// Counts the days that are over and were not counted yet, and the sign-ins that are alive now.
///
/// # Errors
/// If the database has no answer; the days before are counted.
pub fn count_days(database: &Database, lifetimes: &Lifetimes, now: OffsetDateTime) -> Result<(), StoreError> {
    for kind in COUNTED {
        let days = database.read_blocking(|connection| uncounted_days(connection, kind, now - SETTLED_AFTER))?;
        for day in days {
            let count = database.read_blocking(|connection| count_day(connection, kind, day))?;
            database.write_blocking(move |connection| write_count(connection, day, kind.as_str(), count))?;
        }
    }
    let live = database.read_blocking(|connection| count_live(connection, lifetimes, now))?;
    database.write_blocking(move |connection| {
        write_count(connection, day_of(now), LIVE, live)?;
        delete_old_counts(connection, now)
    })
}
