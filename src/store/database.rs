//! The handle to the data that everything above the store holds.

use std::convert::Infallible;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::oneshot;

use super::connection::{Connection, Manager};
use super::error::StoreError;
use super::migrations::{self, MigrationReport};
use super::writer::Writer;

/// Connections for reading: a read is some microseconds, and the machine has few cores.
const READERS: u32 = 4;

/// How long a read waits for a connection before it says that the database is not available.
const PATIENCE: Duration = Duration::from_secs(2);

/// A handle to the data; clones share it.
#[derive(Debug, Clone)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manager: Manager,
    readers: r2d2::Pool<Manager>,
    writer: Writer,
    gone: Arc<Mutex<Receiver<Infallible>>>,
    /// The last field to go, once every connection above has.
    _alive: Sender<Infallible>,
}

/// Waits for the end of a database that others still hold; it holds nothing itself.
#[derive(Debug)]
pub struct Closing(Arc<Mutex<Receiver<Infallible>>>);

impl Closing {
    /// Blocks until the last handle and its connections are gone, at most for `patience`; tells whether they are.
    pub fn wait(&self, patience: Duration) -> bool {
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(gone.recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
    }
}

/// What a look at a database finds, without touching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// There is none yet.
    Missing,
    /// It is sound; holds how many migrations are still to run.
    Sound {
        /// Migrations to run.
        pending: usize,
    },
    /// SQLite found damage, in its own words.
    Damaged(String),
}

impl Database {
    /// Opens the database, makes it where there is none, and runs the migrations that are missing.
    ///
    /// # Errors
    /// If it cannot be opened or migrated, or is of a newer version; then nothing was touched.
    pub fn open(path: &Path) -> Result<(Self, MigrationReport), StoreError> {
        Self::refuse_unusable(path)?;
        let manager = Manager::new(path);
        manager.create()?;
        let report = migrations::run(&mut manager.open()?)?;
        let threads =
            Arc::new(ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("perennial-pool").build());
        let readers = r2d2::Pool::builder()
            .max_size(READERS)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(PATIENCE)
            .thread_pool(threads)
            .build_unchecked(manager.clone());
        let writer = Writer::start(&manager)?;
        let (alive, gone) = channel();
        let gone = Arc::new(Mutex::new(gone));
        Ok((Self(Arc::new(Inner { manager, readers, writer, gone, _alive: alive })), report))
    }

    /// Refuses a file that is no database, or one of a newer version, and touches nothing.
    ///
    /// # Errors
    /// If it is there and must not be used; a missing one is fine.
    pub fn refuse_unusable(path: &Path) -> Result<(), StoreError> {
        if !path.exists() {
            return Ok(());
        }
        let manager = Manager::new(path);
        migrations::refuse_newer(&mut manager.look()?).map_err(|error| manager.unreadable(error))
    }

    /// Looks at the database of `path` and changes nothing.
    ///
    /// # Errors
    /// If it cannot be opened, or is of a newer version.
    pub fn inspect(path: &Path) -> Result<Health, StoreError> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            quick_check: String,
        }
        if !path.exists() {
            return Ok(Health::Missing);
        }
        Self::refuse_unusable(path)?;
        let mut connection = Manager::new(path).look()?;
        let found: Vec<Row> = diesel::sql_query("PRAGMA quick_check(1)").load(&mut connection)?;
        match found.first() {
            Some(row) if row.quick_check != "ok" => Ok(Health::Damaged(row.quick_check.clone())),
            _ => Ok(Health::Sound { pending: migrations::pending(&mut connection)? }),
        }
    }

    /// Runs a query off the async worker.
    ///
    /// # Errors
    /// Those of the query, and `Unavailable` when no connection comes free within two seconds.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.clone();
        let task = tokio::task::spawn_blocking(move || database.read_blocking(query));
        task.await.map_err(|error| StoreError::Unavailable(error.into()))?
    }

    /// Runs a query on this thread, which must not be an async worker.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_blocking<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        query(&mut *self.0.readers.get()?)
    }

    /// Runs a write in a transaction and answers once it is on disk.
    ///
    /// # Errors
    /// Those of the write, and `Unavailable` when it could not be committed; then nothing of it is there.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.0.writer.submit(write, move |outcome| answer.send(outcome).is_ok());
        answered.await.map_err(|_| lost())?
    }

    /// Runs a write like [`Database::write`] and blocks this thread.
    ///
    /// An async worker may call it while nothing else is to be done yet, as an application does that is being started.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub fn write_blocking<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        self.0.writer.submit(write, move |outcome| answer.send(outcome).is_ok());
        answered.recv().map_err(|_| lost())?
    }

    /// Returns something to wait for the end of this database with.
    pub fn closing(&self) -> Closing {
        Closing(Arc::clone(&self.0.gone))
    }

    /// Opens a connection of the caller's own, outside the pool.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        self.0.manager.open()
    }
}

/// A write that was dropped unrun: its batch could not begin.
fn lost() -> StoreError {
    StoreError::Unavailable("the write could not begin: the database is locked or the disk is full".into())
}

/// Returns a number that moves whenever another connection has committed: cheap enough to ask ten times a second.
///
/// # Errors
/// If the database cannot be asked.
pub(super) fn data_version(connection: &mut Connection) -> Result<i32, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        data_version: i32,
    }
    let row: Row = diesel::sql_query("PRAGMA data_version").get_result(connection)?;
    Ok(row.data_version)
}
