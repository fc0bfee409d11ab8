//! What the processes on one database must agree on: how long everything lives, and what time it is.

use std::fmt;
use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};

use crate::domain::session::Lifetimes;

/// The words of an announcement and the settings they stand for.
const SETTINGS: [(&str, &str); 5] = [
    ("access", "ACCESS_TOKEN_TTL"),
    ("kept", "REFRESH_TOKEN_TTL"),
    ("idle", "IDLE_TTL"),
    ("session", "SESSION_TTL"),
    ("grace", "REUSE_GRACE"),
];

/// A setting that two processes on one database do not agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Its name.
    pub setting: &'static str,
    /// Its value here.
    pub here: &'a str,
    /// Its value there; empty where the other process says nothing of it.
    pub there: &'a str,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = if self.there.is_empty() { "unknown" } else { self.there };
        write!(f, "{} is {} here and {there}", self.setting, self.here)
    }
}

/// Writes the lifetimes of a process as others compare them: `access=15m kept=30d idle=14d session=1d grace=30s`.
///
/// One length of time has one spelling, in the largest unit that divides it.
pub fn announced(lifetimes: &Lifetimes) -> String {
    let lengths = [lifetimes.access, lifetimes.kept, lifetimes.idle, lifetimes.browser_session, lifetimes.reuse_grace];
    let pairs = SETTINGS.iter().zip(lengths).map(|((word, _), length)| format!("{word}={}", spelled(length)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Returns the settings in which two announcements differ.
///
/// A sign-in that is kept for 30 days by one process and for one day by another depends on which of them it meets.
pub fn differences<'a>(here: &'a str, there: &'a str) -> Vec<Difference<'a>> {
    let compared = SETTINGS.iter().map(|(word, setting)| Difference {
        setting,
        here: value(here, word),
        there: value(there, word),
    });
    compared.filter(|difference| difference.here != difference.there).collect()
}

fn value<'a>(announced: &'a str, word: &str) -> &'a str {
    let pairs = announced.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == word).map(|(_, value)| value).next().unwrap_or_default()
}

fn spelled(length: Duration) -> String {
    let seconds = length.whole_seconds();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    match units.into_iter().find(|(_, size)| seconds != 0 && seconds % size == 0) {
        Some((unit, size)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// The smallest difference that counts: both clocks are read in whole seconds.
const RESOLUTION: Duration = Duration::SECOND;

/// Returns how far the clock of the database is ahead of this machine's (or, below zero, behind it).
///
/// `own` is what this machine's clock said before and after the database was asked: an answer that took long says less,
/// and a difference that may be the wait for it is none.
pub fn clock_offset(database: OffsetDateTime, own: &RangeInclusive<OffsetDateTime>) -> Duration {
    let (before, after) = (*own.start(), (*own.end()).max(*own.start()) + RESOLUTION);
    database - database.clamp(before, after)
}

/// Returns how far the clocks may be apart before a process must not serve: a third of `reuse_grace`.
///
/// The window in which a token that was just replaced still signs in is made of what a message may take, of a sleep
/// that nobody noticed, and of this.
pub fn clock_limit(reuse_grace: Duration) -> Duration {
    RESOLUTION.max(reuse_grace / 3)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    fn lifetimes() -> Lifetimes {
        Lifetimes {
            access: Duration::minutes(15),
            kept: Duration::days(30),
            idle: Duration::days(14),
            browser_session: Duration::hours(24),
            reuse_grace: Duration::seconds(30),
        }
    }

    #[test]
    fn each_length_has_one_spelling() {
        assert_eq!(announced(&lifetimes()), "access=15m kept=30d idle=14d session=1d grace=30s");
        for (seconds, text) in [(0, "0s"), (90, "90s"), (120, "2m"), (5400, "90m"), (36 * 3600, "36h")] {
            assert_eq!(spelled(Duration::seconds(seconds)), text);
        }
    }

    #[test]
    fn what_differs_is_named_by_its_setting() {
        let here = announced(&lifetimes());
        assert_eq!(differences(&here, &here), []);
        let other = Lifetimes { idle: Duration::days(7), reuse_grace: Duration::seconds(60), ..lifetimes() };
        let there = announced(&other);
        let found: Vec<_> = differences(&here, &there).iter().map(|d| (d.setting, d.here, d.there)).collect();
        assert_eq!(found, [("IDLE_TTL", "14d", "7d"), ("REUSE_GRACE", "30s", "1m")]);
        assert_eq!(differences(&here, "").len(), SETTINGS.len());
    }

    fn seconds(count: i64) -> Duration {
        Duration::seconds(count)
    }

    #[test]
    fn a_difference_that_may_be_the_wait_for_an_answer_is_none() {
        let own = NOW..=NOW + seconds(3);
        for (database, offset) in [(0, 0), (3, 0), (4, 0), (5, 1), (64, 60), (-1, -1), (-60, -60)] {
            assert_eq!(clock_offset(NOW + seconds(database), &own), seconds(offset), "{database}");
        }
        // This machine's clock was set back while it waited.
        assert_eq!(clock_offset(NOW, &(NOW..=NOW - seconds(9))), Duration::ZERO);
    }

    #[test]
    fn the_limit_is_a_third_of_the_grace() {
        assert_eq!(clock_limit(seconds(30)), seconds(10));
        assert_eq!(clock_limit(Duration::ZERO), seconds(1));
    }
}
