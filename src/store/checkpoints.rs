//! Moves what was committed from the write-ahead log into the file, on a thread of its own.
//!
//! SQLite would do so within the commit that makes the log 1,000 pages long. Whoever happens to wait for that commit would
//! wait for a thousand pages to reach the disk, which takes ten times as long as the commit. A passive checkpoint runs
//! beside commits, and waits for nobody. The log begins anew only at a moment when all of it is in the file and nobody reads
//! it, which hardly comes where reads and writes do without a pause, and a long log makes every read slow; so from 16 MB on,
//! the writer moves what is left within its commits after all, and little should be.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Integer;
use diesel::{QueryableByName, SqliteConnection, sql_query};

use super::error::StoreError;
use super::sqlite::SqliteFile;

/// How often the length of the log is looked at while something is being written.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often while a lot is: at thirty thousand pages a second, the log would be too long after a tenth of one.
const LOOK_SOON: Duration = Duration::from_millis(10);

/// Pages between two looks that are a lot.
const A_LOT: i32 = 100;

/// Pages from which on it is worth the disk's while, as SQLite itself has it.
const ENOUGH: i32 = 1_000;

/// Pages of a log that did not begin anew in time, so that the writer will have to see to it: from here on little is left to
/// it. Before, up to 4,000 pages were, and the slowest rotations of a large table waited for 90 ms and not for 11.
const LONG: i32 = 2 * ENOUGH;

/// Checkpoints in a row at most: each has less to do than the one before, which left what was written meanwhile. The log
/// begins anew once one of them has left nothing.
const TRIES: usize = 4;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    written: Arc<AtomicBool>,
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Opens a connection and starts the thread.
    pub(super) fn start(file: &SqliteFile) -> Result<Self, StoreError> {
        let connection = file.open_to_write()?;
        let written = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let seen = Arc::clone(&written);
        let thread = thread::Builder::new()
            .name("perennial-checkpoints".to_owned())
            .spawn(move || work(connection, &seen, &stopped))
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { written, stop: Some(stop), thread: Some(thread) })
    }

    /// Notes that something was committed.
    pub(super) fn note_commit(&self) {
        self.written.store(true, Ordering::Relaxed);
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of checkpoints panicked");
        }
    }
}

fn work(mut connection: SqliteConnection, written: &AtomicBool, stopped: &Receiver<Infallible>) {
    let (mut next_look, mut left) = (LOOK_EVERY, 0);
    while stopped.recv_timeout(next_look) == Err(RecvTimeoutError::Timeout) {
        next_look = LOOK_EVERY;
        if !written.swap(false, Ordering::Relaxed) {
            continue;
        }
        match shorten(&mut connection) {
            Ok(log) => {
                if log.found - left >= A_LOT {
                    next_look = LOOK_SOON;
                }
                left = log.left;
            }
            // A full disk, for one: the log goes on growing until there is room, or until nothing can be written at all.
            Err(error) => {
                tracing::debug!(%error, "the write-ahead log was not moved into the file; the next commit tries again");
            }
        }
    }
}

/// Pages of the log that are not in the file.
#[derive(Debug)]
struct Shortened {
    /// When it was looked at.
    found: i32,
    /// After what was moved.
    left: i32,
}

/// Moves the log into the file, if it is long enough.
fn shorten(connection: &mut SqliteConnection) -> QueryResult<Shortened> {
    let log = checkpoint(connection, "NOOP")?;
    let (found, mut left) = (log.left(), log.left());
    let enough = if log.pages < LONG { ENOUGH } else { A_LOT };
    if found >= enough {
        for _ in 0..TRIES {
            checkpoint(connection, "PASSIVE")?;
            // Asked anew: of what was committed meanwhile, the checkpoint knew nothing.
            left = checkpoint(connection, "NOOP")?.left();
            if left == 0 {
                break;
            }
        }
    }
    Ok(Shortened { found, left })
}

/// Moves what is in the log now, however short it is.
///
/// # Errors
/// If the disk does not take it.
pub(super) fn shorten_now(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    checkpoint(connection, "PASSIVE")?;
    Ok(())
}

/// The write-ahead log.
#[derive(Debug, QueryableByName)]
struct Log {
    /// Pages that it holds, those that are in the file already included.
    #[diesel(sql_type = Integer, column_name = "log")]
    pages: i32,
    /// Those that are in the file.
    #[diesel(sql_type = Integer, column_name = "checkpointed")]
    moved: i32,
}

impl Log {
    fn left(&self) -> i32 {
        self.pages - self.moved
    }
}

fn checkpoint(connection: &mut SqliteConnection, mode: &str) -> QueryResult<Log> {
    sql_query(format!("PRAGMA wal_checkpoint({mode})")).get_result(connection)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::store::sqlite::LONG_LOG;

    fn file() -> (tempfile::TempDir, SqliteFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = SqliteFile::at(&folder.path().join("log.db"));
        file.create().unwrap();
        (folder, file)
    }

    fn write(connection: &mut SqliteConnection, pages: usize) {
        let rows = format!(
            "CREATE TABLE IF NOT EXISTS t (a BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE \
             i < {pages}) INSERT INTO t SELECT zeroblob(4000) FROM n;"
        );
        connection.batch_execute(&rows).unwrap();
    }

    #[test]
    fn a_commit_moves_nothing_and_the_thread_moves_a_long_log() {
        let (_folder, file) = file();
        let (mut writer, mut mover) = (file.open_to_write().unwrap(), file.open_to_write().unwrap());
        write(&mut writer, 500);
        shorten(&mut mover).unwrap();
        assert!(checkpoint(&mut mover, "NOOP").unwrap().left() >= 500, "short logs are left alone");
        write(&mut writer, 3_000);
        assert!(checkpoint(&mut mover, "NOOP").unwrap().left() >= 3_500, "a commit does not move the log");
        shorten(&mut mover).unwrap();
        assert_eq!(checkpoint(&mut mover, "NOOP").unwrap().left(), 0);
        // The log begins anew: it does not grow with what is written.
        write(&mut writer, 10);
        assert!(checkpoint(&mut mover, "NOOP").unwrap().pages < 100);
    }

    #[test]
    fn a_log_stays_short_where_writes_come_without_a_pause() {
        let (_folder, file) = file();
        let mut writer = file.open_to_write().unwrap();
        for _ in 0..20 {
            write(&mut writer, 1_000);
        }
        assert!(checkpoint(&mut writer, "NOOP").unwrap().pages < 2 * LONG_LOG as i32);
    }

    #[test]
    fn a_log_that_somebody_reads_is_moved_as_far_as_that_goes() {
        let (_folder, file) = file();
        let (mut writer, mut mover, mut reader) =
            (file.open_to_write().unwrap(), file.open_to_write().unwrap(), file.open().unwrap());
        write(&mut writer, 10);
        reader.batch_execute("BEGIN; SELECT * FROM t;").unwrap();
        write(&mut writer, 2_000);
        shorten(&mut mover).unwrap();
        assert!(checkpoint(&mut mover, "NOOP").unwrap().left() > 1_000);
        reader.batch_execute("COMMIT").unwrap();
        shorten(&mut mover).unwrap();
        assert_eq!(checkpoint(&mut mover, "NOOP").unwrap().left(), 0);
    }

    #[test]
    fn little_is_left_of_a_log_that_did_not_begin_anew() {
        let (_folder, file) = file();
        let (mut writer, mut mover, mut reader) =
            (file.open_to_write().unwrap(), file.open_to_write().unwrap(), file.open().unwrap());
        write(&mut writer, 2_000);
        reader.batch_execute("BEGIN; SELECT * FROM t;").unwrap();
        assert_eq!(shorten(&mut mover).unwrap().left, 0);
        // Somebody reads the log, so that it goes on.
        write(&mut writer, 150);
        reader.batch_execute("COMMIT").unwrap();
        let shortened = shorten(&mut mover).unwrap();
        assert!(shortened.found >= 150, "{shortened:?}");
        assert_eq!(shortened.left, 0);
    }
}
