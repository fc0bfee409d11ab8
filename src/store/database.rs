//! The handle to the data that everything above the store holds.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use diesel::Connection as _;
use parking_lot::Mutex;
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::Connection;
use super::answer::answer_at_start;
use super::bounds::{Bounds, REQUEST_TIMEOUT};
#[cfg(feature = "sqlite")]
use super::checkpoints::shorten_now;
use super::connection::{Manager, Place, Pooled, is_lost};
use super::error::StoreError;
use super::migrations::{self, MigrationReport};
#[cfg(not(feature = "sqlite"))]
use super::no_writer::Writer;
#[cfg(feature = "sqlite")]
use super::sqlite::optimize;
use super::transaction::bounded;
use super::wakeup::{Wakes, Wakeup};
use super::work::{Answered, Work, boxed};
use super::write_probe::WriteProbe;
#[cfg(feature = "sqlite")]
use super::writer::Writer;
use crate::store::url::DatabaseUrl;

/// Connections for reading a file: a read is some microseconds, and the machine has few cores.
const READERS: u32 = 4;

/// Connections of one process to a server: each waits for the network and the server's disk most of its time. More of
/// them make the server slower and not faster (a hundred for all nodes is what PostgreSQL allows at first).
const CONNECTIONS: u32 = 8;

/// How long a request waits for one of the connections to come free, and for a new one to be made, before it says that the
/// database is not available.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);

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
    #[cfg(feature = "internals")]
    stopped: std::sync::atomic::AtomicBool,
    /// What is known of whether it takes writes.
    write_probe: WriteProbe,
    /// Announces e-mails that were committed to the outbox by this process.
    outbox: Wakeup,
    gone: Arc<Mutex<Receiver<Infallible>>>,
    /// The last field to go, once every connection above has.
    _alive: Sender<Infallible>,
}

/// Waits for the end of a database that others still hold; it holds nothing itself.
#[derive(Debug)]
pub struct Closing(Arc<Mutex<Receiver<Infallible>>>);

impl Closing {
    /// Blocks until the last handle and its connections are gone, at most for `timeout`; tells whether they are.
    pub fn wait(&self, timeout: Duration) -> bool {
        let gone = self.0.lock();
        matches!(gone.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected))
    }
}

impl Database {
    /// Opens the database, makes the file where there is none, and runs the migrations that are missing.
    ///
    /// # Errors
    /// If it cannot be opened or migrated, or is of a newer version; then nothing was touched.
    pub fn open(url: &DatabaseUrl) -> Result<(Self, MigrationReport), StoreError> {
        Self::refuse_unusable(url)?;
        let place = Place::from(url);
        let report = migrate(&place, &url.shown())?;
        let writer = match &place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(file) => Some(Writer::start(file)?),
            #[cfg(feature = "postgres")]
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
            .connection_timeout(CONNECTION_TIMEOUT)
            .thread_pool(threads)
            .build_unchecked(manager.clone());
        let permits = Arc::new(Semaphore::new(size as usize));
        let (alive, gone) = channel();
        let gone = Arc::new(Mutex::new(gone));
        let inner = Inner {
            manager,
            pool,
            permits,
            writer,
            write_probe: WriteProbe::default(),
            outbox: Wakeup::default(),
            #[cfg(feature = "internals")]
            stopped: std::sync::atomic::AtomicBool::new(false),
            gone,
            _alive: alive,
        };
        Ok((Self(Arc::new(inner)), report))
    }

    /// Runs a query off the async worker.
    ///
    /// # Errors
    /// Those of the query, and `Unavailable` when no connection comes free within two seconds.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_a_pooled(Scope::Statement, boxed(query)).await?.open()
    }

    /// Runs a query on this thread, which must not be an async worker. A server lets it run for longer than one of a request.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_blocking<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.pooled(Scope::Background, boxed(query))?.open()
    }

    /// Runs a write in a transaction and answers once it is on disk.
    ///
    /// # Errors
    /// Those of the write, and `Unavailable` when it could not be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_on(Scope::Transaction, boxed(write)).await?.open()
    }

    /// Runs a write that is a single statement on a server, which commits it in one round trip instead of three; on a file
    /// it is like [`Database::write`].
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_statement<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_on(Scope::Statement, boxed(write)).await?.open()
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
        self.refuse_stopped()?;
        let Some(writer) = &self.0.writer else {
            return self.pooled(Scope::Background, boxed(write))?.open();
        };
        writer.write_blocking(boxed(write))?.open()
    }

    /// Returns how many connections of the pool are open, and how many of these wait for work.
    pub fn connections(&self) -> (u32, u32) {
        let state = self.0.pool.state();
        (state.connections, state.idle_connections)
    }

    /// Tells whether a process of the version before may run on this database; the database itself says so.
    ///
    /// # Errors
    /// If the database has no answer.
    pub fn version_before_may_run(&self) -> Result<bool, StoreError> {
        self.read_blocking(migrations::version_before_may_run)
    }

    /// Shuts the version before out, if its last process has gone: a day after the upgrade, unless one is connected to the
    /// server; or now, if somebody vouches for it. Returns whether it did.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn finish_upgrade(&self, vouched: bool) -> Result<bool, StoreError> {
        self.write_blocking(move |connection| migrations::finish_upgrade(connection, vouched))
    }

    /// Makes every query fail as if the database had stopped, or ends that: for tests, which cannot stop a file.
    #[cfg(feature = "internals")]
    pub fn set_stopped(&self, stopped: bool) {
        self.0.stopped.store(stopped, std::sync::atomic::Ordering::SeqCst);
    }

    fn refuse_stopped(&self) -> Result<(), StoreError> {
        #[cfg(feature = "internals")]
        if self.0.stopped.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::Unavailable("stopped by a test".into()));
        }
        Ok(())
    }

    /// Returns something to wait for the end of this database with.
    pub fn closing(&self) -> Closing {
        Closing(Arc::clone(&self.0.gone))
    }

    pub(super) fn write_probe(&self) -> &WriteProbe {
        &self.0.write_probe
    }

    /// Has the outbox looked into at once; call it once a transaction is committed that put an e-mail there.
    ///
    /// It is a courtesy to the reader: without it, the e-mail leaves at the next look, some seconds later.
    pub fn wake_outbox(&self) {
        self.0.outbox.wake();
    }

    /// Waits until somebody [wakes](Database::wake_outbox) the outbox, at most for `timeout`.
    pub(crate) fn wait_for_mail(&self, known: Wakes, timeout: Duration) -> Wakes {
        self.0.outbox.wait(known, timeout)
    }

    /// Opens a connection of the caller's own, outside the pool and past any pooler: what it is told holds until it goes.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        self.0.manager.place.open()
    }

    /// Lets the database measure what is in its tables, by which it chooses its plans. A server does so by itself.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn optimize(&self) -> Result<(), StoreError> {
        match self.connect()? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(mut file) => optimize(&mut file),
            #[cfg(feature = "postgres")]
            Connection::Postgres(_) => Ok(()),
        }
    }

    /// Moves what was just written from the log of a file into the file, on this thread; a server does so by itself.
    ///
    /// For whoever writes much: left to itself, the log grows to thousands of pages from all over the file, and a commit
    /// that comes while they go to the disk waits for all of them.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn shorten_log(&self) -> Result<(), StoreError> {
        self.read_blocking(|connection| match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(file) => shorten_now(file),
            #[cfg(feature = "postgres")]
            Connection::Postgres(_) => Ok(()),
        })
    }

    /// Makes every pooled connection be checked before its next use: one that leads to the same server was cut off.
    pub(super) fn revalidate_all(&self) {
        self.0.manager.revalidate_all();
    }

    /// Hands a write to the one writer of a file, or to a connection to a server.
    async fn write_on(&self, scope: Scope, write: Work<'static>) -> Result<Answered, StoreError> {
        self.refuse_stopped()?;
        match &self.0.writer {
            Some(writer) => writer.write(write).await,
            None => self.on_a_pooled(scope, write).await,
        }
    }

    /// Waits for a free connection without holding a thread, then for its answer.
    async fn on_a_pooled(&self, scope: Scope, work: Work<'static>) -> Result<Answered, StoreError> {
        let mut deadline = std::pin::pin!(sleep(REQUEST_TIMEOUT));
        let free = timeout(CONNECTION_TIMEOUT, Arc::clone(&self.0.permits).acquire_owned()).await;
        let permit: OwnedSemaphorePermit = free
            .map_err(|_| StoreError::Unavailable("every connection is busy".into()))?
            .map_err(|_| StoreError::Unavailable("the pool is closed".into()))?;
        let database = self.clone();
        let mut task = tokio::task::spawn_blocking(move || {
            let answer = database.pooled(scope, work);
            drop(permit);
            answer
        });
        tokio::select! {
            answer = &mut task => answer.map_err(|error| StoreError::Unavailable(error.into()))?,
            () = &mut deadline => {
                task.abort();
                Err(StoreError::Unavailable("the server does not answer".into()))
            }
        }
    }

    fn pooled(&self, scope: Scope, work: Work<'_>) -> Result<Answered, StoreError> {
        self.refuse_stopped()?;
        let Pooled { connection, .. } = &mut *self.0.pool.get()?;
        let has_pooler = self.0.manager.place.has_pooler();
        let answer = match scope {
            _ if self.0.writer.is_some() => work(connection),
            Scope::Background => bounded(connection, Bounds::Background, work),
            Scope::Statement | Scope::Transaction if has_pooler => bounded(connection, Bounds::Request, work),
            Scope::Statement => work(connection),
            Scope::Transaction => connection.transaction(work),
        };
        if answer.as_ref().is_err_and(is_lost) {
            self.revalidate_all();
        }
        answer
    }
}

/// Runs the migrations that are missing: for as long as that takes, once the database has said that there are any.
fn migrate(place: &Place, shown: &str) -> Result<MigrationReport, StoreError> {
    let looking = place.clone();
    let settled = answer_at_start(shown, move || {
        looking.check_pooler()?;
        migrations::is_settled(&mut looking.open_to_migrate()?)
    })?;
    match settled {
        true => Ok(MigrationReport { applied: Vec::new() }),
        false => migrations::run(&mut place.open_to_migrate()?),
    }
}

/// What runs on a pooled connection to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// What a request asks for in one statement, or in several that need not be of one moment.
    ///
    /// It needs no transaction, unless its connection leads to a pooler, where bounds hold for a transaction.
    Statement,
    /// A transaction of a request.
    Transaction,
    /// A transaction that no request waits for.
    Background,
}
