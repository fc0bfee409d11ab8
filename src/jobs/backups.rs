//! The server's own backups of a SQLite database.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::{OffsetDateTime, PrimitiveDateTime};

use super::worker::{Stopped, Worker};
use crate::domain::clock::Clock;
use crate::store::backup::{BackupError, back_up};
use crate::store::restore::FILE_TIME;
use crate::store::url::DatabaseUrl;

/// How often it is asked whether a backup is due, where they are not made more often than that.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The pause after a backup that failed: a full disk is not filled once a minute.
const RETRY: Duration = Duration::from_secs(600);

/// What is around the time in the name of a backup.
const NAME: (&str, &str) = ("perennial-", ".db");

/// What to back up, where to and how often.
#[derive(Debug, Clone)]
pub struct BackupPlan {
    /// The database.
    pub database: DatabaseUrl,
    /// The folder; it is made when it is first needed.
    pub folder: PathBuf,
    /// The time between two backups.
    pub every: time::Duration,
    /// How many of them are kept.
    pub keep: usize,
}

/// A thread that backs up; it ends when this is dropped.
#[derive(Debug)]
pub struct BackupWorker {
    worker: Worker,
}

impl BackupWorker {
    /// Starts the thread. The first backup is made at once, unless there is one that is young enough.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(plan: BackupPlan, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self { worker: Worker::start("backups", move |stopped| work(&plan, clock.as_ref(), stopped))? })
    }

    /// Ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.worker.stop();
    }
}

fn work(plan: &BackupPlan, clock: &dyn Clock, stopped: &Stopped) {
    let every = Duration::try_from(plan.every).unwrap_or(LOOK_EVERY);
    loop {
        let pause = match back_up_if_due(plan, clock.now()) {
            Ok(()) => every.min(LOOK_EVERY),
            Err(error) => {
                tracing::error!(%error, "no backup was made; nothing else is affected");
                every.min(RETRY)
            }
        };
        if stopped.within(pause) {
            return;
        }
    }
}

fn back_up_if_due(plan: &BackupPlan, now: OffsetDateTime) -> Result<(), BackupError> {
    let failed = |source: io::Error| BackupError::Write { path: plan.folder.clone(), source: source.into() };
    // One from the future is of a clock that was wrong, and no reason to wait.
    let young = |at: &OffsetDateTime| *at <= now && now - *at < plan.every;
    if backups(&plan.folder).map_err(failed)?.iter().any(|(at, _)| young(at)) {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&plan.folder).map_err(failed)?;
    let at = now.format(FILE_TIME).map_err(|error| failed(io::Error::other(error)))?;
    let (before, after) = NAME;
    let file = plan.folder.join(format!("{before}{at}{after}"));
    let bytes = back_up(&plan.database, &file)?;
    tracing::info!(file = %file.display(), bytes, "backed up");
    let all = backups(&plan.folder).map_err(failed)?;
    let too_many = all.len().saturating_sub(plan.keep);
    all.iter().take(too_many).try_for_each(|(_, old)| fs::remove_file(old)).map_err(failed)
}

/// Returns the backups in a folder, oldest first; none where there is no folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn backups(folder: &Path) -> io::Result<Vec<(OffsetDateTime, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(at) = entry.file_name().to_str().and_then(time_of) {
            found.push((at, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn time_of(name: &str) -> Option<OffsetDateTime> {
    let (before, after) = NAME;
    let at = name.strip_prefix(before)?.strip_suffix(after)?;
    PrimitiveDateTime::parse(at, FILE_TIME).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 8:30 UTC);

    fn plan(folder: &Path) -> BackupPlan {
        let database = folder.join("a.db");
        fs::write(&database, "").unwrap();
        BackupPlan {
            database: DatabaseUrl::Sqlite(database),
            folder: folder.join("not/there/yet"),
            every: time::Duration::HOUR,
            keep: 3,
        }
    }

    fn names(plan: &BackupPlan) -> Vec<String> {
        let all = backups(&plan.folder).unwrap();
        all.into_iter().map(|(_, path)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_backup_is_made_once_it_is_due_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        for (minutes, count) in [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2), (600, 3), (660, 3)] {
            back_up_if_due(&plan, NOW + time::Duration::minutes(minutes)).unwrap();
            assert_eq!(names(&plan).len(), count, "{minutes}");
        }
        let last = ["perennial-20261121T093000Z.db", "perennial-20261121T183000Z.db", "perennial-20261121T193000Z.db"];
        assert_eq!(names(&plan), last);
        fs::write(plan.folder.join("perennial-by-hand.db"), "").unwrap();
        back_up_if_due(&plan, NOW + time::Duration::minutes(720)).unwrap();
        assert!(plan.folder.join("perennial-by-hand.db").exists(), "what has another name is somebody else's");
    }

    #[test]
    fn a_clock_that_was_wrong_holds_up_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        back_up_if_due(&plan, NOW + time::Duration::days(400)).unwrap();
        back_up_if_due(&plan, NOW).unwrap();
        back_up_if_due(&plan, NOW + time::Duration::minutes(5)).unwrap();
        assert_eq!(names(&plan), ["perennial-20261121T083000Z.db", "perennial-20271226T083000Z.db"]);
    }

    #[test]
    fn a_backup_that_fails_costs_no_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let plan = BackupPlan { keep: 1, ..plan(folder.path()) };
        back_up_if_due(&plan, NOW).unwrap();
        fs::write(folder.path().join("a.db"), "this is no database").unwrap();
        let later = NOW + time::Duration::days(1);
        assert!(back_up_if_due(&plan, later).is_err());
        assert_eq!(names(&plan), ["perennial-20261121T083000Z.db"]);
        assert_eq!(fs::read_dir(&plan.folder).unwrap().count(), 1, "no half of one is left");
    }
}
