//! The pages of the administration with a million accounts, a million sign-ins and ten million events.

use std::net::SocketAddr;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use perennial::domain::clock::{Clock, SystemClock};
use perennial::domain::session::Session;
use perennial::jobs::count_days;
use perennial::store::{Connection, Database, sessions};
use time::{Duration, OffsetDateTime};

use super::http::Browser;
use super::measure::{median, permille};
use super::program::Program;
use super::report::{Report, met, progress};
use super::{Arguments, rows};

/// Accounts.
const USERS: u64 = 1_000_000;

/// Sign-ins; two of three are alive.
const SESSIONS: u64 = 1_000_000;

/// Events of half a year.
const EVENTS: u64 = 10_000_000;

/// The sign-in of the administrator, which is one of none of the others.
const OWN: u64 = 900_000_000;

/// How long a page may take, in milliseconds.
const GOAL: f64 = 50.0;

/// How often each page is asked for.
const TIMES: usize = 21;

/// The pages, each with words that only the right one has.
const PAGES: [(&str, &str); 16] = [
    ("/admin", "Live sign-ins"),
    ("/admin/users", "person1000000@example.org"),
    ("/admin/users?before=500000", "person499999@example.org"),
    ("/admin/users?search=person00000007", "No account among those looked at"),
    ("/admin/users?search=%25", "No account among those looked at"),
    ("/admin/users?search=lovelace+500000", "person500000@example.org"),
    ("/admin/users?search=example.org&before=400000", "person399999@example.org"),
    ("/admin/users/500000", "person500000@example.org"),
    ("/admin/sessions", "Firefox on Linux"),
    ("/admin/events", "person1@example.org"),
    ("/admin/events?type=auto_signed_in", "Kept signed in"),
    ("/admin/events?type=account_locked", "Account locked"),
    ("/admin/events?type=nothing_of_the_kind", "No event to show"),
    ("/admin/events?user=500000&type=account_locked", "No event to show"),
    ("/admin/events?type=signed_in&from=2020-01-01&to=2020-01-02", "No event to show"),
    ("/admin/nodes", "version"),
];

/// The migration whose indexes are what those pages read.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/sqlite/2026-11-21-000012_admin/up.sql"),
    include_str!("../../migrations/postgres/2026-11-21-000012_admin/up.sql"),
];

/// Measures every page on a database that is made for it.
pub(crate) fn measure(arguments: &Arguments, folder: &Path, report: &mut Report) {
    let path = folder.join("admin.db");
    progress("a site of a million accounts");
    fill(&format!("sqlite://{}", path.display()), "SQLite", report);
    measure_at(&format!("sqlite://{}", path.display()), folder, "SQLite", report);
    if let Some(url) = &arguments.postgres {
        fill(url, "PostgreSQL", report);
        measure_at(url, folder, "PostgreSQL", report);
    }
}

fn measure_at(url: &str, folder: &Path, name: &str, report: &mut Report) {
    let database = Database::open(&url.parse().unwrap()).unwrap().0;
    let lifetimes = perennial::Arguments::default().settings().unwrap().lifetimes;
    let clock = SystemClock::start();
    let begun = clock.elapsed();
    count_days(&database, &lifetimes, clock.now()).unwrap();
    let counted = (clock.elapsed() - begun).as_secs_f64();
    report.line(&format!("counting the last 30 days in the background, {name}"), "", &format!("{counted:.1} s"), "");
    drop(database);
    let program = Program::start_at(url, folder);
    for (page, words) in PAGES {
        let (middle, most) = times(program.address, page, words);
        report.line(
            &format!("`{page}`, {USERS} accounts, {EVENTS} events, {name}"),
            &format!("≤ {GOAL} ms"),
            &format!("{middle:.1} ms ({most:.1} ms at most of {TIMES})"),
            met(most <= GOAL),
        );
    }
}

/// Returns the milliseconds that a page takes, which has these words: the middle, and the most.
fn times(address: SocketAddr, page: &str, words: &str) -> (f64, f64) {
    let mut browser = Browser::signed_in(address, OWN).unwrap();
    let clock = SystemClock::start();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = clock.elapsed();
        let (status, body) = browser.get_page(page).unwrap();
        times.push(clock.elapsed() - begun);
        let body = String::from_utf8(body).unwrap();
        assert!(status == 200 && body.contains(words), "{page}: {status} without {words}: {body}");
    }
    let middle = median(&times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>());
    (middle, permille(&mut times, 1000))
}

/// Makes the site, and then the indexes of the migration, as an upgrade does.
fn fill(url: &str, name: &str, report: &mut Report) {
    let database = Database::open(&url.parse().unwrap()).unwrap().0;
    drop(database);
    let now = SystemClock::start().now();
    let mut connection = connect(url);
    if let Connection::Sqlite(file) = &mut connection {
        file.batch_execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -2000000")
            .unwrap();
    }
    let migration = if url.starts_with("sqlite://") { MIGRATIONS[0] } else { MIGRATIONS[1] };
    let indexes: Vec<_> =
        migration.split(';').filter_map(|text| text.find("CREATE INDEX").map(|at| &text[at..])).collect();
    for index in &indexes {
        connection.batch_execute(&format!("DROP INDEX {}", index.split(' ').nth(2).unwrap())).unwrap();
    }
    let [rows @ .., analyze, tidy] = statements(&connection, now);
    for statement in rows {
        connection.batch_execute(&statement).unwrap();
    }
    connection.batch_execute(&tidy).unwrap();
    let took = upgrade(url, &indexes);
    let what = format!("the indexes of migration 000012 on {USERS} accounts and {EVENTS} events, {name}");
    report.line(&what, "", &format!("{took:.1} s"), "");
    for statement in [&analyze, &tidy] {
        connection.batch_execute(statement).unwrap();
    }
    sessions::insert(&mut connection, &own(now)).unwrap();
}

/// Makes indexes in one transaction that is safe from a loss of power; returns the seconds.
fn upgrade(url: &str, indexes: &[&str]) -> f64 {
    let mut connection = connect(url);
    let clock = SystemClock::start();
    let begun = clock.elapsed();
    connection.batch_execute(&format!("BEGIN; {}; COMMIT", indexes.join(";"))).unwrap();
    (clock.elapsed() - begun).as_secs_f64()
}

fn connect(url: &str) -> Connection {
    match url.strip_prefix("sqlite://") {
        Some(path) => Connection::Sqlite(SqliteConnection::establish(path).unwrap()),
        None => Connection::Postgres(PgConnection::establish(url).unwrap()),
    }
}

fn own(now: OffsetDateTime) -> Session {
    let token = rows::token(OWN);
    Session {
        generation: token.generation,
        token_hash: token.secret.hash(),
        user_id: perennial::domain::id::UserId(1),
        ..rows::new_session(OWN, now, true, 1)
    }
}

fn statements(connection: &Connection, now: OffsetDateTime) -> [String; 5] {
    let (hash, id) = match connection {
        Connection::Sqlite(_) => ("zeroblob(32)", "printf('01900000-0000-7000-8000-%012d', i)"),
        Connection::Postgres(_) => {
            ("decode(repeat('00', 32), 'hex')", "'01900000-0000-7000-8000-' || lpad(i::text, 12, '0')")
        }
    };
    let numbers = |count: u64| {
        format!("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
    };
    let (now, day) = (now.unix_timestamp(), Duration::DAY.whole_seconds());
    [
        format!(
            "INSERT INTO users (email, full_name, password_hash, role, is_active, created_at) {} \
             SELECT 'person' || i || '@example.org', 'Ada Lovelace ' || i, 'x', \
             CASE WHEN i = 1 THEN 'admin' ELSE 'user' END, TRUE, {now} FROM n",
            numbers(USERS)
        ),
        format!(
            "INSERT INTO sessions (id, user_id, generation, token_hash, rotated_at, created_at, authenticated_at, \
             last_seen_at, expires_at, kept, user_agent, address, revoked_at, revoked_because) {} \
             SELECT {id}, 2 + i % ({USERS} - 1), 3, {hash}, {now}, {now}, {now}, {now}, {now} + i % (30 * {day}), TRUE, \
             'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '192.0.2.1', \
             CASE WHEN i % 3 = 0 THEN {now} END, CASE WHEN i % 3 = 0 THEN 'signed_out' END FROM n",
            numbers(SESSIONS)
        ),
        format!(
            "INSERT INTO auth_events (user_id, event_type, details, created_at) {} \
             SELECT 1 + i % {USERS}, CASE WHEN i % 100000 = 0 THEN 'account_locked' WHEN i % 10 < 2 THEN 'signed_in' \
             WHEN i % 10 = 2 THEN 'sign_in_failed' ELSE 'auto_signed_in' END, \
             '{{\"address\":\"192.0.2.1\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0\"}}', \
             {now} - ({EVENTS} - i) * (180 * {day}) / {EVENTS} FROM n",
            numbers(EVENTS)
        ),
        "ANALYZE".to_owned(),
        match connection {
            Connection::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
            Connection::Postgres(_) => "VACUUM".to_owned(),
        },
    ]
}
