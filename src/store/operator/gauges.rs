//! What the database holds right now, for metrics.

use diesel::dsl::{count, count_star};
use diesel::prelude::*;
use time::OffsetDateTime;

use crate::domain::session::Lifetimes;
use crate::store::error::StoreError;
use crate::store::schema::sessions;
use crate::store::times::seconds;
use crate::store::{Connection, nodes, outbox};

/// What there is of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Sign-ins that are alive.
    pub sessions_live: i64,
    /// Those of them that are bound to a device.
    pub sessions_bound: i64,
    /// E-mails that wait to be sent.
    pub mails_waiting: i64,
    /// E-mails that the mail server has refused for good.
    pub mails_refused: i64,
    /// Processes that were heard from within their lease.
    pub nodes: usize,
}

/// Counts them. It looks at every sign-in, which takes a tenth of a second for a million: do not ask at every request.
///
/// # Errors
/// If the database cannot read.
pub fn gauges(connection: &mut Connection, lifetimes: &Lifetimes, now: OffsetDateTime) -> Result<Gauges, StoreError> {
    let used_since = |since| sessions::last_seen_at.gt(seconds(since));
    let live = sessions::table
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(seconds(now)))
        .filter(sessions::kept.eq(false).or(used_since(lifetimes.idle_since(now))))
        .filter(sessions::shared_computer.eq(false).or(used_since(lifetimes.shared_idle_since(now))));
    let (sessions_live, sessions_bound) =
        live.select((count_star(), count(sessions::device_key))).get_result(connection)?;
    let mails = outbox::health(connection, now)?;
    Ok(Gauges {
        sessions_live,
        sessions_bound,
        mails_waiting: mails.count,
        mails_refused: mails.refused,
        nodes: nodes::overview(connection)?.nodes.len(),
    })
}
