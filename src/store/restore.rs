//! Puts a backup in the place of a SQLite database that nobody uses.
//!
//! The backup is copied beside the database, checked, migrated and changed there; only then does it take the database's
//! name, in one step, and what had the name before is kept under another.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::Connection;
use super::backup::{BackupError, copy, folder_of, sync_folder};
use super::connection::Place;
use super::error::StoreError;
use super::migrations;
use super::moved::refuse_moved;
use super::schema::{dropped_keys, nodes, users};
use super::sqlite::{SqliteFile, leave_wal};
use super::tables;
use super::url::DatabaseUrl;

/// How a moment is written in the name of a file: `20261121T083000Z`.
pub const FILE_TIME: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");

/// The first byte and the number of bytes of a database file that SQLite locks; whoever has the file open in WAL mode holds
/// a lock on some of them (<https://www.sqlite.org/src/file?name=src/os_unix.c>, `PENDING_BYTE`).
const LOCKED_BYTES: (u64, u64) = (0x4000_0000, 512);

/// Why nothing was restored; the database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is a server.
    #[error("{0} is restored with PostgreSQL's own tools: pg_restore reads what pg_dump --format=custom wrote")]
    Postgres(String),
    /// The backup is no file.
    #[error("there is no backup {}", .0.display())]
    NoFile(PathBuf),
    /// The backup is the database.
    #[error("{} is the database itself", .0.display())]
    Itself(PathBuf),
    /// The backup is another program's database.
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The backup lacks something.
    #[error("{} lacks something that this version needs ({words})", path.display())]
    Incomplete {
        /// The backup.
        path: PathBuf,
        /// What is missing, in the words of the database.
        words: String,
    },
    /// A program has the database open.
    #[error("{} is in use{}: stop perennial first (systemctl stop perennial), and restore then", path.display(), by(*process))]
    InUse {
        /// The database.
        path: PathBuf,
        /// The number of a process that has it open.
        process: Option<i32>,
    },
    /// A file cannot be put in its place.
    #[error("cannot put the backup in the place of {}: {source}", path.display())]
    Write {
        /// The database.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The backup cannot be copied.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// A database has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn by(process: Option<i32>) -> String {
    process.map(|process| format!(" by process {process}")).unwrap_or_default()
}

/// A backup that is ready to take the place of the database.
pub struct PreparedRestore {
    connection: Connection,
    draft: NamedTempFile,
    database: PathBuf,
}

impl PreparedRestore {
    /// Copies a backup beside the database of `url`, checks it and brings it up to date.
    ///
    /// Keys that were dropped since the backup was made stay dropped, as far as the database that it replaces can be read:
    /// a key is dropped because it was stolen.
    ///
    /// # Errors
    /// If the database is in use, or the backup is none.
    pub fn prepare(url: &DatabaseUrl, backup: &Path) -> Result<Self, RestoreError> {
        let Some(database) = url.file() else { return Err(RestoreError::Postgres(url.shown())) };
        match fs::metadata(backup) {
            Ok(found) if !found.is_file() => return Err(RestoreError::NoFile(backup.to_owned())),
            Ok(found) if is_same(&found, database) => return Err(RestoreError::Itself(backup.to_owned())),
            Ok(_) => {}
            Err(_) => return Err(RestoreError::NoFile(backup.to_owned())),
        }
        refuse_in_use(database)?;
        let source = SqliteFile::at(backup);
        let mut looked = Connection::Sqlite(source.look()?);
        migrations::refuse_newer(&mut looked).map_err(|error| source.unreadable(error))?;
        refuse_moved(&mut looked)?;
        if !tables::has_users(&mut looked) || !migrations::is_migrated(&mut looked)? {
            return Err(RestoreError::Foreign(backup.to_owned()));
        }
        drop(looked);
        let draft = copy(&source, backup, folder_of(database))?;
        let mut connection = Connection::Sqlite(SqliteFile::at(draft.path()).open()?);
        migrations::run(&mut connection)?;
        if let Some(words) = tables::missing(&mut connection)? {
            return Err(RestoreError::Incomplete { path: backup.to_owned(), words });
        }
        diesel::delete(nodes::table).execute(&mut connection).map_err(StoreError::from)?;
        keep_dropped(&mut connection, keys_dropped_in(url))?;
        Ok(Self { connection, draft, database: database.to_owned() })
    }

    /// Runs a write on the backup before it takes its place.
    ///
    /// # Errors
    /// Those of the write, which is undone then.
    pub fn write<T>(&mut self, write: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.connection.transaction(write)
    }

    /// Returns how many accounts there are.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn users(&mut self) -> Result<i64, StoreError> {
        Ok(users::table.count().get_result(&mut self.connection)?)
    }

    /// Puts the backup in the place of the database, which is kept under the name that is returned, if there is one.
    ///
    /// # Errors
    /// If the database is in use, or the file system refuses; then the database is as it was.
    pub fn put_in_place(self, now: OffsetDateTime) -> Result<Option<PathBuf>, RestoreError> {
        let Self { connection, draft, database } = self;
        let failed = |source| RestoreError::Write { path: database.clone(), source };
        // The last connection to go moves its log into the file.
        drop(connection);
        draft.as_file().sync_all().map_err(failed)?;
        let folder = folder_of(&database);
        let kept = match fs::metadata(&database) {
            Ok(found) => {
                take_over_owner(&found, draft.path()).map_err(failed)?;
                refuse_in_use(&database)?;
                // Held until the new database has the name, so that nobody opens the old one meanwhile.
                let _held = hold(&database)?;
                let kept = keep(&database, now).map_err(failed)?;
                draft.persist(&database).map_err(|error| failed(error.error))?;
                Some(kept)
            }
            Err(_) => {
                // A log without its database: the backup would take it for its own.
                let kept = free_name(&database, now).map_err(failed)?;
                keep_log(&database, &kept).map_err(failed)?;
                draft.persist(&database).map_err(|error| failed(error.error))?;
                None
            }
        };
        sync_folder(folder).map_err(failed)?;
        Ok(kept)
    }
}

fn is_same(found: &fs::Metadata, database: &Path) -> bool {
    fs::metadata(database).is_ok_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino()))
}

/// Refuses a database that a process has open. It does not matter whether the database can be read, and nothing is changed.
fn refuse_in_use(database: &Path) -> Result<(), RestoreError> {
    let Ok(file) = fs::OpenOptions::new().read(true).write(true).open(database) else { return Ok(()) };
    let (start, length) = LOCKED_BYTES;
    let wanted = Flock { start, length, ..Flock::from(FlockType::WriteLock) };
    let in_the_way = fcntl_getlk(&file, &wanted)
        .map_err(|source| RestoreError::Write { path: database.to_owned(), source: source.into() })?;
    match in_the_way {
        Some(lock) => Err(in_use(database, lock.pid.map(|pid| pid.as_raw_nonzero().get()))),
        None => Ok(()),
    }
}

fn in_use(database: &Path, process: Option<i32>) -> RestoreError {
    RestoreError::InUse { path: database.to_owned(), process }
}

/// Locks a database that nobody uses, after what is in its log was moved into its file; nothing where it is damaged and
/// cannot be locked, with its log out of the way.
fn hold(database: &Path) -> Result<Option<SqliteConnection>, RestoreError> {
    let held = SqliteFile::at(database).open().and_then(|mut connection| {
        let left = leave_wal(&mut connection)?;
        connection.batch_execute("BEGIN EXCLUSIVE")?;
        Ok((connection, left))
    });
    match held {
        Ok((connection, true)) => Ok(Some(connection)),
        Ok((_, false)) => Err(in_use(database, None)),
        Err(StoreError::Unavailable(source)) if source.to_string().contains("is locked") => Err(in_use(database, None)),
        Err(_) => Ok(None),
    }
}

/// Gives the database a second name, which is the only one once the backup has the first.
fn keep(database: &Path, now: OffsetDateTime) -> io::Result<PathBuf> {
    let kept = free_name(database, now)?;
    // A file system may know no links: then there is no database for a moment.
    fs::hard_link(database, &kept).or_else(|_| fs::rename(database, &kept))?;
    keep_log(database, &kept)?;
    Ok(kept)
}

/// Moves what is left of a database's log to where the database goes.
fn keep_log(database: &Path, kept: &Path) -> io::Result<()> {
    let beside = |file: &Path, ending| PathBuf::from(format!("{}{ending}", file.display()));
    if beside(database, "-wal").exists() {
        fs::rename(beside(database, "-wal"), beside(kept, "-wal"))?;
    }
    match fs::remove_file(beside(database, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns a name beside the database that nothing has.
fn free_name(database: &Path, now: OffsetDateTime) -> io::Result<PathBuf> {
    let at = now.format(FILE_TIME).map_err(io::Error::other)?;
    let name = format!("{}.replaced-{at}", database.display());
    let names = std::iter::once(name.clone()).chain((2..100).map(|number| format!("{name}-{number}")));
    let free = names.map(PathBuf::from).find(|path| fs::symlink_metadata(path).is_err());
    free.ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} exists")))
}

/// Drops keys that were dropped elsewhere.
fn keep_dropped(connection: &mut Connection, dropped: Vec<(String, i64)>) -> Result<(), StoreError> {
    let known = dropped_keys::table.select(dropped_keys::key_id).load::<String>(connection)?;
    for (key, at) in dropped.into_iter().filter(|(key, _)| !known.contains(key)) {
        let row = (dropped_keys::key_id.eq(key), dropped_keys::dropped_at.eq(at));
        diesel::insert_into(dropped_keys::table).values(row).execute(connection)?;
    }
    Ok(())
}

fn take_over_owner(of: &fs::Metadata, to: &Path) -> io::Result<()> {
    let own = fs::metadata(to)?;
    let same = (own.uid(), own.gid()) == (of.uid(), of.gid());
    if same { Ok(()) } else { chown(to, Some(of.uid()), Some(of.gid())) }
}

/// Returns the keys that were dropped in a database; none where it cannot be read.
fn keys_dropped_in(url: &DatabaseUrl) -> Vec<(String, i64)> {
    let looked = Place::from(url).look().ok().flatten();
    looked.and_then(|mut connection| dropped_keys::table.load(&mut connection).ok()).unwrap_or_default()
}

impl std::fmt::Debug for PreparedRestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreparedRestore")
    }
}
