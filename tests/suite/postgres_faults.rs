//! Faults of a PostgreSQL server and of the way to it: they cost an answer, and never a sign-in.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use perennial::store::{Database, users};

use crate::support::cable::{Cable, Cut};
use crate::support::client::{ACCESS, Answer, Client, PASSWORD, REFRESH};
use crate::support::cluster::Cluster;
use crate::support::patience::{Stopwatch, let_pass, next_second, random_below, until};
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::server::Launch;
use crate::support::traffic::while_browsing_through_outages;

/// Requests sent at once: more than there are connections to the server.
const MANY: usize = 16;

/// Connections that a process opens to the server at most.
const CONNECTIONS: usize = 8;

/// How often connections are cut under traffic.
const CUTS: u32 = 40;

/// Renews as often as it can.
fn restless(launch: Launch) -> Launch {
    launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s")
}

/// Starts one process with somebody signed in to it; returns a browser that has shown its access token, so that the
/// process remembers it.
fn signed_in() -> (Cluster, Client) {
    let cluster = Cluster::start(1, |launch| launch);
    let mut client = cluster.client(0);
    client.register("ada");
    assert!(client.is_signed_in());
    (cluster, client)
}

/// Returns the same browser after its access token ran out.
fn without_access(client: &Client) -> Client {
    let mut client = client.clone();
    client.jar.remove(ACCESS);
    client
}

/// Opens the dashboard as often as said at the same moment, each time with the same jar; returns the answers.
fn all_at_once(client: &Client, times: usize) -> Vec<Answer> {
    let start = Barrier::new(times);
    thread::scope(|scope| {
        let open = || {
            start.wait();
            client.clone().get("/dashboard").unwrap()
        };
        let opened: Vec<_> = (0..times).map(|_| scope.spawn(open)).collect();
        opened.into_iter().map(|answer| answer.join().unwrap()).collect()
    })
}

/// Asserts that an answer says to come back later, and takes and gives no cookie.
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!((answer.header("retry-after"), answer.header("set-cookie")), (Some("5"), None), "{answer:?}");
}

/// Asserts that one request after the other is answered with its page, whichever connection it gets.
fn assert_goes_on(client: &Client) {
    for _ in 0..MANY {
        let answer = client.clone().get("/dashboard").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_server_that_is_away_costs_answers_and_no_sign_in() {
    let (mut cluster, mut remembered) = signed_in();
    let renewing = without_access(&remembered);
    let mut stranger = cluster.client(0);
    let form_token = stranger.form_token("/login");
    cluster.postgres.stop();
    let stopwatch = Stopwatch::start();
    all_at_once(&renewing, MANY).iter().for_each(assert_unavailable);
    println!("told to come back after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(4), "{:?}", stopwatch.elapsed());
    let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("form_token", &form_token)];
    assert_unavailable(&stranger.post("/login", &fields).unwrap());
    let refused =
        until("the end of trust", || Some(remembered.get("/dashboard").unwrap()).filter(|answer| answer.status != 200));
    let trusted = stopwatch.elapsed();
    println!("what was remembered opened pages for {trusted:?}");
    assert_unavailable(&refused);
    assert!((Duration::from_secs(4)..Duration::from_secs(10)).contains(&trusted), "{trusted:?}");

    cluster.postgres.run();
    let stopwatch = Stopwatch::start();
    until("a recovery", || (renewing.clone().get("/dashboard").unwrap().status == 200).then_some(()));
    println!("recovered after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(5), "{:?}", stopwatch.elapsed());
    assert_eq!(stranger.post("/login", &fields).unwrap().status, 303);
    assert_goes_on(&remembered);
    cluster.assert_all_are_signed_in(&mut [remembered], 2);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn connections_that_a_restart_cut_cost_the_next_requests_nothing() {
    let (mut cluster, client) = signed_in();
    for _ in 0..2 {
        let connections =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'perennial' AND pid <> pg_backend_pid()";
        let mut rows = cluster.prompt();
        until("every connection in use", || {
            drop(all_at_once(&without_access(&client), MANY));
            (rows.number(connections) >= 9).then_some(())
        });
        cluster.postgres.stop();
        cluster.postgres.run();
        assert_goes_on(&without_access(&client));
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn connections_that_are_cut_under_traffic_cost_nobody_a_sign_in() {
    let cluster = Cluster::start(1, restless);
    let address = cluster.addresses()[0];
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<6>("ada", address);
    let mut rows = cluster.prompt();
    let unavailable = while_browsing_through_outages(&mut clients, |traffic| {
        let mut cut = 0;
        for _ in 0..CUTS {
            let_pass(Duration::from_millis(random_below(50)));
            cut += rows.number(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = 'perennial' AND pid <> pg_backend_pid()",
            );
        }
        traffic.renewed_by_all(2);
        println!("{cut} connections cut, {} times told to come back", traffic.unavailable());
        assert_eq!(traffic.broken(), 0);
        traffic.unavailable()
    });
    assert!(unavailable > 0, "no cut ever hit anything");
    cluster.assert_all_are_signed_in(&mut clients, 7);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_server_that_says_nothing_is_not_waited_for() {
    let (cluster, mut remembered) = signed_in();
    let renewing = without_access(&remembered);
    assert_goes_on(&renewing);
    let held = cluster.postgres.hold_still();
    let stopwatch = Stopwatch::start();
    thread::scope(|scope| {
        scope.spawn(|| all_at_once(&renewing, MANY).iter().for_each(assert_unavailable));
        assert_eq!(remembered.get("/dashboard").unwrap().status, 200);
    });
    println!("told to come back after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(3), "{:?}", stopwatch.elapsed());
    for page in ["/dashboard", "/readyz"] {
        let stopwatch = Stopwatch::start();
        assert_unavailable(&renewing.clone().get(page).unwrap());
        assert!(stopwatch.elapsed() < Duration::from_secs(2), "{page}: {:?}", stopwatch.elapsed());
    }
    until("the end of trust", || (remembered.get("/dashboard").unwrap().status == 503).then_some(()));
    drop(held);
    let stopwatch = Stopwatch::start();
    until("a recovery", || (renewing.clone().get("/dashboard").unwrap().status == 200).then_some(()));
    println!("recovered after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(5), "{:?}", stopwatch.elapsed());
    assert_goes_on(&renewing);
    cluster.assert_all_are_signed_in(&mut [remembered], 1);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_process_can_be_stopped_while_its_server_says_nothing() {
    let (mut cluster, client) = signed_in();
    let renewing = without_access(&client);
    let held = cluster.postgres.hold_still();
    let stopwatch = Stopwatch::start();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| renewing.clone().get("/dashboard").unwrap());
        let_pass(Duration::from_millis(200));
        assert_eq!(cluster.stop(0).code(), Some(0));
        assert_unavailable(&waiting.join().unwrap());
    });
    println!("stopped after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(25), "{:?}", stopwatch.elapsed());
    drop(held);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn whoever_finds_a_connection_cut_spares_the_others_the_same() {
    let postgres = Postgres::start();
    let (database, _) = Database::open(&postgres.database("perennial").parse().unwrap()).unwrap();
    let backends =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'perennial%'";
    for cut_at_commit in [false, true] {
        let all = Barrier::new(CONNECTIONS);
        thread::scope(|scope| {
            let hold = || {
                database.read_blocking(|connection| {
                    all.wait();
                    users::any(connection)
                })
            };
            let held: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(hold)).collect();
            held.into_iter().for_each(|held| assert!(!held.join().unwrap().unwrap()));
        });
        let mut prompt = postgres.prompt("postgres");
        let cut = database.write_blocking(move |connection| {
            users::any(connection)?;
            prompt.number(backends);
            if cut_at_commit { Ok(false) } else { users::any(connection) }
        });
        assert!(cut.is_err());
        for _ in 0..CONNECTIONS {
            assert!(!database.read_blocking(users::any).unwrap());
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn requests_that_wait_for_a_lock_hold_nobody_else_up() {
    let (cluster, mut remembered) = signed_in();
    let renewing = without_access(&remembered);
    let mut rows = cluster.prompt();
    rows.execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE");
    let stopwatch = Stopwatch::start();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| all_at_once(&renewing, 3 * MANY).iter().for_each(assert_unavailable));
        let mut pages = 0;
        while !waiting.is_finished() {
            assert_eq!(remembered.get("/dashboard").unwrap().status, 200);
            pages += 1;
        }
        println!("{pages} pages meanwhile");
        assert!(pages > 3, "{pages}");
    });
    println!("told to come back after {:?}", stopwatch.elapsed());
    assert!(stopwatch.elapsed() < Duration::from_secs(5), "{:?}", stopwatch.elapsed());
    rows.execute("ROLLBACK");
    assert_goes_on(&renewing);

    // The row of the sign-in alone: it can be read, and the rotation cannot be written.
    let mut renewing = cluster.client(0);
    assert_eq!(renewing.sign_in("ada").status, 303);
    renewing.jar.remove(ACCESS);
    rows.age_rotations();
    rows.execute("BEGIN; SELECT 1 FROM sessions FOR UPDATE");
    let stopwatch = Stopwatch::start();
    let answer = renewing.get("/dashboard").unwrap();
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{answer:?}");
    assert!(stopwatch.elapsed() < Duration::from_secs(4), "{:?}", stopwatch.elapsed());
    rows.execute("ROLLBACK");
    cluster.assert_all_are_signed_in(&mut [renewing, remembered], 2);
}

/// Starts one process whose connections lead over a cable, with somebody signed in to it.
fn over_a_cable() -> (Cluster, Cable, Client) {
    let postgres = Postgres::start();
    let cable = Cable::to(postgres.address());
    let url = postgres.database("perennial").replace(&postgres.address().to_string(), &cable.address.to_string());
    let settings = |launch: Launch| launch.set("REUSE_GRACE", "0s").set("DEBUG_AUTH", "true");
    let cluster = Cluster::start_on(postgres, &url, 1, settings);
    let mut client = cluster.client(0);
    client.register("ada");
    (cluster, cable, client)
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_rotation_of_which_nobody_can_tell_whether_it_was_committed_costs_nothing() {
    let (cluster, cable, mut client) = over_a_cable();
    let mut rows = cluster.prompt();
    let secret = "SELECT encode(token_hash, 'hex') FROM sessions";
    let mut cuts = 0;
    for (cut, soon) in
        [Cut::AfterTheCommit, Cut::BeforeTheCommit].into_iter().flat_map(|cut| [(cut, true), (cut, false)])
    {
        for _ in 0..2 {
            next_second();
            let before = rows.text(secret);
            client.jar.remove(ACCESS);
            cable.cut_next_rotation(cut);
            let answer = client.get("/dashboard").unwrap();
            assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{answer:?}");
            cuts += 1;
            assert_eq!(cable.cuts(), cuts);
            assert_eq!(rows.text(secret) != before, cut == Cut::AfterTheCommit, "{cut:?}");
            if !soon {
                next_second();
            }
            let answer = client.get("/dashboard").unwrap();
            assert!(answer.status == 200 && answer.sets(ACCESS), "{cut:?} {answer:?}");
            assert!(soon || answer.sets(REFRESH), "{cut:?} {answer:?}");
        }
    }
    let log = cluster.node(0).log();
    for decision in ["Rotate", "Overlap", "Reissue"] {
        assert!(log.contains(&format!(": {decision}")), "no {decision} in the log");
    }
    next_second();
    cluster.assert_all_are_signed_in(&mut [client], 1);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_form_of_which_nobody_can_tell_whether_it_was_committed_can_be_sent_again() {
    let (cluster, cable, client) = over_a_cable();
    // A device that is known: the notice of a new one is sent by commits of its own, and one of them might be cut.
    let device = client.jar.get("known_device").unwrap().to_owned();
    for cut in [Cut::BeforeTheCommit, Cut::AfterTheCommit] {
        let mut client = Client::at(client.address);
        client.jar.set("known_device", &device);
        let form_token = client.form_token("/login");
        let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("form_token", &form_token)];
        cable.cut_next(cut);
        assert_unavailable(&client.post("/login", &fields).unwrap());
        assert_eq!(client.post("/login", &fields).unwrap().status, 303);
        let form_token = client.form_token("/dashboard");
        cable.cut_next(cut);
        let held = client.jar.clone();
        assert_unavailable(&client.post("/logout", &[("form_token", &form_token)]).unwrap());
        assert_eq!(client.jar, held);
        match cut {
            Cut::BeforeTheCommit => {
                assert!(client.is_signed_in());
                assert_eq!(client.post("/logout", &[("form_token", &form_token)]).unwrap().status, 303);
            }
            Cut::AfterTheCommit => until("the sign-out to be known", || (!client.is_signed_in()).then_some(())),
        }
        assert!(client.get("/login").unwrap().body.contains("You have signed out"));
    }
    assert_eq!(cable.cuts(), 4);
    assert_eq!(cluster.prompt().count_events("refresh_token_replayed"), 0);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_failover_costs_nobody_a_sign_in() {
    let postgres = Postgres::start();
    let mut standby = postgres.start_standby();
    postgres.database("perennial");
    let url = format!("postgres://perennial@{},{}/perennial", postgres.address(), standby.address());
    let mut cluster = Cluster::start_on(postgres, &url, 2, restless);
    let proxy = Proxy::in_front_of(&cluster.addresses());
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<4>("ada", proxy.address);
    while_browsing_through_outages(&mut clients, |traffic| {
        traffic.renewed_by_all(2);
        let before = traffic.unavailable();
        cluster.postgres.crash();
        until("an outage to be noticed", || (traffic.unavailable() > before).then_some(()));
        standby.promote();
        let stopwatch = Stopwatch::start();
        traffic.renewed_by_all(2);
        println!("everybody was served again {:?} after the other server took over", stopwatch.elapsed());
    });
    std::mem::swap(&mut cluster.postgres, &mut standby);
    cluster.assert_all_are_signed_in(&mut clients, 5);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_server_that_takes_no_writes_signs_nobody_out() {
    let (cluster, mut remembered) = signed_in();
    let renewing = without_access(&remembered);
    let mut stranger = cluster.client(0);
    let form_token = stranger.form_token("/login");
    let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("form_token", &form_token)];
    let mut rows = cluster.prompt();
    rows.age_rotations();
    rows.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    rows.execute("SELECT pg_reload_conf()");
    let refused = until("a sign-in that cannot be written", || {
        Some(stranger.post("/login", &fields).unwrap()).filter(|answer| answer.status != 303)
    });
    assert_unavailable(&refused);
    for _ in 0..3 {
        let answer = renewing.clone().get("/dashboard").unwrap();
        assert!(matches!(answer.status, 200 | 503) && answer.header("set-cookie").is_none(), "{answer:?}");
        assert!(remembered.is_signed_in());
    }
    rows.execute("ALTER SYSTEM RESET default_transaction_read_only");
    rows.execute("SELECT pg_reload_conf()");
    until("a recovery", || (stranger.post("/login", &fields).unwrap().status == 303).then_some(()));
    let answer = renewing.clone().get("/dashboard").unwrap();
    assert!(answer.status == 200 && answer.sets(REFRESH), "{answer:?}");
    assert_eq!(cluster.prompt().count_events("refresh_token_replayed"), 0);
}
