//! Copies of a SQLite database that is in use, each of one moment and checked before it takes anybody's place.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use tempfile::NamedTempFile;

use super::error::StoreError;
use super::sqlite::{SqliteFile, integrity};
use super::url::DatabaseUrl;

/// How the name of a copy begins while it is being written; one that was left behind by a kill is of no use.
pub(super) const DRAFT: &str = ".perennial-copy-";

/// Why there is no new backup; what had its name before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is a server.
    #[error("{0} is backed up with PostgreSQL's own tools: pg_dump --format=custom makes a copy, pg_restore reads it")]
    Postgres(String),
    /// There is no database.
    #[error("there is no database {0}")]
    Missing(String),
    /// The copy cannot be written.
    #[error("cannot write a backup to {}: {source}; what was there before is untouched", path.display())]
    Write {
        /// The backup, or the folder it would be in.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The copy is damaged, as the database itself is or its disk.
    #[error("the backup of {place} was thrown away, for it is damaged ({words}): run perennial doctor")]
    Damaged {
        /// The database.
        place: String,
        /// The damage, in SQLite's own words.
        words: String,
    },
    /// The database has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a copy of the database to `to`, for its owner alone, in the place of what is there; returns its size in bytes.
///
/// It is of one moment, also while a server writes, which waits for nothing. It is checked, and on disk, before it gets its
/// name: whatever goes wrong, an older backup stays.
///
/// # Errors
/// What was there before is untouched.
pub fn back_up(url: &DatabaseUrl, to: &Path) -> Result<u64, BackupError> {
    let Some(path) = url.file() else { return Err(BackupError::Postgres(url.shown())) };
    let source = SqliteFile::at(path);
    if !source.exists() {
        return Err(BackupError::Missing(url.shown()));
    }
    let failed = |source: io::Error| BackupError::Write { path: to.to_owned(), source: source.into() };
    let folder = folder_of(to);
    let copy = copy(&source, path, folder)?;
    let size = copy.as_file().metadata().map_err(failed)?.len();
    copy.persist(to).map_err(|error| failed(error.error))?;
    sync_folder(folder).map_err(failed)?;
    Ok(size)
}

/// Copies a database to a file without a name of its own in `folder`, checked and on disk; it is gone unless it is kept.
pub(super) fn copy(source: &SqliteFile, path: &Path, folder: &Path) -> Result<NamedTempFile, BackupError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| BackupError::Write { path: folder.to_owned(), source };
    // Mode 0600, as SQLite would not make it; an empty file is what VACUUM INTO takes beside none.
    let draft =
        tempfile::Builder::new().prefix(DRAFT).tempfile_in(folder).map_err(|error| failed(plain(error).into()))?;
    // A path from the root is a path: SQLite would read a name that begins with `file:` as a URI.
    let target = std::path::absolute(draft.path()).map_err(|error| failed(error.into()))?;
    let Some(target_text) = target.to_str() else { return Err(failed("the path is not UTF-8".into())) };
    let mut connection = source.look()?;
    // The first look into a file that is none fails here, and not the copy.
    connection.batch_execute("SELECT count(*) FROM sqlite_master").map_err(|error| source.unreadable(error.into()))?;
    let into = format!("VACUUM INTO '{}'", target_text.replace('\'', "''"));
    connection.batch_execute(&into).map_err(|error| failed(error.into()))?;
    drop(connection);
    let mut written = SqliteFile::at(&target).look()?;
    if let Some(words) = integrity(&mut written)? {
        return Err(BackupError::Damaged { place: path.display().to_string(), words });
    }
    drop(written);
    draft.as_file().sync_all().map_err(|error| failed(error.into()))?;
    Ok(draft)
}

/// Returns the folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the names of a folder to the disk, so that a file keeps its new one whatever happens.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns what the system said, without the random name of a temporary file.
fn plain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}
