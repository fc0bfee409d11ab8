//! Rotations in a process of its own: by the one writer of the library, or as they are usually written.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use diesel::connection::SimpleConnection;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};
use perennial::config::DatabaseUrl;
use perennial::domain::clock::{Clock, SystemClock};
use perennial::domain::event::{Event, EventType};
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
    /// By the library: in a file, one writer, and those that wait share a commit; on a server, one statement.
    Library,
    /// By the library, as any other change: on a server, a transaction around the rotation and its event.
    Transaction,
    /// By a connection from a pool, on a thread for what blocks; each is a commit of its own.
    Pool,
    /// By one connection that does nothing else than update one row after the other, each a commit of its own.
    Bare,
}

/// What to rotate.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rotate {
    /// The database, as its URL.
    #[arg(long)]
    database: String,
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
    /// Writes an event with each rotation, as the first one after a pause does.
    #[arg(long)]
    events: bool,
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
    /// Prepares the library's way, on a file.
    pub(crate) fn library(file: &Path, among: u64, clients: u64, seconds: f64, seed: u64) -> Self {
        Self::at(format!("sqlite://{}", file.display()), among, clients, seconds, seed)
    }

    /// Prepares the library's way, on any database.
    pub(crate) fn at(database: String, among: u64, clients: u64, seconds: f64, seed: u64) -> Self {
        let (way, connections, reads, events) = (Way::Library, 1, false, false);
        Self { database, among, way, connections, clients, seconds, reads, events, seed }
    }

    /// Wraps each rotation and its event in a transaction.
    pub(crate) fn in_transactions(self) -> Self {
        Self { way: Way::Transaction, ..self }
    }

    /// Writes an event with each rotation.
    pub(crate) fn with_events(self) -> Self {
        Self { events: true, ..self }
    }

    /// Prepares the usual way.
    pub(crate) fn pool(self, connections: u32) -> Self {
        Self { way: Way::Pool, connections, ..self }
    }

    /// Updates rows alone: what SQLite itself takes.
    pub(crate) fn bare(file: &Path, among: u64, seconds: f64, seed: u64) -> Self {
        Self { way: Way::Bare, ..Self::library(file, among, 1, seconds, seed) }
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
        command.args(self.reads.then_some("--reads")).args(self.events.then_some("--events"));
        if let Some(library) = preloaded {
            command.env("LD_PRELOAD", library);
        }
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{self:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Does it, in this process.
    pub(crate) fn measure(&self) -> Rotated {
        let url: DatabaseUrl = self.database.parse().unwrap();
        let (database, _) = Database::open(&url).unwrap();
        let writing = match self.way {
            Way::Library => Writing::Library(database.clone()),
            Way::Transaction => Writing::Transaction(database.clone()),
            Way::Pool => Writing::Pool(pool(database.clone(), self.connections)),
            Way::Bare => return self.measure_bare(&database),
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

    /// Updates rows on this thread, by a statement that is prepared once.
    fn measure_bare(&self, database: &Database) -> Rotated {
        let Connection::Sqlite(mut connection) = database.connect().unwrap() else { unreachable!("a file") };
        let (clock, mut random) = (SystemClock::start(), Random::from_seed(self.seed));
        let used = || processor_seconds(std::process::id());
        let mut update_for = |length: Duration| {
            let (mut times, until) = (Vec::new(), clock.elapsed() + length);
            let mut now = clock.elapsed();
            while now < until {
                let id = rows::id(random.bits() % self.among).to_string();
                let hash = rows::bytes::<32>(&mut random);
                let updated =
                    BareUpdate { id, hash, rotated_at: clock.now().unix_timestamp() }.execute(&mut connection);
                assert_eq!(updated.unwrap(), 1);
                let after = clock.elapsed();
                times.push(after - now);
                now = after;
            }
            times
        };
        update_for(WARM_UP);
        let processor = used();
        let mut times = update_for(Duration::from_secs_f64(self.seconds));
        let (processor, count) = (used() - processor, times.len() as f64);
        Rotated {
            rate: count / self.seconds,
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
                events: self.events,
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
    events: bool,
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
        let event = self.events.then(|| {
            let client = perennial::domain::client::Client::new(None, &session.user_agent);
            Event::new(EventType::AutoSignedIn, Some(session.user_id), &client, after.rotated_at).about(session.id)
        });
        let write = move |connection: &mut Connection| sessions::swap(connection, &session, &after, event.as_ref());
        let swapped = match &self.writing {
            Writing::Library(database) => database.write_statement(write).await,
            Writing::Transaction(database) => database.write(write).await,
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
    Library(Database),
    Transaction(Database),
    Pool(r2d2::Pool<Plain>),
}

/// The least that a rotation writes, by primary key.
#[derive(QueryId)]
struct BareUpdate {
    id: String,
    hash: [u8; 32],
    rotated_at: i64,
}

impl QueryFragment<Sqlite> for BareUpdate {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE sessions SET generation = generation + 1, previous_hash = token_hash, token_hash = ");
        out.push_bind_param::<Binary, [u8]>(&self.hash)?;
        out.push_sql(", rotated_at = ");
        out.push_bind_param::<BigInt, _>(&self.rotated_at)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Text, _>(&self.id)
    }
}

impl RunQueryDsl<SqliteConnection> for BareUpdate {}

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
