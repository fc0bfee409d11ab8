//! Moments in words, for pages and mails alike.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A moment as a page or a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub iso: String,
    /// For people: `21 November 2026, 08:30 UTC`.
    pub words: String,
    /// From now: `3 minutes ago`, `in 2 days`.
    pub ago: String,
}

impl Moment {
    /// Describes `at`, seen from `now`.
    ///
    /// In UTC, and it says so: without a script there is no knowing the reader's time zone.
    pub fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let iso = at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"));
        let words = at.format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"));
        Self { iso: iso.unwrap_or_default(), words: words.unwrap_or_default(), ago: from_now(at - now) }
    }
}

fn from_now(difference: Duration) -> String {
    if difference.abs() < Duration::MINUTE {
        "just now".to_owned()
    } else if difference.is_positive() {
        format!("in {}", rough(difference))
    } else {
        format!("{} ago", rough(difference.abs()))
    }
}

/// Rounds a duration to its largest unit: `3 minutes`, `1 hour`, `14 days`.
fn rough(duration: Duration) -> String {
    let rounded = |unit: Duration| (duration.whole_seconds() + unit.whole_seconds() / 2) / unit.whole_seconds();
    if duration >= Duration::hours(47) {
        counted(rounded(Duration::DAY), "day")
    } else if duration >= Duration::minutes(59) {
        counted(rounded(Duration::HOUR), "hour")
    } else {
        counted(rounded(Duration::MINUTE), "minute")
    }
}

/// Counts in words: `1 minute`, `2 minutes`.
pub fn counted(number: i64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn moments_are_told_to_machines_and_people() {
        let moment = Moment::new(NOW - Duration::minutes(3), NOW);
        assert_eq!(
            (moment.iso.as_str(), moment.words.as_str()),
            ("2026-11-21T08:27:00Z", "21 November 2026, 08:27 UTC")
        );
        let ago = |seconds| Moment::new(NOW + Duration::seconds(seconds), NOW).ago;
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
