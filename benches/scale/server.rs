//! Sign-ins on a PostgreSQL server.

use perennial::domain::clock::{Clock, SystemClock};
use perennial::store::{Database, StoreError, sessions, users};

use super::measure::median;
use super::report::Report;
use super::rotate::Rotate;
use super::{Arguments, CLIENTS, p99, rate, rows};

/// Sign-ins of the table.
const SESSIONS: u64 = 100_000;

/// People who have them.
const PEOPLE: u64 = 1_000;

/// Rows that are written in one transaction.
const BATCH: u64 = 5_000;

/// Compares a rotation and its event in one statement with a transaction around both.
pub(crate) fn measure(arguments: &Arguments, url: &str, report: &mut Report) {
    let among = fill(url);
    let rotate = |seed| Rotate::at(url.to_owned(), among, CLIENTS, arguments.seconds, seed).reading().with_events();
    let [one, several] =
        arguments.in_turns([&|seed| rotate(seed).run(None), &|seed| rotate(seed).in_transactions().run(None)]);
    let ratios: Vec<_> = one.iter().zip(&several).map(|(one, several)| one.rate / several.rate).collect();
    report.line(
        "rotations with an event on PostgreSQL, one statement against a transaction around two",
        "",
        &format!(
            "{:.2} times: {:.0}/s (p99 {:.1} ms) against {:.0}/s (p99 {:.1} ms)",
            median(&ratios),
            rate(&one),
            p99(&one),
            rate(&several),
            p99(&several)
        ),
        "",
    );
}

/// Writes people and sign-ins into an empty database; returns how many sign-ins.
fn fill(url: &str) -> u64 {
    let (database, _) = Database::open(&url.parse().unwrap()).unwrap();
    let now = SystemClock::start().now();
    let people = database.write_blocking(move |connection| {
        for number in 0..PEOPLE {
            let email = format!("person{number:08}@example.org").parse().unwrap();
            users::insert(connection, &email, &"Ada Lovelace".parse().unwrap(), "nobody knows the password", now)?;
        }
        Ok(())
    });
    people.unwrap();
    for first in (0..SESSIONS).step_by(BATCH as usize) {
        let written = database.write_blocking(move |connection| {
            (first..first + BATCH).try_for_each(|number| {
                sessions::insert(connection, &rows::new_session(number, now, true, PEOPLE))?;
                Ok::<_, StoreError>(())
            })
        });
        written.unwrap();
    }
    SESSIONS
}
