//! `perennial move`: from a SQLite file to a PostgreSQL server, under way, without losing a sign-in.

use std::fs;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, REFRESH};
use crate::support::patience::{next_second, until};
use crate::support::postgres::Postgres;
use crate::support::server::{Finished, Launch, empty_folder, free_port};
use crate::support::traffic::while_browsing;

/// Browsers that go on while the data move.
const CLIENTS: usize = 4;

fn relocate(launch: &Launch, from: &str, to: &str) -> Finished {
    launch.clone().argument("move").argument("--from").argument(from).argument("--to").argument(to).finish()
}

#[test]
#[ignore = "needs PostgreSQL"]
fn every_sign_in_goes_on_after_a_move_under_way() {
    let postgres = Postgres::start();
    let to = postgres.database("moved");
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port()).set("REUSE_GRACE", "0s");
    let server = launch.start();
    let mut gone = Client::of(&server);
    gone.register("ada");
    let mut clients = [(); CLIENTS].map(|()| Client::of(&server));
    for client in &mut clients {
        assert_eq!(client.sign_in("ada").status, 303);
    }
    let before_sign_out = gone.clone();
    gone.sign_out();
    Rows::at(&format!("sqlite://{}/perennial.db", folder.path().display())).execute(
        "INSERT INTO outbox (message_id, recipient, subject, created_at, expires_at, refused_at, refusal, text, html) \
         VALUES ('a1', 'ada@example.org', 'Refused', 1, 1, 1, '550 nobody here', '', ''); \
         INSERT INTO event_cursors (name, position, missing, lease, leased_until, failures, retry_at, used_at) \
         VALUES ('mail list', 99, '', 3, 0, 0, 0, 0); \
         INSERT INTO mail_limits (recipient_hash, fifth_at) VALUES (zeroblob(32), 1); \
         INSERT INTO pending_registrations \
         (token_hash, email, full_name, password_hash, may_be_first, kept, created_at, expires_at) \
         VALUES (zeroblob(32), 'bob@example.org', 'Bob', 'x', FALSE, TRUE, 1, 1); \
         INSERT INTO kept_forms (id, user_id, created_at, expires_at, page, fields) \
         VALUES (x'00112233445566778899aabbccddeeff', 1, 1, 601, x'01', x'02')",
    );
    let finished = while_browsing(&mut clients, |traffic| {
        traffic.renewed_by_all(3);
        relocate(&launch, "sqlite://perennial.db", &to)
    });
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert!(finished.stdout.starts_with("Moved 1 users, 5 sign-ins and "), "{finished:?}");
    assert!(finished.stdout.contains("JWT_SECRET_KEY=\"$(cat perennial.key)\""), "{finished:?}");

    // What still runs on the file shows its pages, and gives nothing out that the server would not know.
    let held = clients[0].jar.get(REFRESH).map(str::to_owned);
    clients[0].jar.remove(ACCESS);
    next_second();
    let answer = clients[0].get("/dashboard").unwrap();
    assert_eq!((answer.status, answer.sets(ACCESS), answer.sets(REFRESH)), (200, false, false));
    assert_eq!(clients[0].jar.get(REFRESH), held.as_deref());
    assert_eq!(Client::of(&server).sign_in("ada").status, 503);
    until("a file that takes no more writes to be noticed", || {
        (Client::of(&server).get("/readyz").unwrap().status == 503).then_some(())
    });
    assert_eq!(server.stop().code(), Some(0));
    let refused = launch.clone().argument("serve").finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(refused.complaint().contains("moved to PostgreSQL: set DATABASE_URL"), "{refused:?}");

    let (mut file, mut rows) = (Rows::at(&format!("sqlite://{}/perennial.db", folder.path().display())), Rows::at(&to));
    for table in ["users", "sessions", "auth_events", "auth_tokens", "peppers", "outbox", "kept_forms"] {
        assert_eq!(file.count(table), rows.count(table), "{table}");
    }
    for table in ["throttle_counters", "mail_limits", "pending_registrations", "notice_links", "event_cursors"] {
        assert!(file.count(table) > 0 && file.count(table) == rows.count(table), "{table}");
    }
    assert_eq!(rows.number("SELECT position FROM event_cursors"), rows.number("SELECT max(id) FROM auth_events"));
    let known = "SELECT count(*) FROM throttle_counters WHERE account_hash IS NOT NULL";
    assert_eq!((file.number(known), rows.number(known)), (5, 5), "each device is known there too");
    let generations = "SELECT CAST(sum(generation) AS BIGINT) FROM sessions";
    assert_eq!(file.number(generations), rows.number(generations));

    let key = fs::read_to_string(folder.path().join("perennial.key")).unwrap();
    let moved = launch.set("DATABASE_URL", &to).set("JWT_SECRET_KEY", &key);
    let server = moved.start();
    rows.age_rotations();
    for client in &mut clients {
        client.jar.remove(ACCESS);
        let answer = client.get("/dashboard").unwrap();
        assert_eq!((answer.status, answer.sets(REFRESH)), (200, true), "{answer:?}");
        assert!(client.is_signed_in());
    }
    let mut gone = before_sign_out;
    assert_eq!(gone.get("/dashboard").unwrap().status, 303);
    assert!(gone.get("/login").unwrap().body.contains("You have signed out"));
    // Passwords, and the numbers of new rows, go on where they were.
    assert_eq!(Client::of(&server).sign_in("ada").status, 303);
    Client::of(&server).register("grace");
    assert_eq!(rows.number("SELECT max(id) FROM users"), 2);
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_move_that_cannot_be_right_moves_nothing() {
    let postgres = Postgres::start();
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    let missing = relocate(&launch, "sqlite://perennial.db", &postgres.database("first"));
    assert_eq!(missing.code(), Some(1), "{missing:?}");
    assert!(missing.complaint().contains("there is no database perennial.db"), "{missing:?}");

    let server = launch.start();
    Client::of(&server).register("ada");
    assert_eq!(relocate(&launch, "sqlite://perennial.db", "postgres://127.0.0.1:1/nowhere").code(), Some(1));
    let (used, key) = (postgres.database("used"), "k".repeat(32));
    let on_server = launch.clone().set("DATABASE_URL", &used).set("JWT_SECRET_KEY", &key).start();
    Client::of(&on_server).register("grace");
    let not_empty = relocate(&launch, "sqlite://perennial.db", &used);
    assert_eq!(not_empty.code(), Some(1), "{not_empty:?}");
    assert!(not_empty.complaint().contains("already holds accounts"), "{not_empty:?}");
    // The file takes writes as before.
    let mut client = Client::of(&server);
    assert_eq!(client.sign_in("ada").status, 303);

    // A move that was killed between its two halves is done again; a server that was only started is as good as empty.
    let started = postgres.database("started");
    assert_eq!(launch.clone().set("DATABASE_URL", &started).set("JWT_SECRET_KEY", &key).start().stop().code(), Some(0));
    for to in [postgres.database("one"), started] {
        assert_eq!(relocate(&launch, "sqlite://perennial.db", &to).code(), Some(0));
        assert_eq!(Rows::at(&to).count("sessions"), 2);
    }
}

#[test]
fn a_move_goes_from_a_file_to_a_server() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    for (from, to, flag) in [
        ("sqlite://a.db", "sqlite://b.db", "--to"),
        ("postgres://localhost/a", "postgres://localhost/b", "--from"),
        ("a.db", "postgres://localhost/b", "--from"),
        ("sqlite://a.db", "mysql://ada:hunter2@localhost/b", "--to"),
    ] {
        let finished = relocate(&launch, from, to);
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        assert!(finished.complaint().starts_with(&format!("perennial: {flag}: takes ")), "{finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
}
