//! The one writer: whatever waits shares one transaction, and so one `fsync`.
//!
//! SQLite has one write lock, so a second writing connection only adds waiting. With one thread, the writes that arrive
//! while a commit is on its way to the disk form the next commit together: under load the disk is asked once for many
//! of them, and durability (`synchronous=FULL`) costs next to nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use diesel::Connection as _;
use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::Connection;
use super::error::StoreError;
use super::sqlite::SqliteFile;

/// Writes that share a commit at most: a bound on how long the first of them waits for the last.
const BATCH: usize = 256;

/// Begins, commits and rolls back on a connection of either kind.
type Transactions = <Connection as diesel::Connection>::TransactionManager;

/// What is left to do for a write once its batch is committed or lost.
type Settle = Box<dyn FnOnce(Result<(), BatchLost>) + Send>;

/// One write: runs inside the transaction, answers after it.
type Job = Box<dyn FnOnce(&mut Connection) -> Settle + Send>;

/// Says that the transaction a write was part of did not commit.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct BatchLost(String);

/// A handle to the writing thread; the thread ends when the last handle goes.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the writing connection and starts its thread.
    pub(super) fn start(file: &SqliteFile) -> Result<Self, StoreError> {
        let connection = Connection::Sqlite(file.open_to_write()?);
        let (jobs, queue) = channel();
        let thread = thread::Builder::new()
            .name("perennial-writer".to_owned())
            .spawn(move || work(connection, &queue))
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues a write; `answer` is told of it once it is on disk, or is not, and dropped unasked if it was never begun.
    ///
    /// `answer` returns whether anybody still listened.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
        answer: impl FnOnce(Result<T, StoreError>) -> bool + Send + 'static,
    ) {
        let job: Job = Box::new(move |connection| {
            // A savepoint: a write that fails undoes itself and leaves the others of its batch alone.
            let written = connection.transaction(write);
            Box::new(move |committed| {
                let outcome = match (written, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(lost)) => Err(StoreError::Unavailable(Box::new(lost))),
                    (Err(error), _) => Err(error),
                };
                if !answer(outcome) {
                    tracing::debug!("nobody waited for the outcome of a write");
                }
            })
        });
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            tracing::error!("the writing thread is gone");
        }
    }
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

fn work(mut connection: Connection, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut settles = Vec::new();
        let batch = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1));
        // A panic in a query must not end all writing: the batch is lost, the thread goes on.
        let committed = catch_unwind(AssertUnwindSafe(|| commit(&mut connection, batch, &mut settles)))
            .unwrap_or_else(|_| Err(BatchLost("a write panicked".to_owned())));
        if committed.is_err() {
            roll_back(&mut connection);
        }
        for settle in settles {
            settle(committed.clone());
        }
    }
}

fn commit(
    connection: &mut Connection,
    batch: impl Iterator<Item = Job>,
    settles: &mut Vec<Settle>,
) -> Result<(), BatchLost> {
    // IMMEDIATE: a transaction that starts by reading and then wants to write would be refused without waiting.
    let begun = match connection {
        Connection::Sqlite(file) => AnsiTransactionManager::begin_transaction_sql(file, "BEGIN IMMEDIATE"),
        Connection::Postgres(server) => AnsiTransactionManager::begin_transaction(server),
    };
    if let Err(error) = begun {
        // The jobs must still hear of it; outside a transaction they cannot run, so they are answered by their drop.
        drop(batch.collect::<Vec<_>>());
        return Err(BatchLost(error.to_string()));
    }
    for job in batch {
        settles.push(job(connection));
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
