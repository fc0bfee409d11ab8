//! The time zone that somebody reads times in.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use time::{OffsetDateTime, UtcOffset};

/// The IANA Time Zone Database (RFC 6557) that the program brings along: the same answers on every machine, also where
/// `/usr/share/zoneinfo` is missing or old.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The names of all zones, in alphabetical order.
static NAMES: LazyLock<Vec<Box<str>>> = LazyLock::new(|| {
    let mut names: Vec<Box<str>> = DATABASE.available().map(|name| name.as_str().into()).collect();
    names.sort_unstable();
    names
});

/// The areas whose zones a form offers: what people know a zone by is a city of one of these. The other names are old
/// ones of the same zones, or of fixed offsets whose sign reads the wrong way round (`Etc/GMT+5` is behind UTC).
const AREAS: [&str; 10] =
    ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];

/// A time zone of the IANA database.
///
/// It is a place in the list of the bundled names, two bytes long, because every identity in memory holds one. The number
/// means nothing outside this process: what is stored is the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeZone(u16);

/// Says that a text names no time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Choose a time zone from the list")]
pub struct InvalidTimeZone;

impl TimeZone {
    /// Returns the name, as in `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).map_or("UTC", |name| name)
    }

    /// Returns the names that a form offers, in alphabetical order.
    pub fn offered() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|name| &**name).filter(|name| AREAS.iter().any(|area| is_in(name, area)))
    }

    /// Returns the offset from UTC in force at a moment, and the letters that people write for it (`CET`), or the offset
    /// in figures where there are none (`UTC+5:45`).
    pub fn at(self, moment: OffsetDateTime) -> (UtcOffset, String) {
        let utc = || (UtcOffset::UTC, "UTC".to_owned());
        let (Ok(zone), Ok(moment)) = (DATABASE.get(self.name()), Timestamp::from_second(moment.unix_timestamp()))
        else {
            return utc();
        };
        let found = zone.to_offset_info(moment);
        let Ok(offset) = UtcOffset::from_whole_seconds(found.offset().seconds()) else { return utc() };
        let letters = found.abbreviation();
        let words =
            if letters.bytes().all(|byte| byte.is_ascii_alphabetic()) { letters.to_owned() } else { figures(offset) };
        (offset, words)
    }
}

fn is_in(name: &str, area: &str) -> bool {
    name.strip_prefix(area).is_some_and(|rest| rest.starts_with('/'))
}

/// Writes an offset: `UTC-3`, `UTC+5:45`.
fn figures(offset: UtcOffset) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
    if minutes == 0 { format!("UTC{sign}{hours}") } else { format!("UTC{sign}{hours}:{minutes:02}") }
}

impl FromStr for TimeZone {
    type Err = InvalidTimeZone;

    fn from_str(name: &str) -> Result<Self, InvalidTimeZone> {
        let place = NAMES.binary_search_by(|known| (**known).cmp(name)).map_err(|_| InvalidTimeZone)?;
        u16::try_from(place).map(Self).map_err(|_| InvalidTimeZone)
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn at(name: &str, moment: OffsetDateTime) -> (i32, String) {
        let (offset, words) = name.parse::<TimeZone>().unwrap().at(moment);
        (offset.whole_seconds(), words)
    }

    #[test]
    fn a_zone_survives_the_way_through_the_database() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kathmandu", "US/Pacific"] {
            assert_eq!(name.parse::<TimeZone>().unwrap().name(), name);
        }
        assert!(TimeZone::offered().all(|name| name.parse::<TimeZone>().is_ok_and(|zone| zone.name() == name)));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in
            ["", " ", "Berlin", "Europe/", "Europe/Berlin ", "../../etc/passwd", "Europe/Berlin\0", "CEST", "+01:00"]
        {
            assert_eq!(name.parse::<TimeZone>(), Err(InvalidTimeZone), "{name:?}");
        }
    }

    #[test]
    fn the_offset_is_the_one_in_force_at_the_moment() {
        let (summer, winter) = (datetime!(2026-07-01 0:00 UTC), datetime!(2026-12-01 0:00 UTC));
        assert_eq!(at("Europe/Berlin", winter), (3600, "CET".to_owned()));
        assert_eq!(at("Europe/Berlin", summer), (7200, "CEST".to_owned()));
        // The clocks go forward at 01:00 UTC.
        assert_eq!(at("Europe/Berlin", datetime!(2026-03-29 0:59:59 UTC)).0, 3600);
        assert_eq!(at("Europe/Berlin", datetime!(2026-03-29 1:00 UTC)).0, 7200);
        assert_eq!(at("Asia/Kathmandu", winter), (20_700, "UTC+5:45".to_owned()));
        assert_eq!(at("America/Sao_Paulo", winter), (-10_800, "UTC-3".to_owned()));
        assert_eq!(at("UTC", winter), (0, "UTC".to_owned()));
        // And far away, in a year that nobody has rules for.
        assert_eq!(at("Europe/Berlin", datetime!(2500-07-01 0:00 UTC)).0, 7200);
        assert_eq!(at("America/New_York", OffsetDateTime::UNIX_EPOCH).0, -18_000);
    }

    #[test]
    fn a_form_offers_cities() {
        let offered: Vec<_> = TimeZone::offered().collect();
        assert!(offered.len() > 300 && offered.is_sorted(), "{}", offered.len());
        assert!(offered.contains(&"Europe/Berlin") && !offered.contains(&"Etc/GMT+5") && !offered.contains(&"EST"));
    }
}
