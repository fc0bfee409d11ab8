//! What commands print, and how they fail.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::client::is_deceptive;
use crate::telemetry;

/// How a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be done: exit code 1.
    Failed(String),
    /// The settings make no sense: exit code 2.
    Usage(String),
    /// Whoever read what it prints has gone, as `head` does once it has enough: nothing is wrong.
    ReaderGone,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Says one line on standard error, as words or as an object of the log, and returns the exit code.
pub(super) fn complain(line: &str, code: u8, json: bool) -> ExitCode {
    if json {
        // Where the log has not been started yet, nothing else has anything to say.
        telemetry::start_json();
        tracing::error!("{line}");
        return ExitCode::from(code);
    }
    warn(&format!("perennial: {}", line.replace('\n', " ")));
    ExitCode::from(code)
}

/// Says a line on standard error.
pub(super) fn warn(line: &str) {
    // With standard error closed, there is nobody to tell.
    drop(writeln!(io::stderr(), "{}", printable(line)));
}

/// Prints lines on standard output.
pub(super) fn say(lines: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = writeln!(output, "{lines}").and_then(|()| output.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Failed(format!("cannot write to standard output: {error}")),
    })
}

/// Prints one JSON document on a line.
///
/// Within a document, a control character can only be in a text: where JSON itself does not escape it, this does, so that
/// a terminal shows it and does not obey it.
pub(super) fn say_json(document: &serde_json::Value) -> Result<(), Failure> {
    say(&json_line(document)?)
}

/// Returns that line.
pub(super) fn json_line(document: &serde_json::Value) -> Result<String, Failure> {
    let mut text = String::new();
    for c in document.to_string().chars() {
        if is_deceptive(c) { write!(text, "\\u{:04x}", u32::from(c))? } else { text.push(c) }
    }
    Ok(text)
}

/// Returns a text with a mark in the place of each character that would change how a terminal shows what is around it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_deceptive(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Writes a moment for people and programs alike: `2026-11-21T08:30:00Z`.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    // Only a year past 9999 cannot be written.
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_a_name() {
        assert_eq!(printable("A\u{1b}[2J\u{9b}31m\r\n\u{202e}b"), "A\u{fffd}[2J\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(printable("Ämilie 李"), "Ämilie 李");
    }
}
