//! Live sign-ins page by page, those that began last first, however many there are.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::session_list::ListedSession;
use crate::domain::session::{Lifetimes, Session};
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::{sessions, users};
use crate::store::sessions::SessionRow;

/// Rows that are read in one go.
const CHUNK: i64 = 200;

/// How many rows are looked through for one page: some milliseconds of reading, however many of them are over.
const LOOKED_THROUGH: i64 = 2_000;

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The sign-ins, each with the address of its user.
    pub sessions: Vec<ListedSession>,
    /// The last sign-in that was looked at, where there may be more behind it.
    pub reached: Option<String>,
}

/// Returns at most `limit` sign-ins that are alive, from behind the one named `before` on.
///
/// Their names begin with the time at which they began, so the primary key has them in that order.
///
/// # Errors
/// If the database cannot read.
pub fn sessions_before(
    connection: &mut Connection,
    before: Option<String>,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
    limit: usize,
) -> Result<SessionPage, StoreError> {
    let (mut found, mut reached, mut looked_at) = (Vec::new(), before, 0);
    loop {
        let rows = sessions::table.inner_join(users::table).order(sessions::id.desc()).limit(CHUNK);
        let rows = rows.select((SessionRow::as_select(), users::email));
        let chunk: Vec<(SessionRow, String)> = match &reached {
            Some(before) => rows.filter(sessions::id.lt(before)).load(connection)?,
            None => rows.load(connection)?,
        };
        let exhausted = (chunk.len() as i64) < CHUNK;
        for (row, email) in chunk {
            if found.len() == limit {
                return Ok(SessionPage { sessions: found, reached });
            }
            let session = Session::try_from(row)?;
            (reached, looked_at) = (Some(session.id.to_string()), looked_at + 1);
            if session.ended(lifetimes, now).is_none() {
                found.push((session, email));
            }
        }
        if exhausted {
            return Ok(SessionPage { sessions: found, reached: None });
        }
        if looked_at >= LOOKED_THROUGH {
            return Ok(SessionPage { sessions: found, reached });
        }
    }
}
