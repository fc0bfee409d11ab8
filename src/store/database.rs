//! The handle to the data that everything above the store holds.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::Connection as _;
use scheduled_thread_pool::ScheduledThreadPool;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::Connection;
use super::connection::{Manager, Place, Pooled, is_lost};
use super::error::StoreError;
use super::migrations::{self, MigrationReport};
use super::postgres::{Lock, clock, try_lock};
use super::relocation::refuse_moved;
use super::sqlite::damage;
use super::times::moment;
use super::writer::Writer;
use crate::domain::database_url::DatabaseUrl;

/// Connections for reading a file: a read is some microseconds, and the machine has few cores.
const READERS: u32 = 4;

/// Connections of one process to a server: each waits for the network and the server's disk most of its time. More of
/// them make the server slower and not faster (a hundred for all nodes is what PostgreSQL allows at first).
const CONNECTIONS: u32 = 8;

/// How long a request waits for one of the connections to come free, and then for a new one to be made, before it says
/// that the database is not available: two seconds in all.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a request waits for an answer; longer than a server itself lets a statement run.
const ANSWER: Duration = Duration::from_secs(6);

/// A handle to the data; clones share it.
#[derive(Debug, Clone)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manager: Manager,
    pool: r2d2::Pool<Manager>,
    /// One for each connection of the pool, so that those who wait hold no thread.
    permits: Arc<Semaphore>,
    /// The one writer of a file; a server takes writes on every connection.
    writer: Option<Writer>,
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
        /// What the clock of a server says; a file has none.
        clock: Option<OffsetDateTime>,
    },
    /// It is damaged, in SQLite's own words.
    Damaged(String),
}

impl Database {
    /// Opens the database, makes the file where there is none, and runs the migrations that are missing.
    ///
    /// # Errors
    /// If it cannot be opened or migrated, or is of a newer version; then nothing was touched.
    pub fn open(url: &DatabaseUrl) -> Result<(Self, MigrationReport), StoreError> {
        Self::refuse_unusable(url)?;
        let place = Place::from(url);
        let report = migrations::run(&mut place.open_to_migrate()?)?;
        let writer = match &place {
            Place::Sqlite(file) => Some(Writer::start(file)?),
            Place::Postgres(_) => None,
        };
        // A file is opened in no time when it is needed; connections to a server are made beforehand, and again after it
        // was away, so that a crowd of requests does not wait for them.
        let (size, ready) = if writer.is_some() { (READERS, 0) } else { (CONNECTIONS, CONNECTIONS) };
        let manager = Manager::new(place);
        let threads =
            Arc::new(ScheduledThreadPool::builder().num_threads(2).thread_name_pattern("perennial-pool").build());
        let pool = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(ready))
            .connection_timeout(PATIENCE)
            .thread_pool(threads)
            .build_unchecked(manager.clone());
        let permits = Arc::new(Semaphore::new(size as usize));
        let (alive, gone) = channel();
        let gone = Arc::new(Mutex::new(gone));
        Ok((Self(Arc::new(Inner { manager, pool, permits, writer, gone, _alive: alive })), report))
    }

    /// Refuses a file that is no database, or a database of a newer version, and touches nothing.
    ///
    /// # Errors
    /// If it is there and must not be used; a missing file is fine, a missing server is not.
    pub fn refuse_unusable(url: &DatabaseUrl) -> Result<(), StoreError> {
        let place = Place::from(url);
        match place.look()? {
            Some(mut connection) => {
                migrations::refuse_newer(&mut connection).map_err(|error| place.unreadable(error))?;
                refuse_moved(&mut connection)
            }
            None => Ok(()),
        }
    }

    /// Looks at a database and changes nothing.
    ///
    /// # Errors
    /// If it cannot be opened, or is of a newer version.
    pub fn inspect(url: &DatabaseUrl) -> Result<Health, StoreError> {
        Self::refuse_unusable(url)?;
        let Some(mut connection) = Place::from(url).look()? else { return Ok(Health::Missing) };
        let clock = match &mut connection {
            Connection::Sqlite(file) => {
                if let Some(words) = damage(file)? {
                    return Ok(Health::Damaged(words));
                }
                None
            }
            Connection::Postgres(server) => Some(moment(clock(server)?)?),
        };
        Ok(Health::Sound { pending: migrations::pending(&mut connection)?, clock })
    }

    /// Runs a query off the async worker.
    ///
    /// # Errors
    /// Those of the query, and `Unavailable` when no connection comes free within two seconds.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_a_pooled(query).await
    }

    /// Runs a query on this thread, which must not be an async worker.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_blocking<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pooled(query)
    }

    /// Runs a write in a transaction and answers once it is on disk.
    ///
    /// # Errors
    /// Those of the write, and `Unavailable` when it could not be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(writer) = &self.0.writer else {
            return self.on_a_pooled(|connection| connection.transaction(write)).await;
        };
        let (answer, answered) = oneshot::channel();
        writer.submit(write, move |outcome| answer.send(outcome).is_ok());
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
        let Some(writer) = &self.0.writer else {
            return self.pooled(|connection| connection.transaction(write));
        };
        let (answer, answered) = sync_channel(1);
        writer.submit(write, move |outcome| answer.send(outcome).is_ok());
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
        self.0.manager.place.open()
    }

    /// Asks for the duty to do something once and not once a process; `None` where another process has it.
    ///
    /// Processes on one file share one machine, and what they do twice costs little there: each has the duty.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub fn claim(&self, duty: Duty) -> Result<Option<Claim>, StoreError> {
        let lock = match duty {
            Duty::Background => Lock::Background,
            Duty::Sweep => Lock::Sweep,
        };
        match self.connect()? {
            Connection::Sqlite(_) => Ok(Some(Claim(None))),
            Connection::Postgres(mut connection) => {
                Ok(try_lock(&mut connection, lock)?.then(|| Claim(Some((connection, lock)))))
            }
        }
    }

    /// Doubts every pooled connection: something that leads to the same server was cut off.
    pub(super) fn doubt(&self) {
        self.0.manager.doubt();
    }

    /// Waits for a free connection without holding a thread, then for its answer.
    async fn on_a_pooled<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let free = timeout(PATIENCE, Arc::clone(&self.0.permits).acquire_owned()).await;
        let permit: OwnedSemaphorePermit =
            free.map_err(|_| StoreError::Unavailable("every connection is busy".into()))?.map_err(|_| lost())?;
        let database = self.clone();
        let mut task = tokio::task::spawn_blocking(move || {
            let answer = database.pooled(work);
            drop(permit);
            answer
        });
        match timeout(ANSWER, &mut task).await {
            Ok(answer) => answer.map_err(|error| StoreError::Unavailable(error.into()))?,
            Err(_) => {
                task.abort();
                Err(StoreError::Unavailable("the server does not answer".into()))
            }
        }
    }

    fn pooled<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let Pooled { connection, .. } = &mut *self.0.pool.get()?;
        let answer = work(connection);
        if answer.as_ref().is_err_and(is_lost) {
            self.doubt();
        }
        answer
    }
}

/// Something to be done once for all processes on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// What runs beside the requests, for as long as the process lives.
    Background,
    /// One pass of deleting what is over, by a process or by hand.
    Sweep,
}

/// A duty that this process has for as long as it holds this and the server does not drop the connection.
pub struct Claim(Option<(diesel::PgConnection, Lock)>);

impl Claim {
    /// Asks the server whether this process still has it.
    pub fn holds(&mut self) -> bool {
        match &mut self.0 {
            None => true,
            // Taking it once more is how to ask; a connection that was cut off has lost it.
            Some((connection, lock)) => try_lock(connection, *lock).unwrap_or(false),
        }
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claim")
    }
}

/// A write that was dropped unrun: its batch could not begin.
fn lost() -> StoreError {
    StoreError::Unavailable("the write could not begin: the database is locked or the disk is full".into())
}
