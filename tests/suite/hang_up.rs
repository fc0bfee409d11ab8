//! A client that hangs up takes nothing back: from the decision on, the work runs to its end.

use std::io::Write;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, connect};
use crate::support::patience::{let_pass, next_second, until};
use crate::support::server::{Launch, Server, empty_folder, files};

/// How often a thief hangs up.
const TRIES: u64 = 24;

/// How much longer the connection is left open with each try, in microseconds.
const STEP: u64 = 100;

/// Asks for a page, and resets the connection.
fn ask_and_reset(client: &Client, pause: Duration) {
    let mut connection = connect(client.address).unwrap();
    connection.set_nodelay(true).unwrap();
    connection.write_all(client.head("GET", "/dashboard", "").as_bytes()).unwrap();
    let_pass(pause);
    set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
}

/// Lets a thief who hangs up at once show a copy of a token of long ago, each time of another account, since
/// few mails an hour go to one; returns how often the server had read the request by then, and noticed.
fn steal_and_hang_up(server: &Server, rows: &mut Rows) -> i64 {
    for number in 0..TRIES {
        let mut owner = Client::of(server);
        owner.register(&format!("ada{number}"));
        let mut thief = owner.clone();
        thief.jar.remove(ACCESS);
        for _ in 0..2 {
            rows.age_rotations();
            owner.jar.remove(ACCESS);
            assert!(owner.is_signed_in());
        }
        ask_and_reset(&thief, Duration::from_micros(number * STEP));
    }
    // What is asked now is answered after all that; whatever was begun is done soon.
    Client::of(server).sign_in("ada");
    let mut thefts = 0;
    until("an end of what was noticed", || {
        let before = std::mem::replace(&mut thefts, rows.count_events("refresh_token_replayed"));
        next_second();
        (before == thefts).then_some(())
    });
    println!("{thefts} of {TRIES} thieves were noticed");
    assert!(thefts > 0, "no request was ever read");
    thefts
}

#[test]
fn a_thief_who_hangs_up_at_once_is_caught() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let mut rows = Rows::of(folder.path());
    let thefts = steal_and_hang_up(&server, &mut rows);
    let ended = "SELECT count(*) FROM sessions WHERE revoked_because = 'replayed'";
    assert_eq!(rows.number(ended), thefts, "the event and the end are one transaction");
}

#[test]
fn the_owner_is_told_of_a_thief_who_hangs_up_at_once() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let thefts = steal_and_hang_up(&server, &mut Rows::of(folder.path()));
    let mails = folder.path().join("mail");
    let tells_of_theft = |name: &String| {
        let mail = std::fs::read_to_string(mails.join(name)).unwrap_or_default();
        mail.contains("Subject: One of your sign-ins was used from two places")
    };
    let written = || if mails.exists() { files(&mails).iter().filter(|name| tells_of_theft(name)).count() } else { 0 };
    until("a mail for each theft", || (i64::try_from(written()).unwrap() >= thefts).then_some(()));
    assert_eq!(i64::try_from(written()).unwrap(), thefts, "one theft, one mail");
}
