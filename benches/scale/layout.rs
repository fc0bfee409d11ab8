//! Bytes on disk: what a sign-in takes, its indexes included.

use std::collections::VecDeque;
use std::path::Path;

use diesel::connection::SimpleConnection;
use perennial::domain::session::Session;
use perennial::domain::token::SecretHash;
use perennial::store::sessions;
use time::{Duration, OffsetDateTime};

use super::random::Random;
use super::rows;

/// Rotations of a sign-in in its life, in the small life below: the first of them makes the row longer.
const ROTATIONS: usize = 3;

/// Returns the bytes that a sign-in takes: those of the file that no other table holds, so that what is free counts.
pub(crate) fn bytes_a_session(path: &Path) -> f64 {
    let file = rows::scalar(path, "SELECT page_count * page_size AS value FROM pragma_page_count, pragma_page_size");
    let others = rows::scalar(
        path,
        "SELECT sum(pgsize) AS value FROM dbstat WHERE aggregate = TRUE AND name NOT IN \
         (SELECT name FROM sqlite_schema WHERE tbl_name = 'sessions')",
    );
    let count = rows::scalar(path, "SELECT count(*) AS value FROM sessions");
    (file - others) as f64 / count as f64
}

/// Returns the parts of that, by table and index.
pub(crate) fn parts(path: &Path) -> String {
    rows::text(
        path,
        "SELECT group_concat(name || ' ' || printf('%.0f', 1.0 * pgsize / (SELECT count(*) FROM sessions)), ', ') \
         AS value FROM dbstat WHERE aggregate = TRUE AND name IN \
         (SELECT name FROM sqlite_schema WHERE tbl_name = 'sessions')",
    )
}

/// Lives through three lifetimes of a table: people sign in, are rotated at random, and go when they are over.
///
/// Three of ten sign-ins last a day, the others a month. About `live` rows are there at any time.
pub(crate) fn live_a_while(path: &Path, live: u64, now: OffsetDateTime) {
    let people = (live / 4).max(1);
    let mut connection = rows::empty(path, people, now);
    let mut random = Random::from_seed(7);
    let month = Duration::days(30);
    // With a month of seven of ten sign-ins there at once, so many come in a month.
    let (arrivals, mut at) = (live * 10 / 7, now - month * 5);
    let step = month / u32::try_from(arrivals).unwrap();
    let mut there = VecDeque::new();
    connection.batch_execute("BEGIN").unwrap();
    for number in 0..arrivals * 3 {
        at += step;
        let kept = random.happens(0.7);
        sessions::insert(&mut connection, &rows::new_session(number, at, kept, people)).unwrap();
        there.push_back(number);
        if there.len() as u64 > arrivals {
            there.pop_front();
        }
        for _ in 0..ROTATIONS {
            rotate(&mut connection, there[random.below(there.len())], &mut random, at);
        }
        if number % 200 == 0 {
            while sessions::delete_expired(&mut connection, at, 200).unwrap() == 200 {}
        }
    }
    connection.batch_execute("COMMIT; PRAGMA journal_mode = WAL").unwrap();
}

fn rotate(connection: &mut perennial::store::Connection, number: u64, random: &mut Random, at: OffsetDateTime) {
    if let Some(session) = sessions::find(connection, rows::id(number)).unwrap() {
        assert!(sessions::swap(connection, &session, &next(&session, random, at), None).unwrap());
    }
}

/// Returns the row that the next rotation of a sign-in leads to; now and then its device has moved.
pub(crate) fn next(session: &Session, random: &mut Random, at: OffsetDateTime) -> Session {
    let moved = random.happens(0.1);
    Session {
        generation: session.generation + 1,
        token_hash: SecretHash::from_bytes(rows::bytes(random)),
        previous_hash: Some(session.token_hash),
        rotated_at: at,
        last_seen_at: session.seen(at),
        address: if moved { rows::address(random) } else { session.address.clone() },
        ..session.clone()
    }
}
