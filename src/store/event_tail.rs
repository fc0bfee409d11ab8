//! A place in the audit trail, from which every event is read once.
//!
//! Writers to a file take turns, so numbers there grow in the order of commits. Transactions of a server commit in any
//! order: an event may appear below one that was read before. So a place is a number, and the numbers below it that have
//! not appeared. Each of these is looked for until no transaction is left that could bring it: most belong to one that was
//! rolled back. What was read is never read again, however long another transaction stays under way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::BigInt;

use super::Connection;
use super::error::StoreError;
use super::operator::{EventRow, StoredEvent, listed, read_event};
use super::schema::auth_events;

/// Numbers below an event among which one that is under way then may be: no transaction that ends then has been given a
/// number before this many others.
const UNDER_WAY: i64 = 10_000;

/// For how long a number counts as under way at least. A transaction is given its first number and then its own, by which
/// a snapshot knows it, and the processor may be taken from it in between.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Numbers looked for in one statement.
const AT_ONCE: usize = 1000;

/// A place in the audit trail.
#[derive(Debug, Clone)]
pub struct EventTail {
    /// Every event up to this number was told, but for those that are missing.
    position: i64,
    /// Numbers up to the position that have not appeared.
    missing: BTreeMap<i64, Missing>,
    in_order: bool,
}

/// A number that may still appear.
#[derive(Debug, Clone, Copy, Default)]
struct Missing {
    /// Since when it is looked for.
    since: Option<Duration>,
    /// Once it has settled: the transaction that brings it, if there is any, began before this one.
    before: Option<i64>,
}

/// The transactions of a server at one moment.
struct UnderWay {
    /// Every one before this is over.
    oldest: i64,
    /// The number of the next one to begin.
    next: i64,
}

impl EventTail {
    /// Begins before the first event there is.
    pub fn at_oldest() -> Self {
        Self::with(0, [])
    }

    /// Begins after the events that are there; one that is under way comes after them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn at_newest(connection: &mut Connection) -> Result<Self, StoreError> {
        let highest =
            auth_events::table.select(diesel::dsl::max(auth_events::id)).get_result::<Option<i64>>(connection)?;
        let highest = highest.unwrap_or(0);
        if commits_in_order(connection) {
            return Ok(Self::with(highest, []));
        }
        let there = auth_events::table.filter(auth_events::id.gt(highest - UNDER_WAY)).select(auth_events::id);
        let there: BTreeSet<i64> = there.load(connection)?.into_iter().collect();
        Ok(Self::with(highest, ((highest - UNDER_WAY).max(0) + 1..=highest).filter(|number| !there.contains(number))))
    }

    /// Begins after what was told before, of which these are the last numbers; with none, before the first event.
    ///
    /// Those that were under way when the last of them was told are told as well, if at least the last ten thousand numbers
    /// are among these.
    pub fn after(told: &BTreeSet<i64>) -> Self {
        let (Some(first), Some(last)) = (told.first(), told.last()) else { return Self::at_oldest() };
        let lowest = (last - UNDER_WAY).max(first - 1);
        Self::with(*last, (lowest + 1..*last).filter(|number| !told.contains(number)))
    }

    /// Begins at a place that was [written down](Self::missing).
    ///
    /// # Errors
    /// `Corrupt`, if this is no such place.
    pub fn at(position: i64, missing: &str) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt("a place in the audit trail");
        let mut numbers = Vec::new();
        for range in missing.split_ascii_whitespace() {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first: i64 = first.parse().map_err(|_| corrupt())?;
            let last: i64 = last.parse().map_err(|_| corrupt())?;
            if last - first > UNDER_WAY {
                return Err(corrupt());
            }
            numbers.extend(first..=last);
        }
        Ok(Self::with(position, numbers))
    }

    fn with(position: i64, missing: impl IntoIterator<Item = i64>) -> Self {
        let missing = missing.into_iter().map(|number| (number, Missing::default())).collect();
        Self { position, missing, in_order: false }
    }

    /// Returns the number up to which every event was told, but for those that are missing.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Writes down the numbers up to the position that may still appear: `7 12-15`.
    pub fn missing(&self) -> String {
        let (mut text, mut numbers) = (String::new(), self.missing.keys().copied().peekable());
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&(last + 1)) {
                last = next;
            }
            let space = if text.is_empty() { "" } else { " " };
            // A text takes whatever is written.
            let _ = if first == last { write!(text, "{space}{first}") } else { write!(text, "{space}{first}-{last}") };
        }
        text
    }

    /// Returns the next events in the order of their numbers, `limit` of those after the position at most. Each is
    /// returned until it was [told](Self::told).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn read(
        &mut self,
        connection: &mut Connection,
        elapsed: Duration,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.in_order = commits_in_order(connection);
        // Before the rows: what commits in between is looked for the next time.
        let now = if self.missing.is_empty() { None } else { under_way(connection)? };
        let numbers: Vec<i64> = self.missing.keys().copied().collect();
        let mut rows: Vec<EventRow> = Vec::new();
        for numbers in numbers.chunks(AT_ONCE) {
            let appeared = listed().filter(auth_events::id.eq_any(numbers)).order(auth_events::id);
            rows.extend(appeared.load::<EventRow>(connection)?);
        }
        let appeared: BTreeSet<i64> = rows.iter().map(|row| row.0).collect();
        let after = listed().filter(auth_events::id.gt(self.position)).order(auth_events::id).limit(limit);
        rows.extend(after.load::<EventRow>(connection)?);
        self.missing.retain(|number, missing| {
            appeared.contains(number) || now.as_ref().is_some_and(|now| missing.may_appear(now, elapsed))
        });
        rows.into_iter().map(read_event).collect()
    }

    /// Takes in that an event was told; call it in the order in which they were returned.
    pub fn told(&mut self, id: i64) {
        if id <= self.position {
            self.missing.remove(&id);
            return;
        }
        if !self.in_order {
            let skipped = self.position.max(id - UNDER_WAY) + 1..id;
            self.missing.extend(skipped.map(|number| (number, Missing::default())));
        }
        self.position = id;
    }
}

impl Missing {
    /// Tells whether a transaction that is under way may bring the number, which the reading after this moment did not.
    fn may_appear(&mut self, now: &UnderWay, elapsed: Duration) -> bool {
        let since = *self.since.get_or_insert(elapsed);
        match self.before {
            Some(before) => now.oldest < before,
            None => {
                if elapsed.saturating_sub(since) >= SETTLE_TIME {
                    self.before = Some(now.next);
                }
                true
            }
        }
    }
}

/// Tells whether events appear in the order of their numbers.
fn commits_in_order(connection: &Connection) -> bool {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => true,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => false,
    }
}

/// Returns the transactions that are under way; none on a file, whose numbers appear in order.
fn under_way(connection: &mut Connection) -> Result<Option<UnderWay>, StoreError> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => Ok(None),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => {
            let number = |of: &str| {
                diesel::dsl::sql::<BigInt>(&format!("pg_snapshot_{of}(pg_current_snapshot())::text::bigint"))
            };
            let (oldest, next) = diesel::select((number("xmin"), number("xmax"))).get_result(server)?;
            Ok(Some(UnderWay { oldest, next }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tail: &EventTail) -> Vec<i64> {
        tail.missing.keys().copied().collect()
    }

    #[test]
    fn a_place_is_what_was_written_down() {
        for text in ["", "7", "7 12-15", "1-3 5 9-10000"] {
            let tail = EventTail::at(20_000, text).unwrap();
            assert_eq!((tail.position(), tail.missing().as_str()), (20_000, text));
        }
        assert_eq!(numbers(&EventTail::at(20, "7 12-15").unwrap()), [7, 12, 13, 14, 15]);
        for text in ["x", "7-", "-7", "1-99999999999"] {
            assert!(EventTail::at(20, text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_were_skipped_are_looked_for() {
        let mut tail = EventTail::at_oldest();
        for id in [1, 2, 5, 4] {
            tail.told(id);
        }
        assert_eq!((tail.position(), numbers(&tail)), (5, vec![3]));
        tail.told(1_000_000);
        assert_eq!(numbers(&tail).len(), 1 + UNDER_WAY as usize - 1, "of a leap, those that can be under way");
        assert_eq!(numbers(&EventTail::after(&BTreeSet::from([4, 5, 8]))), [6, 7]);
    }

    #[test]
    fn a_number_is_given_up_once_no_transaction_can_bring_it() {
        let second = Duration::from_secs(1);
        let mut missing = Missing::default();
        let mut look = |oldest, next, elapsed| missing.may_appear(&UnderWay { oldest, next }, elapsed);
        assert!(look(100, 100, 3 * second));
        assert!(look(100, 100, 12 * second), "its transaction may not have a number of its own yet");
        assert!(look(100, 140, 13 * second), "from here on it has one, below 140");
        assert!(look(139, 200, 999 * second));
        assert!(!look(140, 200, 1000 * second));
    }
}
