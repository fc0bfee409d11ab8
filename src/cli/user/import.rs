//! `perennial user import`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::accounts::{Format, Pass, UserImport};
use crate::app::{open_database, system_clock};
use crate::cli::output::{Failure, say};
use crate::config::Settings;

/// How far it is, in the file; where standard error is no terminal, nothing is shown.
const BAR: &str = "{msg} [{wide_bar}] {percent}% {eta}";

/// Adds everybody in a file, or nobody.
pub(super) fn run(settings: &Settings, file: &Path, skip_invalid: bool) -> Result<(), Failure> {
    let format = match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Format::Csv,
        Some("jsonl") => Format::JsonLines,
        _ => return Err(Failure::Usage("FILE: takes a file whose name ends in .csv or .jsonl".to_owned())),
    };
    let shown = file.display();
    let unreadable = |error: std::io::Error| Failure::Failed(format!("cannot read {shown}: {error}"));
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    let (database, _) = open_database(settings)?;
    let bar = ProgressBar::new(length).with_style(ProgressStyle::with_template(BAR)?);
    let open = |pass| {
        bar.reset();
        bar.set_message(match pass {
            Pass::Check => "Checking",
            Pass::Add => "Importing",
        });
        File::open(file).map(|opened| BufReader::new(bar.wrap_read(opened)))
    };
    let import = UserImport { format, skip_invalid, now: system_clock().now() };
    let imported = import.run(&database, open, |line, problem| {
        // With standard error closed, the exit code alone has to say it.
        drop(bar.suspend(|| writeln!(std::io::stderr(), "line {line}: {problem}")));
    });
    bar.finish_and_clear();
    let imported = imported.map_err(|error| Failure::Failed(format!("{shown}: {error}")))?;
    let users = match imported.users {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    };
    match imported.skipped {
        0 => say(&format!("Imported {users}")),
        1 => say(&format!("Imported {users}; 1 line was left out")),
        skipped => say(&format!("Imported {users}; {skipped} lines were left out")),
    }
}
