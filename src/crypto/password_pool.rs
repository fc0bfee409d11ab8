//! Where passwords are hashed: threads of low priority, with a short queue in front of them.
//!
//! One hash is some tenths of a second of a core. On the threads that serve pages, or on a pool without a bound, a
//! hundred sign-ins at once would stop every page; here they queue behind the pages, and those that would wait
//! too long are told so.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::password_hasher::{PasswordHasher, Verification};
use crate::domain::clock::Clock;
use crate::domain::count::{Distribution, Timings};
use crate::domain::password::Password;
use crate::domain::password_quality::{OwnWords, Weakness, weakness};

/// Hashes that may wait for each thread: at cost 12 the last waits for about five seconds, which a person still takes
/// for an answer.
const QUEUE_PER_THREAD: usize = 16;

/// How long somebody waits for room in the queue before they are refused.
///
/// Why not at once: whoever is refused at once and tries again at once, as a program does, is answered as often as the
/// processors can, and that is a greater load than the hashes.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// The priority of the threads: about half of the weight that a page has.
///
/// Pages come first, and sign-ins still move while pages take all of the machine: they then get about a quarter of what
/// they have alone, and pages lose a few per cent, as `benches/README.md` shows. At nice 10, a tenth of the weight, next to
/// nobody was signed in; at nice 6, a seventh as many as alone.
#[cfg(target_os = "linux")]
const NICE: i32 = 3;

/// Whether a thread can have a lower priority than its process.
const GIVES_WAY: bool = cfg!(target_os = "linux");

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
    Bcrypt(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl HashError {
    fn of_bcrypt(error: bcrypt::BcryptError) -> Self {
        Self::Bcrypt(error.into())
    }
}

/// A bounded pool of threads that hash passwords.
#[derive(Clone)]
pub struct PasswordPool {
    jobs: Sender<Job>,
    slots: Arc<Semaphore>,
    /// How many passwords may wait at once.
    room: usize,
    stopwatch: Stopwatch,
    #[cfg(feature = "internals")]
    hasher: PasswordHasher,
}

/// Times each hash, for metrics.
#[derive(Clone)]
struct Stopwatch {
    took: Arc<Timings>,
    clock: Arc<dyn Clock>,
}

/// Room in the queue for one password, free again once its turn comes.
pub struct QueueSlot {
    jobs: Sender<Job>,
    stopwatch: Stopwatch,
    permit: OwnedSemaphorePermit,
}

impl PasswordPool {
    /// Starts the threads; they end when the last handle goes.
    ///
    /// There are as many as processors, so all of the machine hashes when it has no page to make. On Linux they have a
    /// low priority, and pages come first. Why not the policy `SCHED_IDLE`: beside any other busy program
    /// hashes would nearly stand still, and the slowest pages take no less time. Elsewhere than on Linux, where a
    /// thread has no priority of its own, one processor is left free for the pages.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(hasher: PasswordHasher, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::start_with(if GIVES_WAY { cores } else { cores.saturating_sub(1).max(1) }, hasher, clock)
    }

    fn start_with(threads: usize, hasher: PasswordHasher, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (jobs, line) = channel();
        let line = Arc::new(Mutex::new(line));
        for _ in 0..threads {
            let (line, hasher) = (Arc::clone(&line), hasher.clone());
            thread::Builder::new().name("perennial-password".to_owned()).spawn(move || work(&line, &hasher))?;
        }
        Ok(Self {
            jobs,
            slots: Arc::new(Semaphore::new(threads * QUEUE_PER_THREAD)),
            room: threads * QUEUE_PER_THREAD,
            stopwatch: Stopwatch { took: Arc::default(), clock },
            #[cfg(feature = "internals")]
            hasher,
        })
    }

    /// Returns how many rounds of bcrypt were computed so far.
    #[cfg(feature = "internals")]
    pub fn work(&self) -> u64 {
        self.hasher.work()
    }

    /// Returns how many passwords wait for their turn.
    pub fn waiting(&self) -> usize {
        self.room.saturating_sub(self.slots.available_permits())
    }

    /// Returns how long each password took that was hashed or verified.
    pub fn took(&self) -> Distribution {
        self.stopwatch.took.read()
    }

    /// Waits for room in the queue, for a second at most.
    ///
    /// Ask for it before anything that costs something, such as a look into the database.
    ///
    /// # Errors
    /// `Busy` if none came free; then come back in a few seconds.
    pub async fn slot(&self) -> Result<QueueSlot, HashError> {
        let permit = tokio::time::timeout(QUEUE_TIMEOUT, Arc::clone(&self.slots).acquire_owned()).await;
        let permit = permit.map_err(|_| HashError::Busy)?.map_err(|_| HashError::Stopped)?;
        Ok(QueueSlot { jobs: self.jobs.clone(), stopwatch: self.stopwatch.clone(), permit })
    }

    /// Hashes a password that somebody chooses, unless it is too easy to guess.
    ///
    /// # Errors
    /// `Busy` past the queue; then come back in a few seconds.
    pub async fn hash_chosen(&self, password: Password, own: OwnWords) -> Result<Result<String, Weakness>, HashError> {
        let hash = move |hasher: &PasswordHasher| match weakness(&password, &own) {
            Some(weakness) => Ok(Err(weakness)),
            None => hasher.hash(&password).map(Ok),
        };
        self.slot().await?.run(hash).await?.map_err(HashError::of_bcrypt)
    }

    /// Hashes a password that was verified, however easy it is to guess.
    ///
    /// # Errors
    /// `Busy` past the queue; then come back in a few seconds.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        self.slot().await?.run(move |hasher| hasher.hash(&password)).await?.map_err(HashError::of_bcrypt)
    }
}

impl QueueSlot {
    /// Verifies a password against a stored hash, or, where the account does not exist, against nothing, in the same
    /// time.
    ///
    /// # Errors
    /// `Stopped` if the process is about to end.
    pub async fn verify(self, password: Password, stored: Option<String>) -> Result<Verification, HashError> {
        self.run(move |hasher| verify(hasher, &password, stored)).await
    }

    /// Verifies a password like [`QueueSlot::verify`], and says what makes it too easy to guess if it is the right one. It
    /// does not look at a wrong one, and at none without `own` words, so that a refusal takes the same time always.
    ///
    /// # Errors
    /// `Stopped` if the process is about to end.
    pub async fn verify_and_judge(
        self,
        password: Password,
        stored: Option<String>,
        own: Option<OwnWords>,
    ) -> Result<(Verification, Option<Weakness>), HashError> {
        self.run(move |hasher| {
            let verification = verify(hasher, &password, stored);
            let own = own.filter(|_| verification != Verification::Wrong);
            (verification, own.and_then(|own| weakness(&password, &own)))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&PasswordHasher) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (answer, answered) = oneshot::channel();
        let Self { jobs, stopwatch, permit } = self;
        let job: Job = Box::new(move |hasher| {
            drop(permit);
            // Whoever asked may have hung up while this waited in line: then nothing is worth computing.
            if answer.is_closed() {
                return;
            }
            let started = stopwatch.clock.elapsed();
            let done = work(hasher);
            stopwatch.took.note(stopwatch.clock.elapsed().saturating_sub(started));
            if answer.send(done).is_err() {
                tracing::debug!("the client left before its password was checked");
            }
        });
        jobs.send(job).map_err(|_| HashError::Stopped)?;
        answered.await.map_err(|_| HashError::Stopped)
    }
}

impl std::fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordPool")
    }
}

impl std::fmt::Debug for QueueSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueSlot")
    }
}

fn verify(hasher: &PasswordHasher, password: &Password, stored: Option<String>) -> Verification {
    match stored {
        Some(stored) => hasher.verify(password, &stored),
        None => hasher.verify_absent(password),
    }
}

fn work(line: &Mutex<Receiver<Job>>, hasher: &PasswordHasher) {
    give_way();
    loop {
        let job = line.lock().recv();
        match job {
            Ok(job) => job(hasher),
            Err(_) => return,
        }
    }
}

/// Lets everything else go before this thread.
#[cfg(target_os = "linux")]
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the password threads keep the normal priority");
    }
}

/// Does nothing where it would slow the whole process down.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use futures_util::future::{join, join_all};
    use zeroize::Zeroizing;

    use super::*;
    use crate::domain::clock::SystemClock;
    use crate::domain::password::{Pepper, PepperId};

    fn pool() -> PasswordPool {
        let pepper = Pepper { id: PepperId(7), key: Zeroizing::new(vec![1; 32]) };
        PasswordPool::start_with(1, PasswordHasher::new(4, pepper), Arc::new(SystemClock::start())).unwrap()
    }

    async fn full(pool: &PasswordPool) -> Vec<QueueSlot> {
        let places = join_all((0..QUEUE_PER_THREAD).map(|_| pool.slot())).await;
        places.into_iter().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn who_finds_the_line_full_waits_a_second_and_is_refused() {
        let pool = pool();
        let places = full(&pool).await;
        let asked = tokio::time::Instant::now();
        assert!(matches!(pool.slot().await, Err(HashError::Busy)));
        assert!(asked.elapsed() >= QUEUE_TIMEOUT);
        drop(places);
        assert!(pool.slot().await.is_ok());
    }

    #[tokio::test]
    async fn a_place_that_comes_free_goes_to_who_waits_for_it() {
        let pool = pool();
        let mut places = full(&pool).await;
        // Asked for before anything comes free: the first is polled first.
        let (place, ()) = join(pool.slot(), async { drop(places.pop()) }).await;
        assert!(place.is_ok());
    }

    /// Field 19 is the nice value (proc_pid_stat(5)).
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_have_a_low_priority() {
        let stat = pool().slot().await.unwrap().run(|_| std::fs::read_to_string("/proc/thread-self/stat").unwrap());
        let stat = stat.await.unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        assert_eq!(fields[19 - 3], NICE.to_string(), "{stat}");
    }

    #[test]
    fn a_place_is_free_again_once_its_turn_comes() {
        let pool = pool();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (begun, at_work) = oneshot::channel();
            let (go_on, wait) = sync_channel::<()>(1);
            let job = pool.slot().await.unwrap().run(move |_| {
                begun.send(()).unwrap();
                wait.recv().unwrap();
            });
            let watch = async {
                at_work.await.unwrap();
                assert_eq!(pool.slots.available_permits(), QUEUE_PER_THREAD);
                go_on.send(()).unwrap();
            };
            let (done, ()) = join(job, watch).await;
            assert!(done.is_ok());
        });
    }
}
