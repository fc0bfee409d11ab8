//! The one writer: whatever waits shares one transaction, and so one `fsync`.
//!
//! SQLite has one write lock, so a second writing connection only adds waiting. With one thread, the writes that arrive
//! while a commit is on its way to the disk form the next commit together: under load the disk is asked once for many
//! of them, and durability (`synchronous=FULL`) costs next to nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::Connection;
use super::bounds::REQUEST_TIMEOUT;
use super::checkpoints::Checkpoints;
use super::error::StoreError;
use super::sqlite::SqliteFile;
use super::work::{Answered, Work};

/// Writes that share a commit at most: a bound on how long the first of them waits for the last.
const BATCH: usize = 256;

/// Writes of requests that may wait: some seconds of work for a slow disk. Past that they are refused after
/// [`QUEUE_TIMEOUT`], so that a disk that stands still does not fill the memory.
const QUEUE: usize = 1024;

/// How long a write waits for room in the queue, as one waits for a connection to a server.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Begins, commits and rolls back on a connection of either kind.
type Transactions = <Connection as diesel::Connection>::TransactionManager;

/// What is left to do for a write once its batch is committed or lost.
type Answer = Box<dyn FnOnce(Result<(), BatchLost>) + Send>;

/// One write: runs inside the transaction, answers after it; nothing if nobody waits for it any more.
type Job = Box<dyn FnOnce(&mut Connection) -> Option<Answer> + Send>;

/// Says that the transaction a write was part of did not commit.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct BatchLost(String);

/// A handle to the writing thread; the thread ends when the last handle goes.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the writing connection and starts its thread.
    pub(super) fn start(file: &SqliteFile) -> Result<Self, StoreError> {
        let connection = Connection::Sqlite(file.open_to_write()?);
        let checkpoints = Checkpoints::start(file)?;
        let (jobs, queue) = channel();
        let thread = thread::Builder::new()
            .name("perennial-writer".to_owned())
            .spawn(move || work(connection, &queue, &checkpoints))
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { jobs: Some(jobs), room: Arc::new(Semaphore::new(QUEUE)), thread: Some(thread) })
    }

    /// Queues a write and waits until it is on disk.
    pub(super) async fn write(&self, write: Work<'static>) -> Result<Answered, StoreError> {
        let mut deadline = std::pin::pin!(sleep(REQUEST_TIMEOUT));
        let room = timeout(QUEUE_TIMEOUT, Arc::clone(&self.room).acquire_owned()).await;
        let room = room
            .map_err(|_| StoreError::Unavailable("too many writes are waiting".into()))?
            .map_err(|_| never_begun())?;
        let (answer, answered) = oneshot::channel();
        self.submit(move |connection| {
            drop(room);
            if answer.is_closed() {
                return None;
            }
            // A savepoint: a write that fails undoes itself and leaves the others of its batch alone.
            let written = connection.transaction(write);
            Some(Box::new(move |committed| {
                if answer.send(outcome(written, committed)).is_err() {
                    tracing::debug!("nobody waited for the outcome of a write");
                }
            }))
        });
        // A write that has not begun by then is not begun any more.
        tokio::select! {
            answer = answered => answer.map_err(|_| never_begun())?,
            () = &mut deadline => Err(StoreError::Unavailable("the disk does not answer".into())),
        }
    }

    /// Queues a write and blocks this thread until it is on disk.
    pub(super) fn write_blocking(&self, write: Work<'static>) -> Result<Answered, StoreError> {
        let (answer, answered) = sync_channel(1);
        self.submit(move |connection| {
            let written = connection.transaction(write);
            Some(Box::new(move |committed| {
                if answer.send(outcome(written, committed)).is_err() {
                    tracing::debug!("nobody waited for the outcome of a write");
                }
            }))
        });
        answered.recv().map_err(|_| never_begun())?
    }

    fn submit(&self, job: impl FnOnce(&mut Connection) -> Option<Answer> + Send + 'static) {
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(Box::new(job)).is_err()) {
            tracing::error!("the writing thread is gone");
        }
    }
}

fn outcome(written: Result<Answered, StoreError>, committed: Result<(), BatchLost>) -> Result<Answered, StoreError> {
    match (written, committed) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(lost)) => Err(StoreError::Unavailable(Box::new(lost))),
        (Err(error), _) => Err(error),
    }
}

/// A write that was dropped unrun: its batch could not begin.
fn never_begun() -> StoreError {
    StoreError::Unavailable("the write could not begin: the database is locked or the disk is full".into())
}

impl Drop for Writer {
    /// Waits until everything queued is on disk.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.thread().id() != thread::current().id() && thread.join().is_err())
        {
            tracing::error!("the writing thread panicked");
        }
    }
}

fn work(mut connection: Connection, queue: &Receiver<Job>, checkpoints: &Checkpoints) {
    while let Ok(first) = queue.recv() {
        let mut answers = Vec::new();
        let batch = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1));
        // A panic in a query must not end all writing: the batch is lost, the thread goes on.
        let committed = catch_unwind(AssertUnwindSafe(|| commit(&mut connection, batch, &mut answers)))
            .unwrap_or_else(|_| Err(BatchLost("a write panicked".to_owned())));
        match committed {
            Ok(()) => checkpoints.note_commit(),
            Err(_) => roll_back(&mut connection),
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

fn commit(
    connection: &mut Connection,
    batch: impl Iterator<Item = Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), BatchLost> {
    // IMMEDIATE: a transaction that starts by reading and then wants to write would be refused without waiting.
    let begun = match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => AnsiTransactionManager::begin_transaction_sql(file, "BEGIN IMMEDIATE"),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => AnsiTransactionManager::begin_transaction(server),
    };
    if let Err(error) = begun {
        // The jobs must still hear of it; outside a transaction they cannot run, so they are answered by their drop.
        drop(batch.collect::<Vec<_>>());
        return Err(BatchLost(error.to_string()));
    }
    for job in batch {
        answers.extend(job(connection));
    }
    Transactions::commit_transaction(connection).map_err(|error| BatchLost(error.to_string()))
}

fn roll_back(connection: &mut Connection) {
    while let Ok(Some(_)) = Transactions::transaction_manager_status_mut(connection).transaction_depth() {
        if let Err(error) = Transactions::rollback_transaction(connection) {
            tracing::error!(%error, "cannot roll a lost batch back");
            return;
        }
    }
}
