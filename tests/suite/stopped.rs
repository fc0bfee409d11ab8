//! A process that was stopped, as by SIGSTOP or on a machine that was suspended: requests waited in its sockets meanwhile,
//! and others have answered their retries.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, REFRESH, connect, read_answer};
use crate::support::patience::{let_pass, until};
use crate::support::server::{Launch, Server, empty_folder, free_port};

/// Longer than the shortest break that counts, and shorter than a request waits for a process that holds the database's lock:
/// it may be stopped right then.
const STOP: Duration = Duration::from_millis(1200);

/// The window, with the grace that [`two_on_one_database`] sets, and some time for a busy machine.
const WINDOW: Duration = Duration::from_millis(4500);

/// Starts two processes on one database, and a browser that is signed in and has to renew.
fn two_on_one_database() -> (TempDir, [Server; 2], Client, Rows) {
    let folder = empty_folder();
    let ports = [free_port(), free_port()];
    let launch = Launch::in_folder(folder.path()).set("PUBLIC_URL", &format!("http://localhost:{}", ports[0]));
    let servers = ports.map(|port| launch.clone().set("REUSE_GRACE", "1s").on_port(port).start());
    let mut client = Client::of(&servers[0]);
    client.register("ada");
    client.jar.remove(ACCESS);
    let mut rows = Rows::of(folder.path());
    rows.age_rotations();
    (folder, servers, client, rows)
}

/// Sends the request for a page to a process that is stopped; returns the connection that it waits on.
fn send_to_stopped(server: &Server, client: &Client) -> TcpStream {
    let mut connection = connect(server.address).unwrap();
    connection.write_all(client.head("GET", "/dashboard", "").as_bytes()).unwrap();
    connection
}

/// Renews what a browser holds; on a busy machine a process may take a while for a break, and renew nothing at first.
fn renew(client: &mut Client, rows: &mut Rows) {
    let before = client.jar.get(REFRESH).map(str::to_owned);
    rows.age_rotations();
    until("a renewal", || {
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
        (client.jar.get(REFRESH) != before.as_deref()).then_some(())
    });
}

/// Asserts that nobody was signed out, and nobody taken for a thief.
fn assert_no_end(rows: &mut Rows) {
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
}

#[test]
fn a_request_that_waited_for_a_stopped_process_is_no_theft() {
    let (_folder, [sleeper, awake], mut client, mut rows) = two_on_one_database();
    sleeper.hold();
    let mut waiting = send_to_stopped(&sleeper, &client);
    client.address = awake.address;
    for _ in 0..2 {
        renew(&mut client, &mut rows);
    }
    let_pass(STOP);
    sleeper.wake();
    let answer = read_answer(&mut waiting).unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None);
    assert_no_end(&mut rows);
    for server in [&sleeper, &awake] {
        client.address = server.address;
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
    }
    let_pass(WINDOW);
    client.address = sleeper.address;
    renew(&mut client, &mut rows);
    assert_no_end(&mut rows);
}

#[test]
fn a_tab_that_waited_for_a_stopped_process_takes_no_token_away_from_its_browser() {
    let (_folder, [sleeper, awake], mut client, mut rows) = two_on_one_database();
    sleeper.hold();
    let mut waiting = send_to_stopped(&sleeper, &client);
    client.address = awake.address;
    renew(&mut client, &mut rows);
    // As if the window were long over.
    rows.age_rotations();
    let_pass(STOP);
    sleeper.wake();
    let answer = read_answer(&mut waiting).unwrap();
    assert_eq!((answer.status, answer.sets(ACCESS), answer.sets(REFRESH)), (200, true, false), "{answer:?}");
    // That answer is dropped: nobody waited for it any more.
    let_pass(WINDOW);
    for server in [&awake, &sleeper] {
        client.address = server.address;
        renew(&mut client, &mut rows);
    }
    assert_no_end(&mut rows);
}

#[test]
fn a_process_that_wakes_renews_nothing_before_it_has_been_awake_for_the_window() {
    let (_folder, [sleeper, awake], mut client, mut rows) = two_on_one_database();
    drop(awake);
    sleeper.hold();
    let mut waiting = send_to_stopped(&sleeper, &client);
    let_pass(STOP);
    sleeper.wake();
    let answer = read_answer(&mut waiting).unwrap();
    assert_eq!((answer.status, answer.sets(ACCESS), answer.sets(REFRESH)), (200, true, false), "{answer:?}");
    assert_eq!(rows.number("SELECT generation FROM sessions"), 0);
    let_pass(WINDOW);
    renew(&mut client, &mut rows);
    assert_eq!(rows.number("SELECT generation FROM sessions"), 1);
}
