//! `perennial backup`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Failure, say};
use crate::app::KEY_FILE;
use crate::config::{DatabaseUrl, Settings};
use crate::store::backup::back_up;

/// How often something moves where somebody watches.
const TICK: Duration = Duration::from_millis(100);

/// Writes a copy of the database.
pub(super) fn run(settings: &Settings, file: &Path) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(Failure::Usage(format!("FILE: takes the path of a file, and {} is a folder", file.display())));
    }
    if let Some(needed) = files_in_use(settings).iter().find(|needed| is_same(file, needed)) {
        return Err(Failure::Usage(format!("FILE: takes another file than {}, which is in use", needed.display())));
    }
    let bar = spinner("Backing up")?;
    let size = back_up(&settings.database, file);
    bar.finish_and_clear();
    say(&format!("Backed {} up to {}, {} bytes, and checked it", settings.database.shown(), file.display(), size?))
}

/// Returns the files that a backup must never replace.
fn files_in_use(settings: &Settings) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from(KEY_FILE), PathBuf::from(".env")];
    if let DatabaseUrl::Sqlite(database) = &settings.database {
        files.extend(["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{}{ending}", database.display()))));
    }
    files
}

/// Tells whether two paths lead to one file: by what is there, or by their names where nothing is.
fn is_same(file: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    match (identity(file), identity(other)) {
        (Some(file), Some(other)) => file == other,
        (None, None) => std::path::absolute(file).ok() == std::path::absolute(other).ok(),
        _ => false,
    }
}

/// Shows that something is going on, on a terminal.
pub(super) fn spinner(words: &'static str) -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}")?);
    bar.set_message(words);
    bar.enable_steady_tick(TICK);
    Ok(bar)
}
