//! Connections to a SQLite file: opened with the pragmas that durability and waiting for locks ask for.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::{ConnectionError, QueryableByName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::StoreError;
use super::storage::{self, StorageFault};

/// How long a connection waits for another's lock; it comes first, because the first look at a file takes one already,
/// and another process may be making it at this moment.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 2000;";

/// `synchronous=FULL` in WAL: what was answered survives power loss.
///
/// What SQLite notes to undo one write of a batch stays in memory: a clean-up would make and delete a file for each of
/// its batches. A reader forgets its pages at each commit, so a cache of 512 KB will do.
const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864; \
     PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512;";

/// The writer's cache, 4 MB at most and taken as needed. All upper pages of ten million sign-ins are 32 MB, which a small
/// machine has other uses for; those that are missing come from the system's memory. A transaction that changes more than
/// that keeps it in memory until its commit: SQLite would look for a page to write early at each further one.
const WRITER: &str = "PRAGMA cache_size = -4096; PRAGMA cache_spill = OFF;";

/// Pages from which on a commit moves the write-ahead log into the file itself: 16 MB. Shorter ones are moved beside it.
pub(super) const LONG_LOG: u32 = 4_000;

/// Looks at a few hundred rows of each index, which takes milliseconds however large a table is; every table is looked at,
/// and not only those that this connection has asked (<https://www.sqlite.org/pragma.html#pragma_optimize>).
const OPTIMIZE: &str = "PRAGMA analysis_limit = 400; PRAGMA optimize = 0x10002;";

/// Characters of a path that mean something else in a URI.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Switches to WAL tried at most; whoever loses to another process finds the work done the next time.
const SWITCHES: usize = 8;

/// Opens connections to one SQLite file.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile {
    path: PathBuf,
}

impl SqliteFile {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Tells whether there is any.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Checks that the file, and those that SQLite keeps beside it, can be written, and that there is room.
    pub(super) fn check_storage(&self) -> Result<(), StorageFault> {
        storage::check(&self.path)
    }

    /// Makes the file, for its owner alone, unless it is there.
    ///
    /// SQLite would make it readable by everyone; its WAL files take over the mode found here.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        let made = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path);
        made.map(drop).map_err(|error| self.open_error(error.into()))
    }

    /// Opens a connection that changes nothing, not even when it goes: for looking before touching.
    ///
    /// The last connection to go moves what a killed process left in the WAL into the file; one that may only read
    /// does not. Without a WAL it would make one and leave it behind, and an ordinary one has nothing to move.
    pub(super) fn look(&self) -> Result<SqliteConnection, StoreError> {
        let left = std::fs::metadata(format!("{}-wal", self.path.display())).is_ok_and(|wal| wal.len() > 0);
        self.establish(if left { "?mode=ro" } else { "" }).map_err(|error| self.open_error(error.into()))
    }

    /// Opens a connection for work.
    pub(super) fn open(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.establish("").map_err(|error| self.open_error(error.into()))?;
        use_wal(&mut connection).map_err(|error| self.open_error(error.into()))?;
        connection.batch_execute(PRAGMAS).map_err(|error| self.open_error(error.into()))?;
        Ok(connection)
    }

    /// Opens the connection of the one writer.
    pub(super) fn open_to_write(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.open()?;
        let writer = format!("{WRITER} PRAGMA wal_autocheckpoint = {LONG_LOG};");
        connection.batch_execute(&writer).map_err(|error| self.open_error(error.into()))?;
        Ok(connection)
    }

    /// Names the file in an error of the first query, which is when SQLite looks into it.
    pub(super) fn unreadable(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable(source) => self.open_error(source),
            other => other,
        }
    }

    fn open_error(&self, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Open { place: self.path.display().to_string(), source }
    }

    fn establish(&self, how: &str) -> Result<SqliteConnection, ConnectionError> {
        // A path is a path: SQLite would read `:memory:` as no file at all, and `?` and `%` in a URI.
        let path = self.path.to_str().ok_or_else(|| ConnectionError::BadConnection("the path is not UTF-8".into()))?;
        let scheme = if path.starts_with('/') { "file://" } else { "file:" };
        let url = format!("{scheme}{}{how}", utf8_percent_encode(path, PLAIN));
        let mut connection = SqliteConnection::establish(&url)?;
        connection.batch_execute(BUSY_TIMEOUT).map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
        Ok(connection)
    }
}

/// Switches a database to WAL, or finds that it uses it already.
///
/// SQLite waits for no lock there: two processes that switch at once would wait for each other for ever, so one of them
/// is refused at once. That one waits for the other's lock to go, where SQLite does wait, and tries again.
fn use_wal(connection: &mut SqliteConnection) -> QueryResult<()> {
    for _ in 1..SWITCHES {
        if connection.batch_execute("PRAGMA journal_mode = WAL;").is_ok() {
            return Ok(());
        }
        connection.batch_execute("BEGIN IMMEDIATE; ROLLBACK;")?;
    }
    connection.batch_execute("PRAGMA journal_mode = WAL;")
}

/// Returns a number that moves whenever another connection has committed: cheap enough to ask fifty times a second.
///
/// # Errors
/// If the database cannot be asked.
pub(super) fn data_version(connection: &mut SqliteConnection) -> Result<i32, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        data_version: i32,
    }
    let row: Row = diesel::sql_query("PRAGMA data_version").get_result(connection)?;
    Ok(row.data_version)
}

/// Returns what the clock of a file says, in Unix seconds: that of the machine, as SQLite and its triggers read it.
///
/// # Errors
/// If the database cannot be asked.
pub(super) fn clock(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(diesel::select(diesel::dsl::sql::<BigInt>("unixepoch()")).get_result(connection)?)
}

/// Looks for damage; returns it in SQLite's own words.
///
/// # Errors
/// If the database cannot be read.
pub(super) fn damage(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        quick_check: String,
    }
    let found: Vec<Row> = diesel::sql_query("PRAGMA quick_check(1)").load(connection)?;
    Ok(found.into_iter().map(|row| row.quick_check).find(|words| words != "ok"))
}

/// Looks for damage as thoroughly as SQLite can, indexes included; returns it in SQLite's own words.
///
/// # Errors
/// If the database cannot be read.
pub(super) fn integrity(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let found: Vec<Row> = diesel::sql_query("PRAGMA integrity_check(1)").load(connection)?;
    Ok(found.into_iter().map(|row| row.integrity_check).find(|words| words != "ok"))
}

/// Moves the write-ahead log into the file and does without one from now on; tells whether that was done, as it is only
/// where nobody else has the file open.
///
/// # Errors
/// If the database cannot be used.
pub(super) fn leave_wal(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        journal_mode: String,
    }
    let row: Row = diesel::sql_query("PRAGMA journal_mode = DELETE").get_result(connection)?;
    Ok(row.journal_mode == "delete")
}

/// Lets SQLite measure what is in the tables, where that has changed much: by this it chooses its plans.
///
/// # Errors
/// If the database cannot write.
pub(super) fn optimize(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    Ok(connection.batch_execute(OPTIMIZE)?)
}
