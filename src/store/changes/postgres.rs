//! Following a server: notified of a commit in a millisecond, and reading the table regardless.
//!
//! Transactions of a server commit in any order, so a reader that remembered the last number it saw would miss one that
//! was given out before and committed after. Each row names its transaction instead. A snapshot's `xmin` is the oldest
//! transaction still under way: whatever is older is seen or will never be; whatever is not is read again the next time,
//! and told once.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::change::{News, TOLD_AT_MOST, read};
use crate::store::error::StoreError;

/// The channel of the triggers.
const CHANNEL: &str = "LISTEN perennial_changes";

/// Calls between two readings that nobody was notified of: half a second. A notification may fail to come (a pooler
/// between here and the server keeps them from us), and only an answer shows that the server is there.
const CALLS_PER_READING: u32 = 25;

diesel::table! {
    changes (sequence) {
        sequence -> BigInt,
        subject -> Text,
        subject_id -> Text,
        transaction -> BigInt,
    }
}

/// Stands at a transaction.
pub(super) struct Reader {
    connection: PgConnection,
    /// Every transaction before this one is over and taken in.
    horizon: i64,
    /// The rows at or behind the horizon that were told.
    told: HashSet<i64>,
    calls: u32,
}

impl Reader {
    pub(super) fn start(mut connection: PgConnection) -> Result<Self, StoreError> {
        // LISTEN before the first read: what is committed between the two is notified.
        connection.batch_execute(CHANNEL)?;
        let mut reader = Self { connection, horizon: 0, told: HashSet::new(), calls: 0 };
        reader.horizon = reader.oldest_under_way()?;
        // Rows of a database that was restored from another server may name transactions that this one has yet to see.
        reader.catch_up()?;
        Ok(reader)
    }

    pub(super) fn hear(&mut self, ask: bool) -> Result<News, StoreError> {
        self.calls += 1;
        let mut called = ask || self.calls >= CALLS_PER_READING;
        for notification in self.connection.notifications_iter() {
            notification?;
            called = true;
        }
        if !called {
            return Ok(News::NotAsked);
        }
        self.calls = 0;
        self.catch_up()
    }

    /// Returns what changed since the last call.
    ///
    /// A transaction that stays under way holds the horizon back, so what is committed beside it is read again each time.
    /// That is bounded too: past the bound, each call says that anything may have changed, until that transaction is over.
    fn catch_up(&mut self) -> Result<News, StoreError> {
        // The horizon first: what commits between the two is at or behind it.
        let horizon = self.oldest_under_way()?;
        let rows = changes::table
            .filter(changes::transaction.ge(self.horizon))
            .order(changes::sequence)
            .limit(TOLD_AT_MOST as i64 + 1)
            .select((changes::sequence, changes::transaction, changes::subject, changes::subject_id))
            .load::<(i64, i64, String, String)>(&mut self.connection)?;
        if rows.len() > TOLD_AT_MOST {
            self.told = HashSet::new();
            self.horizon = horizon;
            return Ok(News::Anything);
        }
        let news = rows.iter().filter(|(sequence, ..)| !self.told.contains(sequence));
        let found = news.filter_map(|(.., subject, id)| read(subject, id)).collect();
        self.told = rows
            .iter()
            .filter(|(_, transaction, ..)| *transaction >= horizon)
            .map(|(sequence, ..)| *sequence)
            .collect();
        self.horizon = horizon;
        Ok(News::Changes(found))
    }

    fn oldest_under_way(&mut self) -> Result<i64, StoreError> {
        let oldest =
            diesel::dsl::sql::<diesel::sql_types::BigInt>("pg_snapshot_xmin(pg_current_snapshot())::text::bigint");
        Ok(diesel::select(oldest).get_result(&mut self.connection)?)
    }
}
