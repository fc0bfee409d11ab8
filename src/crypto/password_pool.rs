//! Where passwords are hashed: a few threads of low priority with a short queue.
//!
//! One hash is some tenths of a second of a core. On the threads that serve pages, or on a pool without a bound, a
//! hundred sign-ins at once would stop every page; here they wait in line behind the pages, and those that would wait
//! too long are told so at once.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::password_hasher::{PasswordHasher, Verification};
use crate::domain::password::Password;

/// Hashes that may wait for each thread: at cost 12 the last waits for about five seconds, which a person still takes
/// for an answer.
const QUEUE_PER_THREAD: usize = 16;

/// The lowest priority a thread can have: pages come first.
const NICE: i32 = 19;

type Job = Box<dyn FnOnce(&PasswordHasher) + Send>;

/// Why there is no answer from the pool.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting; nothing was computed.
    #[error("too many passwords are being checked")]
    Busy,
    /// The pool is gone: the process is about to end.
    #[error("the password pool has stopped")]
    Stopped,
    /// bcrypt could not hash.
    #[error("bcrypt: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
}

/// A bounded pool of threads that hash passwords.
#[derive(Clone)]
pub struct PasswordPool {
    queue: SyncSender<Job>,
}

impl PasswordPool {
    /// Starts one thread fewer than there are cores, and at least one; they end when the last handle goes.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(hasher: PasswordHasher) -> std::io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(1);
        let (queue, jobs) = sync_channel(threads * QUEUE_PER_THREAD);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let (jobs, hasher) = (Arc::clone(&jobs), hasher.clone());
            thread::Builder::new().name("perennial-password".to_owned()).spawn(move || work(&jobs, &hasher))?;
        }
        Ok(Self { queue })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// `Busy` past the queue; then come back in a few seconds.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        Ok(self.run(move |hasher| hasher.hash(&password)).await??)
    }

    /// Verifies a password against a stored hash, or, where the account does not exist, against nothing, in the same
    /// time.
    ///
    /// # Errors
    /// `Busy` past the queue; then come back in a few seconds.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verification, HashError> {
        self.run(move |hasher| match stored {
            Some(stored) => hasher.verify(&password, &stored),
            None => hasher.verify_absent(&password),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&PasswordHasher) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Whoever asked may have hung up while this waited in line: then nothing is worth computing.
            if !answer.is_closed() && answer.send(work(hasher)).is_err() {
                tracing::debug!("the client left before its password was checked");
            }
        });
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => HashError::Busy,
            TrySendError::Disconnected(_) => HashError::Stopped,
        })?;
        answered.await.map_err(|_| HashError::Stopped)
    }
}

impl std::fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordPool")
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, hasher: &PasswordHasher) {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the password threads keep the normal priority");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(hasher),
            Err(_) => return,
        }
    }
}
