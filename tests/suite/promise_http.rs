//! The promise over real sockets: never signed out by accident, never kept in by theft.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{ACCESS, Answer, Client, REFRESH};
use crate::support::patience::{Stopwatch, next_second, until};
use crate::support::proxy::Proxy;
use crate::support::server::{Launch, empty_folder, free_port};
use crate::support::traffic::while_browsing;

/// Requests that a page with many images, or a window full of tabs, sends at once.
const TABS: usize = 50;

/// How often all of them find the access token expired.
const ROUNDS: i64 = 200;

/// Opens the dashboard in as many tabs as there are, at the same moment, with what the jar holds.
fn open_in_all_tabs(client: &Client) -> Vec<Answer> {
    let start = Barrier::new(TABS);
    thread::scope(|scope| {
        let open = || {
            let mut tab = client.clone();
            start.wait();
            tab.get("/dashboard").unwrap()
        };
        let tabs: Vec<_> = (0..TABS).map(|_| scope.spawn(open)).collect();
        tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
    })
}

#[test]
fn parallel_requests_with_one_expired_access_token_all_get_in_and_leave_one_lineage() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let mut client = Client::of(&server);
    client.register("ada");
    let mut rows = Rows::of(folder.path());
    for round in 1..=ROUNDS {
        rows.age_rotations();
        client.jar.remove(ACCESS);
        let answers = open_in_all_tabs(&client);
        for answer in &answers {
            assert_eq!(answer.status, 200, "round {round}: {answer:?}");
            assert!(answer.sets(ACCESS), "round {round}: {answer:?}");
            client.jar.keep(answer);
        }
        let handed_out = answers.iter().filter(|answer| answer.sets(REFRESH)).count();
        assert_eq!(handed_out, 1, "round {round}: refresh tokens handed out");
        assert_eq!(rows.number("SELECT generation AS value FROM sessions"), round);
    }
    assert_eq!(rows.count("sessions"), 1);
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert!(client.is_signed_in());
}

#[test]
fn answers_that_get_lost_sign_nobody_out() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("DEBUG_AUTH", "true");
    let server = launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s").start();
    let proxy = Proxy::that_loses_every(3, &[server.address]);
    let mut first = Client::of(&server);
    first.register("ada");
    let browse = |number: u64| {
        let mut client = Client::of(&server);
        assert_eq!(client.sign_in("ada").status, 303);
        client.address = proxy.address;
        let mut lost = number;
        for _ in 0..60 {
            client.jar.remove(ACCESS);
            match client.get("/dashboard") {
                Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
                Err(_) => {
                    lost += 1;
                    // Half of the browsers' tries come within the grace, half after it.
                    if lost.is_multiple_of(2) {
                        next_second();
                    }
                }
            }
        }
        client.address = server.address;
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
    };
    thread::scope(|scope| (0..6).for_each(|number| drop(scope.spawn(move || browse(number)))));
    assert!(proxy.lost() >= 100, "{}", proxy.lost());
    let log = server.log();
    for decision in ["Rotate", "Overlap", "Reissue"] {
        assert!(log.contains(&format!(": {decision}")), "no {decision} in the log");
    }
    assert_eq!(Rows::of(folder.path()).count_events("refresh_token_replayed"), 0);
}

#[test]
fn a_copied_jar_ends_both_sign_ins() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("REUSE_GRACE", "0s").start();
    Client::of(&server).register("ada");
    // Who renews when, and whether they get in: the owner (0) and the thief (1).
    let schedules: [&[(usize, bool)]; 5] = [
        &[(0, true), (1, true), (0, false), (1, false)],
        &[(1, true), (0, true), (1, false), (0, false)],
        &[(0, true), (0, true), (1, false), (0, false)],
        &[(1, true), (1, true), (0, false), (1, false)],
        &[(0, true), (1, true), (1, true), (0, false), (1, false)],
    ];
    let play = |schedule: &[(usize, bool)]| {
        let mut owner = Client::of(&server);
        assert_eq!(owner.sign_in("ada").status, 303);
        let mut parties = [owner.clone(), owner];
        let mut caught = false;
        for (step, (party, gets_in)) in schedule.iter().enumerate() {
            let party = &mut parties[*party];
            if !caught {
                next_second();
                party.jar.remove(ACCESS);
            }
            // Once one is caught, the other is out as well, with an access token that is still in force.
            assert_eq!(party.is_signed_in(), *gets_in, "step {step} of {schedule:?}");
            caught |= !gets_in;
        }
        for party in &mut parties {
            let held = party.jar.clone();
            for _ in 0..2 {
                let page = party.get("/login").unwrap();
                assert!(page.body.contains("This sign-in was ended to keep you safe"), "{page:?}");
            }
            for cookie in [ACCESS, REFRESH] {
                assert_eq!(party.jar.get(cookie), held.get(cookie), "no answer takes a dead cookie away");
            }
        }
    };
    thread::scope(|scope| schedules.iter().for_each(|schedule| drop(scope.spawn(move || play(schedule)))));
    let events = Rows::of(folder.path()).count_events("refresh_token_replayed");
    assert_eq!(events, i64::try_from(schedules.len()).unwrap(), "one alarm a theft");
}

#[test]
fn a_sign_out_reaches_another_process_within_a_second() {
    let folder = empty_folder();
    let (here, there) = (free_port(), free_port());
    let launch = Launch::in_folder(folder.path()).set("PUBLIC_URL", &format!("http://localhost:{here}"));
    let servers = [launch.clone().on_port(here).start(), launch.on_port(there).start()];
    Client::of(&servers[0]).register("ada");
    for round in 0..6 {
        let (through, other) = (&servers[round % 2], &servers[(round + 1) % 2]);
        let mut client = Client::of(through);
        assert_eq!(client.sign_in("ada").status, 303);
        let mut elsewhere = client.clone();
        elsewhere.address = other.address;
        for _ in 0..2 {
            assert!(elsewhere.is_signed_in());
        }
        assert_eq!(elsewhere.jar, client.jar, "by the access token alone");
        let held = elsewhere.jar.get(ACCESS).unwrap().to_owned();
        client.sign_out();
        let stopwatch = Stopwatch::start();
        until("the other process to know", || (!elsewhere.is_signed_in()).then_some(()));
        assert!(stopwatch.elapsed() < Duration::from_secs(1), "{:?}", stopwatch.elapsed());
        elsewhere.jar.set(ACCESS, &held);
        assert!(!elsewhere.is_signed_in(), "and it stays that way");
    }
}

#[test]
fn keys_change_under_live_traffic_without_a_sign_out() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let launch = launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s");
    let start = |letters: &str| {
        let keys: Vec<String> = letters.chars().map(|letter| letter.to_string().repeat(40)).collect();
        launch.clone().set("JWT_SECRET_KEY", &keys.join(",")).start()
    };
    let mut server = start("a");
    Client::of(&server).register("ada");
    let mut clients = [(); 4].map(|()| Client::of(&server));
    for client in &mut clients {
        assert_eq!(client.sign_in("ada").status, 303);
    }
    let server = while_browsing(&mut clients, |traffic| {
        for letters in ["ba", "b", "cb", "c"] {
            traffic.renewed_by_all(2);
            assert_eq!(server.stop().code(), Some(0));
            server = start(letters);
        }
        traffic.renewed_by_all(2);
        server
    });
    for client in &mut clients {
        assert!(client.is_signed_in());
    }
    drop(server);
    let mut rows = Rows::of(folder.path());
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.count_events("signed_in"), 5, "nobody had to sign in again");
}
