//! One function a kind of setting: text in, value or what it takes out.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::settings::{ClientAddressHeader, DeviceBinding, LogFormat, Registration};
use crate::domain::client::is_deceptive;
use crate::domain::network::Network;
use crate::mail::Mailbox;
#[cfg(feature = "smtp")]
use crate::mail::Smtp;
use crate::store::url::{DatabaseUrl, InvalidDatabaseUrl};

/// Bytes of a signing secret at least: HS256 needs a key as long as its hash (RFC 7518 section 3.2).
const SECRET_MIN_BYTES: usize = 32;

/// The longest duration that makes sense: ten years.
const MAX_DURATION: Duration = Duration::days(3650);

/// Bytes of a Unix socket's path at most, as `sockaddr_un` holds them with a zero at the end (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// What a setting takes, said to whoever gave something else.
pub(super) type Takes = String;

const DURATION_TAKES: &str = "takes a duration such as 90s, 15m, 36h or 30d, at most 3650d";

/// Reads a duration of at least one second.
pub(super) fn lifetime(text: &str) -> Result<Duration, Takes> {
    let duration = duration(text)?;
    if duration.is_zero() { Err(format!("{DURATION_TAKES}, and more than nothing")) } else { Ok(duration) }
}

/// Reads a duration, which may be `0s`.
pub(super) fn duration(text: &str) -> Result<Duration, Takes> {
    let parsed = humantime::parse_duration(text).ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed
        .filter(|duration| *duration <= MAX_DURATION && duration.subsec_nanoseconds() == 0)
        .ok_or_else(|| DURATION_TAKES.to_owned())
}

/// Reads a decimal number of `unit`s.
pub(super) fn decimal(text: &str, unit: Duration) -> Result<Duration, Takes> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0 && *number < 1e6);
    number
        .map(|number| Duration::seconds((unit.as_seconds_f64() * number).round() as i64))
        .filter(|duration| (Duration::seconds(1)..=MAX_DURATION).contains(duration))
        .ok_or_else(|| "takes a decimal number above 0, such as 0.25 or 24, and at most ten years".to_owned())
}

/// Reads a whole number within bounds.
pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, Takes> {
    let parsed = text.parse().ok().filter(|number| (least..=most).contains(number));
    parsed.ok_or_else(|| format!("takes a whole number from {least} to {most}"))
}

/// Reads `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, Takes> {
    text.parse().map_err(|_| "takes true or false".to_owned())
}

/// A setting that is one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// The words, and what they stand for.
    const WORDS: &[(&'static str, Self)];
}

impl Choice for Registration {
    const WORDS: &[(&'static str, Self)] = &[("open", Self::Open), ("closed", Self::Closed)];
}

impl Choice for ClientAddressHeader {
    const WORDS: &[(&'static str, Self)] = &[("x-forwarded-for", Self::XForwardedFor), ("forwarded", Self::Forwarded)];
}

impl Choice for DeviceBinding {
    const WORDS: &[(&'static str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}

impl Choice for LogFormat {
    const WORDS: &[(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// Reads one of a few words.
pub(super) fn choice<T: Choice>(text: &str) -> Result<T, Takes> {
    let found = T::WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        format!("takes {}", words.join(" or "))
    })
}

/// Reads an address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, Takes> {
    text.parse().map_err(|_| "takes an address and a port such as 127.0.0.1:8080".to_owned())
}

/// Reads where a Unix socket is made.
pub(super) fn socket_path(text: &str) -> Result<PathBuf, Takes> {
    let path = PathBuf::from(text);
    if path.is_absolute() && text.len() <= LONGEST_SOCKET_PATH && !text.contains('\0') {
        Ok(path)
    } else {
        Err(format!(
            "takes unix: and an absolute path of at most {LONGEST_SOCKET_PATH} bytes, such as unix:/run/perennial/http.sock"
        ))
    }
}

/// Reads comma-separated networks; a bare address is a network of one.
pub(super) fn networks(text: &str) -> Result<Vec<Network>, Takes> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse().map_err(|_| "takes networks such as 10.0.0.0/8,::1/128, separated by commas".to_owned())
        })
        .collect()
}

/// Reads secrets with commas or line breaks between them, as they stand in a key file.
pub(super) fn secrets(text: &str) -> Result<Vec<SecretString>, Takes> {
    let secrets: Vec<SecretString> = text.trim().split([',', '\n']).map(str::trim).map(SecretString::from).collect();
    if secrets.iter().any(|secret| secret.expose_secret().len() < SECRET_MIN_BYTES) {
        return Err(format!(
            "takes one or more secrets of at least {SECRET_MIN_BYTES} bytes, separated by commas; `perennial secret` makes one"
        ));
    }
    Ok(secrets)
}

/// Reads where the data lives.
pub(super) fn database(text: &str) -> Result<DatabaseUrl, Takes> {
    text.parse().map_err(|error: InvalidDatabaseUrl| error.to_string())
}

/// Reads where mail goes.
#[cfg(feature = "smtp")]
pub(super) fn smtp_url(text: &str) -> Result<SecretString, Takes> {
    if Smtp::takes(text) {
        return Ok(SecretString::from(text));
    }
    Err("takes smtps://user:password@host:port, or smtp:// likewise, with ?tls=required or ?tls=opportunistic for \
         STARTTLS"
        .to_owned())
}

/// Refuses a mail server, which nothing here could reach.
#[cfg(not(feature = "smtp"))]
pub(super) fn smtp_url(_: &str) -> Result<SecretString, Takes> {
    Err("names a mail server, which this build of perennial cannot reach: build it with the feature smtp".to_owned())
}

/// Reads whom mail is from: an address, or a name and an address in angle brackets.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, Takes> {
    let plain = !text.chars().any(is_deceptive);
    let mailbox = if plain { text.parse().ok() } else { None };
    mailbox.ok_or_else(|| "takes an address such as Perennial <no-reply@example.org>".to_owned())
}

/// Reads the path of a folder.
pub(super) fn folder(text: &str) -> Result<PathBuf, Takes> {
    let folder = PathBuf::from(text);
    if folder.is_dir() { Ok(folder) } else { Err("takes a folder that exists".to_owned()) }
}

/// Code points of a site's name at most: it stands beside the navigation, and before the address in a mail.
const LONGEST_NAME: usize = 60;

/// Reads what the site is called.
pub(super) fn site_name(text: &str) -> Result<String, Takes> {
    let name = text.trim();
    let plain = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(is_deceptive);
    if plain {
        Ok(name.to_owned())
    } else {
        Err("takes a name of at most 60 characters, such as Example Ltd".to_owned())
    }
}

/// Reads the path of a folder that may not be there yet.
pub(super) fn folder_to_make(text: &str) -> Result<PathBuf, Takes> {
    let path = PathBuf::from(text);
    let usable = !text.is_empty() && !text.contains('\0') && (path.is_dir() || !path.exists());
    if usable { Ok(path) } else { Err("takes a folder, or the path of one to make".to_owned()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_site_has_a_name_that_can_be_read() {
        assert_eq!(site_name(" Example Ltd "), Ok("Example Ltd".to_owned()));
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(61)] {
            assert!(site_name(bad).is_err(), "{bad:?}");
        }
    }

    use super::*;
    use crate::config::settings::{LogFormat, Registration};

    #[test]
    fn durations_are_seconds_minutes_hours_or_days() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("36h", 129_600), ("30d", 2_592_000)] {
            assert_eq!(lifetime(text), Ok(Duration::seconds(seconds)));
        }
        for text in ["", "15", "m", "-1s", "0s", "4000d", "500ms"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_choice_names_what_there_is() {
        assert_eq!(choice("open"), Ok(Registration::Open));
        assert_eq!(choice("json"), Ok(LogFormat::Json));
        assert_eq!(choice::<Registration>("Open"), Err("takes open or closed".to_owned()));
        assert_eq!(choice::<LogFormat>(""), Err("takes text or json".to_owned()));
    }

    #[test]
    fn decimals_are_rounded_to_whole_seconds() {
        assert_eq!(decimal("0.25", Duration::HOUR), Ok(Duration::minutes(15)));
        assert_eq!(decimal("7", Duration::DAY), Ok(Duration::days(7)));
        for text in ["", "x", "0", "-1", "inf", "NaN", "1e9"] {
            assert!(decimal(text, Duration::HOUR).is_err(), "{text}");
        }
    }

    #[test]
    fn a_short_secret_is_refused_without_being_repeated() {
        let long = "x".repeat(32);
        assert_eq!(secrets(&format!("{long},{long}")).map(|secrets| secrets.len()), Ok(2));
        for text in ["", "short", &format!("{long},short"), &format!("{long},")] {
            assert!(secrets(text).is_err_and(|takes| !takes.contains("short")), "{text}");
        }
    }

    #[test]
    fn networks_and_bare_addresses_are_read() {
        assert_eq!(networks("10.0.0.0/8, ::1").map(|networks| networks.len()), Ok(2));
        assert!(networks("10.0.0.0/8,localhost").is_err());
    }

    #[test]
    fn a_mail_server_is_one_that_the_library_reaches() {
        for text in [
            "smtp://localhost",
            "smtp://127.0.0.1:2525",
            "smtp://ada:p%40ss@example.org?tls=required",
            "smtp://example.org:587/perennial.example.org?tls=opportunistic",
            "smtps://ada:pass@example.org:465",
        ] {
            assert!(smtp_url(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "example.org",
            "localhost:25",
            "smtp://",
            "smtp:example.org",
            "http://example.org",
            "smtp://ada@example.org",
            "smtp://ada:pass@",
            "smtp://example.org?TLS=required",
            "smtp://example.org?tls=yes",
            "smtp://example.org:99999",
            "smtp://[::1]:25",
            "smtp://ada:%ff@example.org",
        ] {
            assert!(smtp_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sender_has_an_address_and_breaks_no_header() {
        for text in ["no-reply@example.org", "Perennial <no-reply@example.org>", "\"Ada, L.\" <ada@localhost>"] {
            assert!(mailbox(text).is_ok(), "{text}");
        }
        for text in
            ["", "Perennial", "a@b@c", "Ada <ada@example.org>\r\nBcc: x@example.org", "\"A\nB\" <a@example.org>"]
        {
            assert!(mailbox(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(folder_to_make(file.path().to_str().unwrap()).is_err());
        assert!(folder_to_make("").is_err());
        assert_eq!(folder_to_make("not/there/yet"), Ok(PathBuf::from("not/there/yet")));
    }
}
