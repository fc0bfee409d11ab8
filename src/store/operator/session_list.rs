//! Sign-ins of all users: which are alive, and how many.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use time::{Date, Duration, OffsetDateTime};

use crate::domain::id::UserId;
use crate::domain::session::{Lifetimes, Session};
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::{sessions, users};
use crate::store::sessions::SessionRow;
use crate::store::times::{moment, seconds};

/// A sign-in that ends within this time, whether it is used or not, ends soon.
const SOON: Duration = Duration::hours(24);

/// Days of which the statistics are told one by one: as long as a kept sign-in lives by default.
const DAYS: i64 = 30;

const SECONDS_PER_DAY: i64 = 86_400;

/// A sign-in, and the address of its user.
pub type ListedSession = (Session, String);

/// Returns at most `limit` sign-ins that are alive, of one user or of all, the last used first.
///
/// # Errors
/// If the database cannot read.
pub fn list_sessions(
    connection: &mut Connection,
    user: Option<UserId>,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<ListedSession>, StoreError> {
    let in_use = sessions::kept.eq(false).or(sessions::last_seen_at.gt(seconds(lifetimes.idle_since(now))));
    let shared_since = seconds(lifetimes.shared_idle_since(now));
    let not_left_alone = sessions::shared_computer.eq(false).or(sessions::last_seen_at.gt(shared_since));
    let live = sessions::table
        .inner_join(users::table)
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(seconds(now)))
        .filter(in_use)
        .filter(not_left_alone)
        .order((sessions::last_seen_at.desc(), sessions::id))
        .limit(limit)
        .select((SessionRow::as_select(), users::email));
    let rows: Vec<(SessionRow, String)> = match user {
        Some(user) => live.filter(sessions::user_id.eq(user.0)).load(connection)?,
        None => live.load(connection)?,
    };
    rows.into_iter().map(|(row, email)| Ok((row.try_into()?, email))).collect()
}

/// Returns at most `limit` users who have sign-ins that nobody ended, in the order of their numbers, from the one after
/// `after` on.
///
/// # Errors
/// If the database cannot read.
pub fn users_with_sessions_after(
    connection: &mut Connection,
    after: UserId,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let found = sessions::table
        .filter(sessions::user_id.gt(after.0))
        .filter(sessions::revoked_at.is_null())
        .order(sessions::user_id)
        .select(sessions::user_id)
        .distinct()
        .limit(limit)
        .load::<i64>(connection)?;
    Ok(found.into_iter().map(UserId).collect())
}

/// How many sign-ins there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStatistics {
    /// Those that are alive.
    pub active: i64,
    /// Those that are over, for whatever reason, and that the clean-up has not deleted yet.
    pub expired: i64,
    /// Those of the active that reach their absolute end within a day.
    pub expiring_soon: i64,
    /// The last thirty days on which any began, in order.
    pub per_day: Vec<DayStatistics>,
}

/// The sign-ins that began on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayStatistics {
    /// The day, in UTC.
    pub day: Date,
    /// Those that are alive.
    pub active: i64,
    /// Those that are over.
    pub expired: i64,
    /// Those of the active that reach their absolute end within a day.
    pub expiring_soon: i64,
}

/// Writes what holds of the row of a sign-in that is alive.
pub(super) fn live_condition(lifetimes: &Lifetimes, now: OffsetDateTime) -> String {
    format!(
        "revoked_at IS NULL AND expires_at > {} AND (NOT kept OR last_seen_at > {}) \
         AND (NOT shared_computer OR last_seen_at > {})",
        seconds(now),
        seconds(lifetimes.idle_since(now)),
        seconds(lifetimes.shared_idle_since(now))
    )
}

/// Counts sign-ins, all in all and by the day on which they began.
///
/// # Errors
/// If the database cannot read.
pub fn statistics(
    connection: &mut Connection,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
) -> Result<SessionStatistics, StoreError> {
    let live = live_condition(lifetimes, now);
    let count = |condition: &str| sql::<BigInt>(&format!("count(*) FILTER (WHERE {condition})"));
    let soon = format!("{live} AND expires_at <= {}", seconds(now + SOON));
    let over = format!("NOT ({live})");
    let counts = || (count(&live), count(&over), count(&soon));
    let (active, expired, expiring_soon) = sessions::table.select(counts()).get_result(connection)?;
    let day = || sql::<BigInt>("created_at / 86400");
    let (active_of_day, over_of_day, soon_of_day) = counts();
    let days = sessions::table
        .group_by(day())
        .order(day().desc())
        .limit(DAYS)
        .select((day(), active_of_day, over_of_day, soon_of_day))
        .load::<(i64, i64, i64, i64)>(connection)?;
    let per_day = days.into_iter().rev().map(|(day, active, expired, expiring_soon)| {
        let day = moment(day * SECONDS_PER_DAY)?.date();
        Ok(DayStatistics { day, active, expired, expiring_soon })
    });
    let per_day = per_day.collect::<Result<_, StoreError>>()?;
    Ok(SessionStatistics { active, expired, expiring_soon, per_day })
}
