//! Durations in words.

use time::Duration;

use crate::display::time::counted;

/// Says a setting exactly, in the largest unit that divides it: `30 days`, `36 hours`, `90 seconds`.
pub fn exactly(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    match units.into_iter().find(|(_, length)| seconds % length == 0 && seconds != 0) {
        Some((unit, length)) => counted(seconds / length, unit),
        None => counted(seconds, "second"),
    }
}

/// Says how long to wait, in whole units and never too short: `30 seconds`, `4 minutes`, `1 hour`.
pub fn roughly(wait: Duration) -> String {
    let seconds = wait.whole_seconds().max(1);
    match seconds {
        ..60 => counted(seconds, "second"),
        60..3541 => counted((seconds + 59) / 60, "minute"),
        _ => counted((seconds + 3599) / 3600, "hour"),
    }
}

/// Says what is left as minutes and seconds, as the countdown shows it: `14m 3s`.
pub fn countdown(left: Duration) -> String {
    let seconds = left.whole_seconds().max(0);
    format!("{}m {}s", seconds / 60, seconds % 60)
}

/// Counts things in words, with small numbers spelled out: `one device`, `three devices`, `12 devices`.
pub fn spelled(count: usize, thing: &str) -> String {
    const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let plural = if count == 1 { "" } else { "s" };
    match WORDS.get(count) {
        Some(word) => format!("{word} {thing}{plural}"),
        None => format!("{count} {thing}{plural}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_not_told_to_come_too_early() {
        for (seconds, words) in [
            (0, "1 second"),
            (30, "30 seconds"),
            (60, "1 minute"),
            (61, "2 minutes"),
            (3540, "59 minutes"),
            (3541, "1 hour"),
            (3600, "1 hour"),
            (3601, "2 hours"),
        ] {
            assert_eq!(roughly(Duration::seconds(seconds)), words);
        }
    }

    #[test]
    fn small_numbers_are_spelled_out() {
        let counts =
            [(0, "no devices"), (1, "one device"), (3, "three devices"), (10, "ten devices"), (11, "11 devices")];
        for (count, words) in counts {
            assert_eq!(spelled(count, "device"), words);
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
}
