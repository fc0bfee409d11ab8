//! `kill -9` at random moments, under traffic: nobody loses a sign-in, and nobody is taken for a thief.
//!
//! `KILLS=5000 cargo test --release kill -- --nocapture` makes a long run of it.

use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client};
use crate::support::patience::{let_pass, random_below};
use crate::support::server::{Launch, empty_folder, free_port};
use crate::support::traffic::while_browsing;

/// How often the server is killed, unless the environment variable `KILLS` says otherwise.
const KILLS: u32 = 15;

/// Browsers on the way at any time.
const CLIENTS: usize = 6;

/// The longest that a server lives, in milliseconds; the shortest is no time at all.
const LIFE: u64 = 300;

#[test]
fn a_kill_at_any_moment_costs_nobody_a_sign_in() {
    let kills = std::env::var("KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port()).set("DEBUG_AUTH", "true");
    let launch = launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s");
    let mut server = launch.start();
    Client::of(&server).register("ada");
    Rows::of(folder.path()).age_every_rotation();
    let mut clients = [(); CLIENTS].map(|()| Client::of(&server));
    for client in &mut clients {
        assert_eq!(client.sign_in("ada").status, 303);
    }
    let mut reissued = 0;
    let (server, broken) = while_browsing(&mut clients, |traffic| {
        for _ in 0..kills {
            let_pass(Duration::from_millis(random_below(LIFE)));
            reissued += server.kill().stderr.matches(": Reissue").count();
            server = launch.start();
        }
        traffic.renewed_by_all(1);
        (server, traffic.broken())
    });
    for client in &mut clients {
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
    }
    reissued += server.stop().stderr.matches(": Reissue").count();
    let mut rows = Rows::of(folder.path());
    println!("{kills} kills, {broken} broken connections, {reissued} lost renewals made good");
    assert!(broken > 0 && (reissued > 0 || kills < KILLS), "no kill ever hit anything");
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.count("sessions"), i64::try_from(CLIENTS).unwrap() + 1);
    assert_eq!(rows.number("SELECT count(*) AS value FROM sessions WHERE revoked_at IS NOT NULL"), 0);
    assert_eq!(rows.integrity(), "ok");
}
