//! Rows as life makes them, each known by its number: sign-ins of two months, the older half of them over.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, QueryableByName, RunQueryDsl, SqliteConnection, sql_types};
use perennial::config::DatabaseUrl;
use perennial::domain::id::{SessionId, UserId};
use perennial::domain::session::Session;
use perennial::domain::token::{RefreshSecret, RefreshToken, SecretHash};
use perennial::store::Database;
use time::{Duration, OffsetDateTime};

use super::random::Random;

/// What Chrome says of itself: 111 bytes.
const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

const DAY: f64 = 86_400.0;

/// Sign-ins of one person.
const DEVICES: u64 = 4;

/// What makes building quick: nobody else is there, and what is lost in a crash is built again.
const UNSAFE_AND_QUICK: &str =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -8000000;";

diesel::define_sql_function! { fn named(number: sql_types::BigInt) -> sql_types::Text; }
diesel::define_sql_function! { fn person_of(number: sql_types::BigInt) -> sql_types::BigInt; }
diesel::define_sql_function! { fn generation_of(number: sql_types::BigInt) -> sql_types::BigInt; }
diesel::define_sql_function! { fn hash_of(number: sql_types::BigInt) -> sql_types::Binary; }
diesel::define_sql_function! { fn hash_before(number: sql_types::BigInt) -> sql_types::Binary; }
diesel::define_sql_function! { fn began(number: sql_types::BigInt) -> sql_types::BigInt; }
diesel::define_sql_function! { fn seen(number: sql_types::BigInt) -> sql_types::BigInt; }
diesel::define_sql_function! { fn address_of(number: sql_types::BigInt) -> sql_types::Text; }

/// So many sign-ins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: u64,
    /// When the last of them began.
    pub(crate) now: OffsetDateTime,
}

impl Rows {
    /// Returns how many are over: the first, as the oldest are.
    pub(crate) fn expired(&self) -> u64 {
        self.count / 2
    }

    /// Returns the first that lives for another day at least.
    pub(crate) fn first_live(&self) -> u64 {
        self.expired() + self.count / 50
    }

    /// Returns how many of the last are left as they were built until the clean-up is measured.
    pub(crate) fn spared(&self) -> u64 {
        self.count / 10
    }

    /// Returns how many of those that are over were deleted: the first go first, and they began at even intervals.
    pub(crate) fn deleted(&self, path: &Path) -> u64 {
        let first = scalar(path, "SELECT min(expires_at) AS value FROM sessions");
        let newest = scalar(path, "SELECT max(expires_at) AS value FROM sessions");
        let left = (newest - first) as f64 / (60.0 * DAY) * self.count as f64;
        self.count.saturating_sub(left as u64)
    }

    /// Makes a database of them, unless it is there from the last time.
    ///
    /// The rows come in the order of time, as sign-ins do, and so do their names.
    /// One statement in one transaction writes each page once, however large the table.
    pub(crate) fn build(&self, path: &Path) {
        if path.exists() {
            let there = scalar(path, "SELECT count(*) AS value FROM sessions");
            if there == self.count as i64 {
                return;
            }
            std::fs::remove_file(path).unwrap();
        }
        drop(Database::open(&DatabaseUrl::Sqlite(path.to_owned())).unwrap());
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute(UNSAFE_AND_QUICK).unwrap();
        self.register(&mut connection);
        connection
            .batch_execute(&format!("BEGIN; {}; {}; COMMIT", people(self.people(), self.now), self.sessions()))
            .unwrap();
        drop(connection);
        // Back to WAL, and to the disk: what is measured next must not wait for what was written here.
        drop(Database::open(&DatabaseUrl::Sqlite(path.to_owned())).unwrap());
        std::fs::File::open(path).unwrap().sync_all().unwrap();
    }

    fn people(&self) -> u64 {
        (self.count / DEVICES).max(1)
    }

    /// Teaches SQLite what is known of a sign-in by its number.
    fn register(self, connection: &mut SqliteConnection) {
        let random = |number: i64| Random::from_seed(!(number as u64));
        let people = self.people() as usize;
        named_utils::register_impl(connection, |number: i64| id(number as u64).to_string()).unwrap();
        person_of_utils::register_impl(connection, move |number: i64| 1 + random(number).below(people) as i64).unwrap();
        generation_of_utils::register_impl(connection, |number: i64| token(number as u64).generation).unwrap();
        hash_of_utils::register_impl(connection, |number: i64| token(number as u64).secret.hash().as_bytes().to_vec())
            .unwrap();
        hash_before_utils::register_impl(connection, move |number: i64| bytes::<32>(&mut random(number)).to_vec())
            .unwrap();
        began_utils::register_impl(connection, move |number: i64| self.began(number as u64)).unwrap();
        seen_utils::register_impl(connection, move |number: i64| self.seen(number as u64)).unwrap();
        address_of_utils::register_impl(connection, move |number: i64| address(&mut random(number))).unwrap();
    }

    /// The two months before now, in order.
    fn began(&self, number: u64) -> i64 {
        self.now.unix_timestamp() - (60.0 * DAY * (self.count - number) as f64 / self.count as f64) as i64
    }

    /// At most ten days ago, or, of a sign-in that is over, somewhere in its life.
    fn seen(&self, number: u64) -> i64 {
        let (began, some) = (self.began(number), Random::from_seed(!number).fraction());
        if number < self.expired() {
            return began + (30.0 * DAY * some) as i64;
        }
        let now = self.now.unix_timestamp();
        now - (some * (10.0 * DAY).min((now - began) as f64)) as i64
    }

    fn sessions(&self) -> String {
        format!(
            "INSERT INTO sessions (id, user_id, generation, token_hash, previous_hash, rotated_at, created_at, \
             authenticated_at, last_seen_at, expires_at, kept, user_agent, address) \
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {} - 1) \
             SELECT named(i), person_of(i), generation_of(i), hash_of(i), hash_before(i), seen(i), began(i), began(i), \
             seen(i), began(i) + 2592000, TRUE, '{USER_AGENT}', address_of(i) FROM n",
            self.count
        )
    }
}

fn people(count: u64, now: OffsetDateTime) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO users (email, full_name, password_hash, role, is_active, created_at) \
         SELECT printf('person%08d@example.org', i), 'Ada Lovelace', '$2b$12$' || printf('%053d', i), 'user', 1, {} \
         FROM n",
        now.unix_timestamp()
    )
}

/// Returns the refresh token of a sign-in that was not touched since it was built.
pub(crate) fn token(number: u64) -> RefreshToken {
    let mut random = Random::from_seed(number);
    let generation = 1 + random.below(90) as i64;
    RefreshToken { session: id(number), generation, secret: RefreshSecret::from_bytes(bytes(&mut random)) }
}

/// Returns the name of a sign-in: it begins with a time, in the order of the numbers.
pub(crate) fn id(number: u64) -> SessionId {
    let mut random = Random::from_seed(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    SessionId::new(OffsetDateTime::UNIX_EPOCH + Duration::seconds(number as i64), bytes(&mut random))
}

/// Returns bytes that nobody could guess if the seed were a secret.
pub(crate) fn bytes<const COUNT: usize>(random: &mut Random) -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    for chunk in bytes.chunks_mut(8) {
        let bits = random.bits().to_le_bytes();
        chunk.copy_from_slice(&bits[..chunk.len()]);
    }
    bytes
}

/// Returns an IPv4 address as text.
pub(crate) fn address(random: &mut Random) -> String {
    let [a, b, c, d] = bytes(random);
    std::net::Ipv4Addr::new(a, b, c, d).to_string()
}

/// Returns a sign-in that begins now.
pub(crate) fn new_session(number: u64, now: OffsetDateTime, kept: bool, people: u64) -> Session {
    let mut random = Random::from_seed(!number);
    Session {
        id: id(number),
        user_id: UserId(1 + random.below(people as usize) as i64),
        generation: 0,
        token_hash: SecretHash::from_bytes(bytes(&mut random)),
        previous_hash: None,
        rotated_at: now,
        created_at: now,
        authenticated_at: now,
        last_seen_at: now,
        expires_at: now + if kept { Duration::days(30) } else { Duration::days(1) },
        kept,
        shared_computer: false,
        revoked: None,
        user_agent: USER_AGENT.to_owned(),
        address: address(&mut random),
        device_key: None,
        proved_generation: None,
    }
}

/// Makes an empty database with some people.
pub(crate) fn empty(path: &Path, count: u64, now: OffsetDateTime) -> perennial::store::Connection {
    let (database, _) = Database::open(&DatabaseUrl::Sqlite(path.to_owned())).unwrap();
    let mut connection = database.connect().unwrap();
    drop(database);
    connection.batch_execute(UNSAFE_AND_QUICK).unwrap();
    connection.batch_execute(&people(count, now)).unwrap();
    connection
}

/// Asks a database for a number, named `value`.
pub(crate) fn scalar(path: &Path, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::BigInt)]
        value: i64,
    }
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let row: Row = diesel::sql_query(query).get_result(&mut connection).unwrap();
    row.value
}

/// Asks a database for a text, named `value`.
pub(crate) fn text(path: &Path, query: &str) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        value: String,
    }
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let row: Row = diesel::sql_query(query).get_result(&mut connection).unwrap();
    row.value
}
