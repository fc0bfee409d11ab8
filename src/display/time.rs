//! Moments in words, for pages and mails alike.

use time::{Month, OffsetDateTime, UtcOffset};

/// A moment as a page or a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayTime {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub iso: String,
    /// For people: `21 November 2026, 08:30 UTC`.
    pub words: String,
    /// From now: `3 minutes ago`, `in 2 days`.
    pub ago: String,
}

impl DisplayTime {
    /// Describes `at`, seen from `now`.
    ///
    /// In UTC, and it says so: without a script there is no knowing the reader's time zone.
    pub fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let ago = from_now(at.unix_timestamp() - now.unix_timestamp());
        let at = if at.offset().is_utc() { at } else { at.to_offset(UtcOffset::UTC) };
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let [m, d, h, n, s] = [u8::from(month), day, hour, minute, second].map(digits);
        // Character by character: the formatter of the library takes as long as the rest of a page.
        let rest = [b'-', m[0], m[1], b'-', d[0], d[1], b'T', h[0], h[1], b':', n[0], n[1], b':', s[0], s[1], b'Z'];
        let clock = [b',', b' ', h[0], h[1], b':', n[0], n[1], b' ', b'U', b'T', b'C'];
        let (near, far);
        let year = match u16::try_from(year) {
            Ok(year @ 0..=9999) => {
                near = [(year / 100) as u8, (year % 100) as u8].map(digits);
                near.as_flattened()
            }
            _ => {
                far = format!("{year:05}");
                far.as_bytes()
            }
        };
        let month = month_name(month).as_bytes();
        Self { iso: joined([year, &rest]), words: joined([without_zero(&d), b" ", month, b" ", year, &clock]), ago }
    }
}

/// Puts pieces of ASCII together.
fn joined<const N: usize>(pieces: [&[u8]; N]) -> String {
    let mut text = Vec::with_capacity(40);
    for piece in pieces {
        text.extend_from_slice(piece);
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Returns the two digits of a number below 100.
fn digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Takes the first of two digits away where it is a zero.
fn without_zero(digits: &[u8; 2]) -> &[u8] {
    match digits {
        [b'0', ones] => std::slice::from_ref(ones),
        both => both,
    }
}

fn month_name(month: Month) -> &'static str {
    match month {
        Month::January => "January",
        Month::February => "February",
        Month::March => "March",
        Month::April => "April",
        Month::May => "May",
        Month::June => "June",
        Month::July => "July",
        Month::August => "August",
        Month::September => "September",
        Month::October => "October",
        Month::November => "November",
        Month::December => "December",
    }
}

fn from_now(seconds: i64) -> String {
    let (number, unit) = rough(seconds.saturating_abs());
    match seconds {
        -59..=59 => "just now".to_owned(),
        60.. => count("in ", number, unit, ""),
        _ => count("", number, unit, " ago"),
    }
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
    count("", number, unit, "")
}

fn count(before: &str, number: i64, unit: &str, after: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    match u8::try_from(number) {
        Ok(small @ 0..=99) => {
            let number = digits(small);
            joined([
                before.as_bytes(),
                without_zero(&number),
                b" ",
                unit.as_bytes(),
                plural.as_bytes(),
                after.as_bytes(),
            ])
        }
        _ => format!("{before}{number} {unit}{plural}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::{datetime, format_description};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn a_moment_is_written_as_the_library_would_write_it() {
        let iso = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let words = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        for days in 0..1000 {
            let at = datetime!(1970-01-01 0:00 UTC) + Duration::days(days * 53) + Duration::seconds(days * 4_567);
            let moment = DisplayTime::new(at, NOW);
            assert_eq!((moment.iso, moment.words), (at.format(iso).unwrap(), at.format(words).unwrap()));
        }
        for at in [datetime!(-5-1-2 3:04 UTC), datetime!(0-1-2 3:04 UTC), datetime!(9999-12-31 23:59:59 UTC)] {
            let moment = DisplayTime::new(at, NOW);
            assert_eq!((moment.iso, moment.words), (at.format(iso).unwrap(), at.format(words).unwrap()));
        }
        let abroad = DisplayTime::new(datetime!(2026-03-01 1:30 +2), NOW);
        assert_eq!(abroad.words, "28 February 2026, 23:30 UTC");
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
}
