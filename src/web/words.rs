//! Times, durations and devices in words.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A moment as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub(crate) iso: String,
    /// For people: `21 November 2026, 08:30 UTC`.
    pub(crate) words: String,
    /// From now: `3 minutes ago`, `in 2 days`.
    pub(crate) ago: String,
}

impl Moment {
    /// Describes `at`, seen from `now`.
    ///
    /// In UTC, and it says so: without a script there is no knowing the reader's time zone.
    pub(crate) fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
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

/// Says a setting exactly, in the largest unit that divides it: `30 days`, `36 hours`, `90 seconds`.
pub(super) fn exactly(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    match units.into_iter().find(|(_, length)| seconds % length == 0 && seconds != 0) {
        Some((unit, length)) => counted(seconds / length, unit),
        None => counted(seconds, "second"),
    }
}

fn counted(number: i64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// Says what is left as minutes and seconds, as the countdown shows it: `14m 3s`.
pub(super) fn countdown(left: Duration) -> String {
    let seconds = left.whole_seconds().max(0);
    format!("{}m {}s", seconds / 60, seconds % 60)
}

/// Names a browser and its system: `Chrome on Linux`; `Unknown browser` where it does not say.
pub(crate) fn device(user_agent: &str) -> String {
    let Some(found) = woothee::parser::Parser::new().parse(user_agent) else {
        return "Unknown browser".to_owned();
    };
    let system = match found.os {
        "Mac OSX" => "macOS",
        "Windows UNKNOWN Ver" => "Windows",
        system if system.starts_with("Windows") => "Windows",
        system => system,
    };
    match (found.name, system) {
        ("UNKNOWN", "UNKNOWN") => "Unknown browser".to_owned(),
        ("UNKNOWN", system) => format!("Unknown browser on {system}"),
        (name, "UNKNOWN") => name.to_owned(),
        (name, system) => format!("{name} on {system}"),
    }
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

    #[test]
    fn settings_are_said_exactly() {
        for (seconds, words) in [(2_592_000, "30 days"), (129_600, "36 hours"), (90, "90 seconds"), (60, "1 minute")] {
            assert_eq!(exactly(Duration::seconds(seconds)), words);
        }
        assert_eq!(countdown(Duration::seconds(843)), "14m 3s");
        assert_eq!(countdown(Duration::seconds(-5)), "0m 0s");
    }

    #[test]
    fn browsers_of_today_are_named() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        for (user_agent, name) in [
            (chrome.to_owned(), "Chrome on Linux"),
            (format!("{chrome} Edg/142.0.0.0").replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64"), "Edge on Windows"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0".into(), "Firefox on Windows"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15".into(), "Safari on macOS"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1".into(), "Safari on iPhone"),
            ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36".into(), "Chrome on Android"),
            (String::new(), "Unknown browser"),
            ("<script>alert(1)</script>".into(), "Unknown browser"),
        ] {
            assert_eq!(device(&user_agent), name, "{user_agent}");
        }
    }
}
