//! What commands print, and how they fail.

use std::io::Write;
use std::process::ExitCode;

use crate::telemetry;

/// How a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be done: exit code 1.
    Failed(String),
    /// The settings make no sense: exit code 2.
    Usage(String),
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
    let said = writeln!(std::io::stderr(), "perennial: {}", line.replace('\n', " "));
    // With standard error closed, the exit code alone has to say it.
    drop(said);
    ExitCode::from(code)
}

/// Prints lines on standard output.
pub(super) fn say(lines: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{lines}")?;
    Ok(output.flush()?)
}
