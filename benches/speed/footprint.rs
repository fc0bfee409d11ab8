//! Goal 5: the size of the program, how soon it answers, and how much memory it takes.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perennial::app::{key_ring, open_database};
use perennial::config::Arguments as SettingsArguments;
use perennial::crypto::{AccessTokens, KeyState};
use perennial::domain::access_token::AccessToken;
use perennial::domain::audience::Audience;
use perennial::domain::id::SessionId;
use perennial::domain::session::Session;
use perennial::domain::token::SecretHash;
use perennial::store::users::Inserted;
use perennial::store::{StoreError, sessions, users};
use perennial::{Settings, SystemClock};
use time::OffsetDateTime;

use super::Arguments;
use super::client;
use super::load::{Load, Plan};
use super::process::{Server, free_address, time_to_first_answer};
use super::shipped;
use super::table::{Row, median};

/// People who are signed in at once.
const PEOPLE: u64 = 100_000;

/// How long memory is looked at after they all came.
const SETTLED: Duration = Duration::from_secs(10);

/// Rows that are written in one transaction.
const BATCH: u64 = 200;

/// Measures the program itself.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let size = std::fs::metadata(shipped::program()).unwrap().len();
    rows.push(Row::at_most("the program, as a file", 20.0, size as f64 / 1e6, "MB"));
    let starts = (0..arguments.rounds).map(|_| {
        let folder = tempfile::tempdir().unwrap();
        time_to_first_answer(folder.path()).as_secs_f64() * 1000.0
    });
    rows.push(Row::at_most("from the start in an empty folder to the first answer", 50.0, median(starts), "ms"));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::perennial(folder.path(), &[]);
    assert_eq!(client::get(server.address, "/login", "").status, 200);
    thread::sleep(Duration::from_secs(2));
    rows.push(Row::at_most("memory (RSS), idle", 20.0, server.resident(), "MB"));
    rows.push(Row::note("the part of that which no file holds", format!("{:.1} MB", server.anonymous())));
    drop(server);
    signed_in(rows);
}

/// Lets everybody open the dashboard once.
fn signed_in(rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let secret = "a secret that is as long as one has to be";
    let url = format!("http://{address}");
    let tokens = people(folder.path(), secret, &url);
    let settings = [("JWT_SECRET_KEY", secret), ("PUBLIC_URL", &url)];
    let server = Server::perennial_on(address, folder.path(), &settings);
    let request = |token: &String| client::request("GET", "/dashboard", address, &format!("access_token={token}"), "");
    let requests = Arc::new(tokens.iter().map(request).collect::<Vec<_>>());
    let plan = Plan { address, requests, connections: 32, threads: 1, repeats: false, obeys_retry_after: false };
    let load = Load::start(&plan);
    while !load.is_done() {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(load.count().good, PEOPLE);
    load.stop();
    // Their last use is written down some seconds later.
    let looks = (0..SETTLED.as_secs()).map(|_| {
        thread::sleep(Duration::from_secs(1));
        (server.resident(), server.anonymous())
    });
    let now = (server.resident(), server.anonymous());
    let (most, own) = looks.fold(now, |most, look| (most.0.max(look.0), most.1.max(look.1)));
    rows.push(Row::at_most("memory (RSS) with 100,000 people signed in and active, at most", 64.0, most, "MB"));
    rows.push(Row::note("the part of that which no file holds", format!("{own:.1} MB")));
}

/// Writes accounts and sign-ins into a new database, and returns their access tokens.
fn people(folder: &Path, secret: &str, url: &str) -> Vec<String> {
    let typed = SettingsArguments {
        database_url: Some(format!("sqlite://{}", folder.join("perennial.db").display())),
        jwt_secret_key: Some(secret.to_owned()),
        ..SettingsArguments::default()
    };
    let settings: Settings = typed.settings().unwrap();
    let keys = key_ring(&settings, &folder.join("perennial.key")).unwrap();
    let access_tokens = AccessTokens::new(&keys, &KeyState::new(&keys), url, settings.lifetimes.access);
    let (database, _) = open_database(&settings).unwrap();
    let now = perennial::domain::clock::Clock::now(&SystemClock::start());
    let mut issued = Vec::new();
    for start in (0..PEOPLE).step_by(BATCH as usize) {
        let written = database.write_blocking(move |connection| {
            let numbers = start..start + BATCH;
            numbers
                .map(|number| {
                    let user = users::insert(
                        connection,
                        &format!("person.number.{number}@example.org").parse().unwrap(),
                        &format!("Person Number {number}").parse().unwrap(),
                        "nobody knows the password",
                        now,
                    )?;
                    let Inserted::User(user) = user else { unreachable!("every address is new") };
                    let session = session(u128::from(number), user.id, now);
                    sessions::insert(connection, &session)?;
                    Ok::<_, StoreError>(session)
                })
                .collect::<Result<Vec<_>, _>>()
        });
        issued.extend(written.unwrap().iter().map(|session| {
            let token = AccessToken {
                audience: Audience::Pages,
                user: session.user_id,
                session: session.id,
                issued_at: now,
                expires_at: now + time::Duration::minutes(15),
                authenticated_at: now,
            };
            access_tokens.issue(&token).unwrap()
        }));
    }
    issued
}

fn session(number: u128, user_id: perennial::domain::id::UserId, now: OffsetDateTime) -> Session {
    Session {
        id: SessionId::from_bytes(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()),
        user_id,
        generation: 0,
        token_hash: SecretHash::from_bytes([7; 32]),
        previous_hash: None,
        rotated_at: now,
        created_at: now,
        authenticated_at: now,
        last_seen_at: now,
        expires_at: now + time::Duration::days(30),
        kept: true,
        shared_computer: false,
        revoked: None,
        user_agent: client::USER_AGENT.to_owned(),
        address: "127.0.0.1".to_owned(),
        device_key: None,
        proved_generation: None,
    }
}
