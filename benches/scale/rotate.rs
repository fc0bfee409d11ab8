//! Rotations in a process of its own: by the one writer of the library, or as they are usually written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use diesel::connection::SimpleConnection;
use perennial::config::DatabaseUrl;
use perennial::domain::clock::{Clock, SystemClock};
use perennial::domain::session::Session;
use perennial::store::{Connection, Database, StoreError, sessions};
use serde::{Deserialize, Serialize};

use super::layout::next;
use super::measure::{permille, processor_seconds, wait};
use super::random::Random;
use super::rows;

/// Threads that clients share, as a server has workers.
const THREADS: u64 = 2;

/// Sign-ins of each client, where they are read beforehand.
const OWN: u64 = 64;

/// How long nothing is counted at first.
const WARM_UP: Duration = Duration::from_millis(500);

/// How a rotation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// By the library: one writer, and those that wait share a commit.
    Writer,
    /// By a connection from a pool, on a thread for what blocks; each is a commit of its own.
    Pool,
}

/// What to rotate.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rotate {
    /// The database.
    #[arg(long)]
    database: PathBuf,
    /// The sign-ins that are rotated are the first so many.
    #[arg(long)]
    among: u64,
    /// How.
    #[arg(long)]
    way: Way,
    /// Connections of the pool.
    #[arg(long, default_value_t = 1)]
    connections: u32,
    /// Clients that each wait for one rotation after the other.
    #[arg(long)]
    clients: u64,
    /// How long.
    #[arg(long)]
    seconds: f64,
    /// Reads each sign-in and its user right before, as a request does, instead of all beforehand.
    #[arg(long)]
    reads: bool,
    /// Each seed chooses other sign-ins.
    #[arg(long)]
    seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rotated {
    /// Rotations a second.
    pub(crate) rate: f64,
    /// Microseconds of processor time for each, of the whole process.
    pub(crate) processor: f64,
    /// Milliseconds that one in a hundred exceeds.
    pub(crate) p99: f64,
    /// Milliseconds at most.
    pub(crate) longest: f64,
}

impl Rotate {
    /// Prepares the library's way.
    pub(crate) fn writer(database: &Path, among: u64, clients: u64, seconds: f64, seed: u64) -> Self {
        let (database, way) = (database.to_owned(), Way::Writer);
        Self { database, among, way, connections: 1, clients, seconds, reads: false, seed }
    }

    /// Prepares the usual way.
    pub(crate) fn pool(self, connections: u32) -> Self {
        Self { way: Way::Pool, connections, ..self }
    }

    /// Reads before each rotation.
    pub(crate) fn reading(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Runs in a process of its own, over the library `preloaded` if there is one.
    pub(crate) fn run(&self, preloaded: Option<&Path>) -> Rotated {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("rotate").arg("--database").arg(&self.database);
        command.args(["--among", &self.among.to_string(), "--connections", &self.connections.to_string()]);
        command.args(["--way", self.way.to_possible_value().unwrap().get_name(), "--seed", &self.seed.to_string()]);
        command.args(["--clients", &self.clients.to_string(), "--seconds", &self.seconds.to_string()]);
        if self.reads {
            command.arg("--reads");
        }
        if let Some(library) = preloaded {
            command.env("LD_PRELOAD", library);
        }
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{self:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Does it, in this process.
    pub(crate) fn measure(&self) -> Rotated {
        let (database, _) = Database::open(&DatabaseUrl::Sqlite(self.database.clone())).unwrap();
        let writing = match self.way {
            Way::Writer => Writing::Writer(database.clone()),
            Way::Pool => Writing::Pool(pool(database.clone(), self.connections)),
        };
        let shared = Arc::new(Shared {
            clock: SystemClock::start(),
            phase: AtomicU8::new(WARMING),
            ready: Barrier::new(usize::try_from(THREADS).unwrap() + 1),
            times: Mutex::default(),
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (plan, shared) = (self.clone(), Arc::clone(&shared));
                let (database, writing) = (database.clone(), writing.clone());
                std::thread::spawn(move || plan.clients_of(thread, &database, &writing, &shared))
            })
            .collect();
        shared.ready.wait();
        wait(WARM_UP);
        let used = || processor_seconds(std::process::id());
        let (processor, started) = (used(), shared.clock.elapsed());
        shared.phase.store(COUNTING, Ordering::SeqCst);
        wait(Duration::from_secs_f64(self.seconds));
        shared.phase.store(OVER, Ordering::SeqCst);
        let (processor, seconds) = (used() - processor, (shared.clock.elapsed() - started).as_secs_f64());
        for thread in threads {
            thread.join().unwrap();
        }
        let mut times = std::mem::take(&mut *shared.times.lock().unwrap());
        let count = times.len() as f64;
        Rotated {
            rate: count / seconds,
            processor: processor / count * 1e6,
            p99: permille(&mut times, 990),
            longest: permille(&mut times, 1000),
        }
    }

    /// Runs the clients of one thread.
    fn clients_of(&self, thread: u64, database: &Database, writing: &Writing, shared: &Arc<Shared>) {
        let mine: Vec<_> = (0..self.clients).filter(|client| client % THREADS == thread).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let clients: Vec<_> = mine
            .into_iter()
            .map(|client| Client {
                random: Random::from_seed(self.seed * 1_000_000 + client),
                own: if self.reads { Vec::new() } else { self.read_own(client, database) },
                numbers: (client, self.clients, self.among / self.clients),
                database: database.clone(),
                writing: writing.clone(),
                shared: Arc::clone(shared),
            })
            .collect();
        shared.ready.wait();
        runtime.block_on(async {
            let tasks: Vec<_> = clients.into_iter().map(|client| runtime.spawn(client.live())).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }

    /// Reads the sign-ins of a client, spread over the whole table.
    fn read_own(&self, client: u64, database: &Database) -> Vec<Session> {
        let each = self.among / self.clients;
        let mut random = Random::from_seed(self.seed * 1_000_000 + client);
        let mut numbers: Vec<_> = (0..OWN).map(|_| client + self.clients * (random.bits() % each)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let find = |connection: &mut Connection, number: &u64| sessions::find(connection, rows::id(*number));
        database
            .read_blocking(|connection| {
                numbers.iter().map(|number| Ok(find(connection, number)?.unwrap())).collect::<Result<_, StoreError>>()
            })
            .unwrap()
    }
}

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// What the clients have in common.
struct Shared {
    clock: SystemClock,
    phase: AtomicU8,
    ready: Barrier,
    times: Mutex<Vec<Duration>>,
}

/// One who waits for a rotation, and then for the next.
struct Client {
    random: Random,
    own: Vec<Session>,
    /// The first of its sign-ins, the step to the next, and how many it may choose from: nobody else's are among them.
    numbers: (u64, u64, u64),
    database: Database,
    writing: Writing,
    shared: Arc<Shared>,
}

impl Client {
    async fn live(mut self) {
        let mut times = Vec::new();
        while self.shared.phase.load(Ordering::Relaxed) != OVER {
            let started = self.shared.clock.elapsed();
            self.rotate().await;
            if self.shared.phase.load(Ordering::Relaxed) == COUNTING {
                times.push(self.shared.clock.elapsed() - started);
            }
        }
        self.shared.times.lock().unwrap().extend(times);
    }

    async fn rotate(&mut self) {
        let chosen = self.random.below(self.own.len());
        let session = if self.own.is_empty() {
            let (first, step, count) = self.numbers;
            let id = rows::id(first + step * (self.random.bits() % count));
            let found = self.database.read(move |connection| sessions::find_with_user(connection, id)).await;
            found.unwrap().unwrap().0
        } else {
            self.own[chosen].clone()
        };
        let after = next(&session, &mut self.random, self.shared.clock.now());
        if let Some(own) = self.own.get_mut(chosen) {
            own.clone_from(&after);
        }
        let write = move |connection: &mut Connection| sessions::swap(connection, &session, &after, None);
        let swapped = match &self.writing {
            Writing::Writer(database) => database.write(write).await,
            Writing::Pool(pool) => {
                let pool = pool.clone();
                tokio::task::spawn_blocking(move || write(&mut pool.get().unwrap())).await.unwrap()
            }
        };
        assert!(swapped.unwrap(), "nobody else rotates what this client does");
    }
}

#[derive(Clone)]
enum Writing {
    Writer(Database),
    Pool(r2d2::Pool<Plain>),
}

/// Connections as the library opens them, durable and in WAL mode; they wait for a lock as long as it takes.
struct Plain(Database);

impl r2d2::ManageConnection for Plain {
    type Connection = Connection;
    type Error = StoreError;

    fn connect(&self) -> Result<Connection, StoreError> {
        let mut connection = self.0.connect()?;
        connection.batch_execute("PRAGMA busy_timeout = 30000")?;
        Ok(connection)
    }

    fn is_valid(&self, _connection: &mut Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}

fn pool(database: Database, connections: u32) -> r2d2::Pool<Plain> {
    let builder = r2d2::Pool::builder().max_size(connections).test_on_check_out(false);
    builder.connection_timeout(Duration::from_secs(60)).build(Plain(database)).unwrap()
}
