//! Moments in words, for pages and mails alike.

use std::borrow::Cow;

use time::format_description::StaticFormatDescription;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::domain::time_zone::TimeZone;

/// How people read a moment.
const WORDS: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]");

/// How people read a day of this year.
const DAY: StaticFormatDescription = format_description!("[weekday], [day padding:none] [month repr:long]");

/// How people read a day of another year.
const DAY_OF_YEAR: StaticFormatDescription =
    format_description!("[weekday], [day padding:none] [month repr:long] [year]");

/// A moment as a page or a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayTime {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub iso: String,
    /// For people: `21 November 2026, 08:30 UTC`, or `21 November 2026, 09:30 CET`.
    pub words: String,
    /// From now: `3 minutes ago`, `in 2 days`.
    pub ago: String,
}

impl DisplayTime {
    /// Describes when something happened, seen from `now`: "just now" also where it was noted by a clock that is a little
    /// ahead, or with the end of its minute.
    ///
    /// In UTC, and it says so: for whoever has chosen no time zone, which no browser tells without a script.
    pub fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self::in_zone(at, now, None)
    }

    /// Describes when something happened, in the time zone of its reader, if they have chosen one:
    /// [`User::time_zone`](crate::domain::user::User::time_zone).
    pub fn in_zone(at: OffsetDateTime, now: OffsetDateTime, zone: Option<TimeZone>) -> Self {
        Self::described(at, from_now(seconds_until(at, now)), zone)
    }

    /// Describes when something ends, seen from `now`, in UTC.
    pub fn of_end(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self::of_end_in_zone(at, now, None)
    }

    /// Describes when something ends, in the time zone of its reader, if they have chosen one.
    pub fn of_end_in_zone(at: OffsetDateTime, now: OffsetDateTime, zone: Option<TimeZone>) -> Self {
        let ago = match seconds_until(at, now) {
            1..=59 => "in less than a minute".to_owned(),
            seconds => from_now(seconds),
        };
        Self::described(at, ago, zone)
    }

    /// Returns the time of day alone: `08:30 UTC`.
    pub fn clock(&self) -> &str {
        self.words.split_once(", ").map_or(&self.words, |(_, clock)| clock)
    }

    /// Returns the day alone: `21 November 2026`.
    pub fn date(&self) -> &str {
        self.words.split_once(", ").map_or(&self.words, |(date, _)| date)
    }

    fn described(at: OffsetDateTime, ago: String, zone: Option<TimeZone>) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        // In the last hours of the year 9999, a zone ahead of UTC would write one that does not exist.
        let local = zone.map(|zone| zone.at(at)).and_then(|(offset, name)| Some((at.checked_to_offset(offset)?, name)));
        let (local, name) = local.map_or((at, Cow::Borrowed("UTC")), |(local, name)| (local, Cow::Owned(name)));
        // Only a year past 9999 cannot be written.
        let [iso, mut words] = [at.format(&Rfc3339), local.format(WORDS)].map(Result::unwrap_or_default);
        words.push(' ');
        words.push_str(&name);
        Self { iso, words, ago }
    }
}

/// How one reader is told of times: from when they read, and in the time zone that they have chosen, if any.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    now: OffsetDateTime,
    zone: Option<TimeZone>,
}

impl Times {
    /// Describes times to somebody who reads at `now`.
    pub fn new(now: OffsetDateTime, zone: Option<TimeZone>) -> Self {
        Self { now, zone }
    }

    /// Returns when they read.
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// Describes when something happened.
    pub fn past(&self, at: OffsetDateTime) -> DisplayTime {
        DisplayTime::in_zone(at, self.now, self.zone)
    }

    /// Describes when something ends.
    pub fn end(&self, at: OffsetDateTime) -> DisplayTime {
        DisplayTime::of_end_in_zone(at, self.now, self.zone)
    }

    /// Names the day of a moment: `Today`, `Yesterday`, `Friday, 20 November`.
    pub fn day(&self, at: OffsetDateTime) -> String {
        let (date, today) = (self.date(at), self.date(self.now));
        let form = if date.year() == today.year() { DAY } else { DAY_OF_YEAR };
        match (today - date).whole_days() {
            0 => "Today".to_owned(),
            1 => "Yesterday".to_owned(),
            _ => date.format(form).unwrap_or_default(),
        }
    }

    /// Tells whether two moments are on one day of the reader.
    pub fn is_same_day(&self, one: OffsetDateTime, other: OffsetDateTime) -> bool {
        self.date(one) == self.date(other)
    }

    fn date(&self, at: OffsetDateTime) -> Date {
        let offset = self.zone.map_or(UtcOffset::UTC, |zone| zone.at(at).0);
        at.checked_to_offset(offset).unwrap_or(at).date()
    }
}

fn seconds_until(at: OffsetDateTime, now: OffsetDateTime) -> i64 {
    at.unix_timestamp() - now.unix_timestamp()
}

fn from_now(seconds: i64) -> String {
    let (number, unit) = rough(seconds.saturating_abs());
    let plural = plural(number);
    match seconds {
        -59..=59 => "just now".to_owned(),
        60.. => format!("in {number} {unit}{plural}"),
        _ => format!("{number} {unit}{plural} ago"),
    }
}

/// Says how much is left: `28 more days`, `1 more hour`.
pub fn more(left: Duration) -> String {
    let (number, unit) = rough(left.whole_seconds().max(0));
    format!("{number} more {unit}{}", plural(number))
}

/// Rounds seconds to their largest unit: `3 minutes`, `1 hour`, `14 days`.
fn rough(seconds: i64) -> (i64, &'static str) {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let (unit, name) = if seconds >= 47 * HOUR {
        (DAY, "day")
    } else if seconds >= 59 * MINUTE {
        (HOUR, "hour")
    } else {
        (MINUTE, "minute")
    };
    ((seconds + unit / 2) / unit, name)
}

/// Counts in words: `1 minute`, `2 minutes`.
pub fn counted(number: i64, unit: &str) -> String {
    format!("{number} {unit}{}", plural(number))
}

fn plural(number: i64) -> &'static str {
    if number == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn a_moment_is_told_in_utc_and_without_zeros_in_front() {
        let abroad = DisplayTime::new(datetime!(2026-03-01 1:30 +2), NOW);
        assert_eq!(
            (abroad.iso.as_str(), abroad.words.as_str()),
            ("2026-02-28T23:30:00Z", "28 February 2026, 23:30 UTC")
        );
        assert_eq!(DisplayTime::new(datetime!(2026-03-01 0:05 UTC), NOW).words, "1 March 2026, 00:05 UTC");
    }

    #[test]
    fn a_moment_is_told_in_the_zone_of_its_reader_and_to_machines_in_utc() {
        let zone = |name: &str| Some(name.parse().unwrap());
        let told = |at, name| {
            let told = DisplayTime::in_zone(at, NOW, zone(name));
            (told.iso, told.words)
        };
        let expected = |iso: &str, words: &str| (iso.to_owned(), words.to_owned());
        let evening = datetime!(2026-12-31 23:30 UTC);
        assert_eq!(told(evening, "Europe/Berlin"), expected("2026-12-31T23:30:00Z", "1 January 2027, 00:30 CET"));
        assert_eq!(told(evening, "Asia/Kathmandu").1, "1 January 2027, 05:15 UTC+5:45");
        assert_eq!(told(NOW, "America/New_York").1, "21 November 2026, 03:30 EST");
        assert_eq!(DisplayTime::of_end_in_zone(NOW, NOW, zone("Europe/Paris")).words, "21 November 2026, 09:30 CET");
        assert_eq!(DisplayTime::in_zone(NOW, NOW, None), DisplayTime::new(NOW, NOW));
        let last = DisplayTime::in_zone(datetime!(9999-12-31 23:59:59 UTC), NOW, zone("Asia/Tokyo"));
        assert_eq!(last.words, "31 December 9999, 23:59 UTC");
    }

    #[test]
    fn days_are_named_from_now_back() {
        for (at, words) in [
            (datetime!(2026-11-21 0:00 UTC), "Today"),
            (datetime!(2026-11-20 23:59 UTC), "Yesterday"),
            (datetime!(2026-11-19 12:00 UTC), "Thursday, 19 November"),
            (datetime!(2025-12-31 12:00 UTC), "Wednesday, 31 December 2025"),
        ] {
            assert_eq!(Times::new(NOW, None).day(at), words);
        }
        let abroad = Times::new(NOW, "Asia/Tokyo".parse().ok());
        assert_eq!(abroad.day(datetime!(2026-11-20 15:00 UTC)), "Today", "midnight in Tokyo");
        assert!(!abroad.is_same_day(datetime!(2026-11-20 14:59 UTC), NOW));
    }

    #[test]
    fn moments_are_told_to_machines_and_people() {
        let moment = DisplayTime::new(NOW - Duration::minutes(3), NOW);
        assert_eq!(
            (moment.iso.as_str(), moment.words.as_str()),
            ("2026-11-21T08:27:00Z", "21 November 2026, 08:27 UTC")
        );
        let ago = |seconds| DisplayTime::new(NOW + Duration::seconds(seconds), NOW).ago;
        for (seconds, words) in [
            (-59, "just now"),
            (-60, "1 minute ago"),
            (-7200, "2 hours ago"),
            (-90_000, "25 hours ago"),
            (-172_800, "2 days ago"),
            (89, "in 1 minute"),
            (90, "in 2 minutes"),
            (899, "in 15 minutes"),
            (3_599, "in 1 hour"),
            (2_591_999, "in 30 days"),
            (2_592_000, "in 30 days"),
        ] {
            assert_eq!(ago(seconds), words);
        }
    }

    #[test]
    fn what_is_left_is_counted_in_its_largest_unit() {
        for (seconds, words) in
            [(-1, "0 more minutes"), (60, "1 more minute"), (3_600, "1 more hour"), (2_419_200, "28 more days")]
        {
            assert_eq!(more(Duration::seconds(seconds)), words);
        }
    }

    #[test]
    fn what_ends_soon_has_not_just_ended() {
        let ends = |seconds| DisplayTime::of_end(NOW + Duration::seconds(seconds), NOW).ago;
        for (seconds, words) in [
            (0, "just now"),
            (-59, "just now"),
            (-60, "1 minute ago"),
            (1, "in less than a minute"),
            (59, "in less than a minute"),
            (60, "in 1 minute"),
            (2_592_000, "in 30 days"),
        ] {
            assert_eq!(ends(seconds), words);
        }
    }
}
