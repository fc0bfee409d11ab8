//! How much of what happens, day by day: counted once for each day that is over, and from the events for the rest.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use time::OffsetDateTime;

use super::session_list::live_condition;
use crate::domain::event::EventType;
use crate::domain::session::Lifetimes;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::{auth_events, daily_counts};
use crate::store::times::seconds;

const SECONDS_PER_DAY: i64 = 86_400;

/// Days that are shown: as long as a kept sign-in lives by default.
pub const DAYS_SHOWN: i64 = 30;

/// Days that are kept: a year, for whoever asks the database.
const DAYS_KEPT: i64 = 366;

/// Events of one kind that are counted while a page is made; entries of an index, of which a millisecond reads thousands.
const COUNTED_AT_ONCE: i64 = 20_000;

/// Sign-ins that are looked at while a page is made, for how many of them are alive.
const LOOKED_AT: i64 = 5_000;

/// The kinds of event that are counted.
pub const COUNTED: [EventType; 5] = [
    EventType::SignedIn,
    EventType::SignInFailed,
    EventType::AutoSignedIn,
    EventType::RefreshTokenReplayed,
    EventType::AccountLocked,
];

/// What the sign-ins that were alive on a day are counted under.
pub const LIVE: &str = "live_sign_ins";

/// Returns the day of a moment: days since 1970, in UTC.
pub fn day_of(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(SECONDS_PER_DAY)
}

/// What was counted of one kind on the last days, the oldest first; nothing for a day of which nobody knows yet.
pub type Series = Vec<Option<i64>>;

/// Returns how many events of a kind there were on each of the last [`DAYS_SHOWN`] days, up to that of `now`.
///
/// Days that were not counted yet are counted here, as far as they hold few events: on a site where they hold many, the
/// background counts them.
///
/// # Errors
/// If the database cannot read.
pub fn events_by_day(connection: &mut Connection, kind: EventType, now: OffsetDateTime) -> Result<Series, StoreError> {
    let today = day_of(now);
    let mut series = counted(connection, kind.as_str(), today)?;
    let first = today + 1 - DAYS_SHOWN;
    // The days that were counted are the first ones; those that follow are counted from the first that is missing on.
    let Some(missing) = series.iter().position(Option::is_none) else { return Ok(series) };
    let from = first + missing as i64;
    let recent = count_recent(connection, kind, from, COUNTED_AT_ONCE)?;
    let total: i64 = recent.iter().map(|day| day.count).sum();
    // Of the last day that was reached, not everything was seen; and nothing of those after it.
    let reached = if total == COUNTED_AT_ONCE { recent.last().map_or(from, |last| last.day) } else { i64::MAX };
    for (offset, count) in series.iter_mut().enumerate().skip(missing) {
        let day = first + offset as i64;
        let found = || recent.iter().find(|counted| counted.day == day).map_or(0, |counted| counted.count);
        *count = count.or_else(|| (day < reached || day == today && day == reached).then(found));
    }
    Ok(series)
}

/// Returns how many sign-ins were alive on each of the last [`DAYS_SHOWN`] days; of today, now.
///
/// # Errors
/// If the database cannot read.
pub fn live_by_day(
    connection: &mut Connection,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
) -> Result<Series, StoreError> {
    let mut series = counted(connection, LIVE, day_of(now))?;
    let sample =
        format!("SELECT * FROM sessions WHERE expires_at > {} ORDER BY expires_at LIMIT {LOOKED_AT}", seconds(now));
    let live = live_condition(lifetimes, now);
    let counts = format!("SELECT count(*) AS day, count(*) FILTER (WHERE {live}) AS count FROM ({sample}) AS sample");
    let Counted { day: looked_at, count } = sql_query(counts).get_result(connection)?;
    if let Some(today) = series.last_mut().filter(|_| looked_at < LOOKED_AT) {
        *today = Some(count);
    }
    Ok(series)
}

/// A day and how much there was on it.
#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Returns what was written down of a kind on the days that are shown.
fn counted(connection: &mut Connection, kind: &str, today: i64) -> Result<Series, StoreError> {
    let first = today + 1 - DAYS_SHOWN;
    let rows: Vec<(i64, i64)> = daily_counts::table
        .filter(daily_counts::kind.eq(kind))
        .filter(daily_counts::day.between(first, today))
        .select((daily_counts::day, daily_counts::count))
        .load(connection)?;
    let of = |day: i64| rows.iter().find(|(found, _)| *found == day).map(|(_, count)| *count);
    Ok((first..=today).map(of).collect())
}

/// Counts the events of a kind from a day on, at most so many of them, the oldest first.
fn count_recent(
    connection: &mut Connection,
    kind: EventType,
    from: i64,
    most: i64,
) -> Result<Vec<Counted>, StoreError> {
    let recent = format!(
        "SELECT created_at FROM auth_events WHERE event_type = '{}' AND created_at >= {} ORDER BY created_at LIMIT {most}",
        kind.as_str(),
        from.saturating_mul(SECONDS_PER_DAY)
    );
    let by_day = format!(
        "SELECT created_at / {SECONDS_PER_DAY} AS day, count(*) AS count FROM ({recent}) AS recent GROUP BY 1 ORDER BY 1"
    );
    Ok(sql_query(by_day).load(connection)?)
}

/// Returns the days before that of `until` of which a kind was not counted yet, the oldest first.
///
/// # Errors
/// If the database cannot read.
pub fn uncounted_days(
    connection: &mut Connection,
    kind: EventType,
    until: OffsetDateTime,
) -> Result<Vec<i64>, StoreError> {
    let today = day_of(until);
    let first = today + 1 - DAYS_SHOWN;
    let series = counted(connection, kind.as_str(), today)?;
    let missing = (first..today).zip(series).filter(|(_, count)| count.is_none());
    Ok(missing.map(|(day, _)| day).collect())
}

/// Counts the events of a kind on one day.
///
/// # Errors
/// If the database cannot read.
pub fn count_day(connection: &mut Connection, kind: EventType, day: i64) -> Result<i64, StoreError> {
    let from = day.saturating_mul(SECONDS_PER_DAY);
    let of_day = auth_events::table
        .filter(auth_events::event_type.eq(kind.as_str()))
        .filter(auth_events::created_at.ge(from))
        .filter(auth_events::created_at.lt(from + SECONDS_PER_DAY));
    Ok(of_day.count().get_result(connection)?)
}

/// Counts the sign-ins that are alive, however many there are.
///
/// # Errors
/// If the database cannot read.
pub fn count_live(connection: &mut Connection, lifetimes: &Lifetimes, now: OffsetDateTime) -> Result<i64, StoreError> {
    let live = live_condition(lifetimes, now);
    let all = format!("SELECT CAST({} AS BIGINT) AS day, count(*) AS count FROM sessions WHERE {live}", day_of(now));
    Ok(sql_query(all).get_result::<Counted>(connection)?.count)
}

/// Writes down what was counted of a kind on a day, in the place of what stands there.
///
/// # Errors
/// If the database cannot write.
pub fn write_count(connection: &mut Connection, day: i64, kind: &str, count: i64) -> Result<(), StoreError> {
    let row = daily_counts::table.find((day, kind));
    if diesel::update(row).set(daily_counts::count.eq(count)).execute(connection)? == 0 {
        let row = (daily_counts::day.eq(day), daily_counts::kind.eq(kind), daily_counts::count.eq(count));
        diesel::insert_into(daily_counts::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// Deletes what was counted more than a year before `now`.
///
/// # Errors
/// If the database cannot write.
pub fn delete_old_counts(connection: &mut Connection, now: OffsetDateTime) -> Result<(), StoreError> {
    let old = daily_counts::table.filter(daily_counts::day.lt(day_of(now) - DAYS_KEPT));
    diesel::delete(old).execute(connection)?;
    Ok(())
}
