//! What a refused sign-in tells by its time, and what one costs that is not looked at.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::client::{Browser, EMAIL, PASSWORD};
use super::load::header;
use super::process::Server;
use super::table::{Row, median};

/// Tries at each kind of account.
const TRIES: usize = 1_000;

/// bcrypt's cost: low, so that what is beside the hash shows.
const COST: &str = "6";

/// The cost of an old hash.
const OLD_COST: u32 = 4;

/// Failures that lock an account.
const LOCKING: usize = 5;

/// Microseconds of processor time that a try at a locked account may cost.
const GOAL: f64 = 100.0;

/// The kinds of accounts, all with an address of the same length.
const KINDS: [(&str, &str); 4] = [
    ("an account", EMAIL),
    ("no account", "xyz@example.org"),
    ("an account with a hash of an older cost", "old@example.org"),
    ("an account with an imported hash", "imp@example.org"),
];

/// Measures both.
pub(crate) fn measure(rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut database) = start(folder.path());
    let requests: Vec<_> = KINDS.iter().map(|(_, email)| refused(&server, email)).collect();
    let mut connection = Client::to(&server);
    let mut times: Vec<Vec<f64>> = vec![Vec::with_capacity(TRIES); KINDS.len()];
    for round in 0..TRIES {
        database.batch_execute("DELETE FROM throttle_counters").unwrap();
        // Each is the first in its turn: that one finds a database that somebody else has just changed.
        for place in 0..KINDS.len() {
            let kind = (round + place) % KINDS.len();
            let started = Instant::now();
            assert_eq!(connection.ask(&requests[kind]), 401);
            times[kind].push(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    let medians: Vec<f64> = times.iter().map(|times| median(times.iter().copied())).collect();
    for ((kind, _), times) in KINDS.iter().zip(&times) {
        let words = format!("a wrong password, {kind}: median, and the spread of the middle half");
        rows.push(Row::note(words, format!("{:.0} µs, {:.0} µs", median(times.iter().copied()), spread(times))));
    }
    let apart = medians.iter().copied().fold(0.0, f64::max) - medians.iter().copied().fold(f64::INFINITY, f64::min);
    let narrowest = times.iter().map(|times| spread(times)).fold(f64::INFINITY, f64::min).round();
    rows.push(Row::at_most("those medians apart, against the narrowest spread", narrowest, apart, "µs"));
    for (request, (kind, _)) in requests.iter().zip(KINDS).take(2) {
        database.batch_execute("DELETE FROM throttle_counters").unwrap();
        for _ in 0..LOCKING {
            assert_eq!(connection.ask(request), 401);
        }
        let before = server.processor_time();
        for _ in 0..TRIES {
            assert_eq!(connection.ask(request), 403);
        }
        let each = (server.processor_time() - before).as_secs_f64() * 1e6 / TRIES as f64;
        rows.push(Row::at_most(format!("server CPU of a try that is not looked at, {kind}"), GOAL, each, "µs"));
    }
}

/// Starts a server with an account of each kind; returns its database beside it.
fn start(folder: &Path) -> (Server, SqliteConnection) {
    let server = Server::perennial(folder, &[("BCRYPT_COST", COST)]);
    Browser::new(server.address).register();
    let mut database = SqliteConnection::establish(folder.join("perennial.db").to_str().unwrap()).unwrap();
    database.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
    let imported = bcrypt::hash(PASSWORD, OLD_COST).unwrap();
    // The parts of a hash that are not its scheme are of no use to anybody here: no password is right.
    let copies = format!(
        "INSERT INTO users (email, full_name, password_hash, role, is_active, created_at)
         SELECT 'old@example.org', full_name, replace(password_hash, '$2b$06$', '$2b$0{OLD_COST}$'), role, is_active, created_at
         FROM users WHERE email = '{EMAIL}';
         INSERT INTO users (email, full_name, password_hash, role, is_active, created_at)
         SELECT 'imp@example.org', full_name, '{imported}', role, is_active, created_at
         FROM users WHERE email = '{EMAIL}';"
    );
    database.batch_execute(&copies).unwrap();
    (server, database)
}

/// Prepares a sign-in with a wrong password.
fn refused(server: &Server, email: &str) -> Vec<u8> {
    let request = String::from_utf8(Browser::new(server.address).sign_in_request()).unwrap();
    // As long as the right one, so that the length of the form stays what its head says.
    let wrong = PASSWORD.replace(' ', "+").replace("meadow", "meadew");
    request.replace(EMAIL, email).replace(&PASSWORD.replace(' ', "+"), &wrong).into_bytes()
}

/// Returns how far apart the times are between which the middle half lies.
fn spread(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() * 3 / 4] - sorted[sorted.len() / 4]
}

/// A connection that is kept.
struct Client(TcpStream);

impl Client {
    fn to(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends a request, reads all of the answer, and returns its status.
    fn ask(&mut self, request: &[u8]) -> u16 {
        self.0.write_all(request).unwrap();
        let (mut received, mut chunk) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let count = self.0.read(&mut chunk).unwrap();
            assert!(count > 0, "the answer was cut");
            received.extend_from_slice(&chunk[..count]);
            let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let length = header(&received, "content-length").map_or(0, |value| value.parse().unwrap());
            if received.len() >= head + 4 + length {
                return std::str::from_utf8(&received[9..12]).unwrap().parse().unwrap();
            }
        }
    }
}
