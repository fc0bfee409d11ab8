//! Several processes on one PostgreSQL database, behind a load balancer: the promise holds for all of them together.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use perennial::store::{Database, Exclusive};

use crate::support::client::{ACCESS, Answer, Client, PASSWORD, REFRESH};
use crate::support::cluster::{Cluster, KEY, PUBLIC_URL};
use crate::support::patience::{Stopwatch, let_pass, next_second, until};
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::server::{Launch, Server, empty_folder, free_port};
use crate::support::traffic::while_browsing_through_outages;

/// Processes behind the load balancer.
const NODES: usize = 3;

/// Requests that a page with many images, or a window full of tabs, sends at once.
const TABS: usize = 50;

/// How often all of them find the access token expired.
const ROUNDS: i64 = 40;

/// Renews as often as it can.
fn restless(launch: Launch) -> Launch {
    launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s")
}

/// Does something as often as said, at the same moment.
fn at_once<T: Send>(times: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(times);
    thread::scope(|scope| {
        let (start, act) = (&start, &act);
        let run = move |number| {
            start.wait();
            act(number)
        };
        let acts: Vec<_> = (0..times).map(|number| scope.spawn(move || run(number))).collect();
        acts.into_iter().map(|act| act.join().unwrap()).collect()
    })
}

/// Waits until a browser is signed out, and returns how long that took.
fn time_until_refused(client: &mut Client) -> Duration {
    let stopwatch = Stopwatch::start();
    until("a sign-in that is refused", || (!client.is_signed_in()).then_some(()));
    stopwatch.elapsed()
}

#[test]
#[ignore = "needs PostgreSQL"]
fn parallel_requests_to_several_nodes_all_get_in_and_leave_one_lineage() {
    let cluster = Cluster::start(NODES, |launch| launch);
    let proxy = Proxy::in_front_of(&cluster.addresses());
    cluster.client(0).register("ada");
    let [mut other] = cluster.signed_in("ada", proxy.address);
    other.jar.remove(ACCESS);
    let mut rows = cluster.prompt();
    // How long connections to the database take to make is not the question here.
    until("every node to have its connections", || {
        at_once(TABS, |_| other.clone().get("/dashboard").unwrap().status == 200)
            .into_iter()
            .all(|page| page)
            .then_some(())
    });
    rows.execute("DELETE FROM sessions");
    let [mut client] = cluster.signed_in("ada", proxy.address);
    for round in 1..=ROUNDS {
        rows.age_rotations();
        client.jar.remove(ACCESS);
        let answers: Vec<Answer> = at_once(TABS, |_| client.clone().get("/dashboard").unwrap());
        for answer in &answers {
            assert_eq!(answer.status, 200, "round {round}: {answer:?}");
            assert!(answer.sets(ACCESS), "round {round}: {answer:?}");
            client.jar.keep(answer);
        }
        let handed_out = answers.iter().filter(|answer| answer.sets(REFRESH)).count();
        assert_eq!(handed_out, 1, "round {round}: refresh tokens handed out");
        assert_eq!(rows.number("SELECT generation FROM sessions"), round);
    }
    cluster.assert_all_are_signed_in(&mut [client], 1);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn nodes_and_databases_that_die_under_traffic_cost_nobody_a_sign_in() {
    let mut cluster = Cluster::start(NODES, restless);
    let proxy = Proxy::that_loses_every(7, &cluster.addresses());
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<6>("ada", proxy.address);
    let (broken, unavailable) = while_browsing_through_outages(&mut clients, |traffic| {
        for node in 0..NODES {
            cluster.kill(node);
            traffic.renewed_by_all(2);
            cluster.start_again(node);
        }
        let before = traffic.unavailable();
        cluster.postgres.stop();
        until("an outage to be noticed", || (traffic.unavailable() > before).then_some(()));
        cluster.postgres.run();
        traffic.renewed_by_all(2);
        cluster.postgres.crash();
        cluster.postgres.run();
        traffic.renewed_by_all(2);
        (traffic.broken(), traffic.unavailable())
    });
    println!("{} answers lost, {broken} broken connections, {unavailable} times told to come back", proxy.lost());
    assert!(proxy.lost() > 0 && broken > 0 && unavailable > 0);
    cluster.assert_all_are_signed_in(&mut clients, 7);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn keys_change_node_by_node_without_a_sign_out() {
    let new = "the second key of every process with 32 bytes or more";
    let mut cluster = Cluster::start(NODES, restless);
    let proxy = Proxy::that_loses_every(7, &cluster.addresses());
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<4>("ada", proxy.address);
    while_browsing_through_outages(&mut clients, |traffic| {
        // In front, node by node, in one round: it signs once every node has it. Then the old one goes.
        for keys in [format!("{new},{KEY}"), new.to_owned()] {
            cluster.change("JWT_SECRET_KEY", &keys);
            traffic.renewed_by_all(2);
        }
        assert_eq!(traffic.unavailable(), 0, "the database was there all the time");
    });
    cluster.assert_all_are_signed_in(&mut clients, 5);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_copied_jar_ends_both_sign_ins_on_every_node() {
    let cluster = Cluster::start(NODES, |launch| launch.set("REUSE_GRACE", "0s"));
    let proxy = Proxy::in_front_of(&cluster.addresses());
    cluster.client(0).register("ada");
    // Who renews when, and whether they get in: the owner (0) and the thief (1).
    let schedules: [&[(usize, bool)]; 5] = [
        &[(0, true), (1, true), (0, false)],
        &[(1, true), (0, true), (1, false)],
        &[(0, true), (0, true), (1, false)],
        &[(1, true), (1, true), (0, false)],
        &[(0, true), (1, true), (1, true), (0, false)],
    ];
    let play = |schedule: &[(usize, bool)]| {
        let [owner] = cluster.signed_in::<1>("ada", proxy.address);
        let mut parties = [owner.clone(), owner];
        for (step, (party, gets_in)) in schedule.iter().enumerate() {
            next_second();
            parties[*party].jar.remove(ACCESS);
            assert_eq!(parties[*party].is_signed_in(), *gets_in, "step {step} of {schedule:?}");
        }
        let caught = schedule.last().unwrap().0;
        // The other one holds an access token that is still in force, and is out with it on every node.
        let mut slowest = Duration::ZERO;
        for address in cluster.addresses() {
            let mut elsewhere = parties[1 - caught].clone();
            elsewhere.address = address;
            slowest = slowest.max(time_until_refused(&mut elsewhere));
        }
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        for party in &mut parties {
            let held = party.jar.clone();
            let page = party.get("/login").unwrap();
            assert!(page.body.contains("This sign-in was ended to keep you safe"), "{page:?}");
            for cookie in [ACCESS, REFRESH] {
                assert_eq!(party.jar.get(cookie), held.get(cookie), "no node takes a dead cookie away");
            }
        }
    };
    thread::scope(|scope| schedules.iter().for_each(|schedule| drop(scope.spawn(|| play(schedule)))));
    let events = cluster.prompt().count_events("refresh_token_replayed");
    assert_eq!(events, i64::try_from(schedules.len()).unwrap(), "one alarm a theft");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_theft_that_is_noticed_while_its_owner_acts_waits_for_them_and_they_not_for_it() {
    let cluster = Cluster::start(1, |launch| launch.set("REUSE_GRACE", "0s"));
    cluster.client(0).register("ada");
    let [mut owner] = cluster.signed_in("ada", cluster.node(0).address);
    let mut thief = owner.clone();
    for party in [&mut owner, &mut thief] {
        next_second();
        party.jar.remove(ACCESS);
        assert!(party.is_signed_in());
    }
    next_second();
    owner.jar.remove(ACCESS);
    // Whoever acts locks the user first, and the session they came with after that.
    let (mut act, mut watcher) = (cluster.prompt(), cluster.prompt());
    act.execute("BEGIN");
    act.execute("SELECT id FROM users FOR UPDATE");
    thread::scope(|scope| {
        let caught = scope.spawn(|| owner.get("/dashboard").unwrap());
        until("a theft that waits", || {
            (watcher.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") > 0).then_some(())
        });
        act.execute("SELECT id FROM sessions FOR UPDATE");
        act.execute("COMMIT");
        assert_eq!(caught.join().unwrap().status, 303);
    });
    assert_eq!(watcher.count_events("refresh_token_replayed"), 1);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_sign_out_is_known_to_every_node_within_a_second() {
    let cluster = Cluster::start(NODES, |launch| launch);
    let addresses = cluster.addresses();
    cluster.client(0).register("ada");
    let mut times = Vec::new();
    for round in 0..12 {
        let mut client = cluster.client(round % NODES);
        assert_eq!(client.sign_in("ada").status, 303);
        let mut others: Vec<Client> =
            addresses.iter().map(|address| Client { address: *address, ..client.clone() }).collect();
        for other in &mut others {
            assert!(other.is_signed_in() && other.is_signed_in());
            assert_eq!(other.jar, client.jar, "by the access token alone");
        }
        let held = client.jar.clone();
        client.sign_out();
        let taken = at_once(NODES, |number| time_until_refused(&mut others[number].clone()));
        times.push(taken.into_iter().max().unwrap());
        for address in &addresses {
            let mut again = Client { address: *address, jar: held.clone(), ..client.clone() };
            assert!(!again.is_signed_in(), "and it stays that way");
        }
    }
    times.sort();
    println!("a sign-out was known everywhere after {:?} at the median, {:?} at most", times[6], times[11]);
    assert!(times[11] < Duration::from_secs(1), "{times:?}");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_write_that_waits_keeps_no_sign_out_from_being_heard() {
    let cluster = Cluster::start(2, |launch| launch);
    let mut used = cluster.client(0);
    used.register("eve");
    cluster.client(0).register("ada");
    let mut leaving = cluster.client(0);
    assert_eq!(leaving.sign_in("ada").status, 303);
    let mut elsewhere = Client { address: cluster.addresses()[1], ..leaving.clone() };
    assert!(elsewhere.is_signed_in());
    // The other node is to write down that a sign-in was used again after some minutes, and somebody has a lock on its row.
    let mut rows = cluster.prompt();
    let of_eve = "FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = 'eve@example.org')";
    rows.execute("UPDATE sessions SET last_seen_at = last_seen_at - 600");
    rows.execute(&format!("BEGIN; SELECT 1 {of_eve} FOR UPDATE"));
    used.address = elsewhere.address;
    assert!(used.is_signed_in());
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let mut watch = cluster.prompt();
    until("a write that waits", || (watch.number(waiting) > 0).then_some(()));
    leaving.sign_out();
    let taken = time_until_refused(&mut elsewhere);
    assert_eq!(watch.number(waiting), 1, "it waits still");
    println!("a sign-out was known after {taken:?}, beside a write that waits");
    assert!(taken < Duration::from_secs(1), "{taken:?}");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_node_that_was_held_still_for_long_asks_before_it_believes_its_memory() {
    let cluster = Cluster::start(2, |launch| launch);
    let mut leaving = cluster.client(0);
    leaving.register("ada");
    let mut elsewhere = Client { address: cluster.addresses()[1], ..leaving.clone() };
    assert!(elsewhere.is_signed_in() && elsewhere.is_signed_in());
    cluster.node(1).hold();
    leaving.sign_out();
    // Nothing can be heard of what changed, so all it could go by is its memory.
    let mut rows = cluster.prompt();
    rows.execute("BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE");
    let_pass(Duration::from_millis(5500));
    cluster.node(1).wake();
    assert!(!elsewhere.is_signed_in());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_start_beside_another_that_begins_the_clock_of_retention_waits_for_it() {
    let postgres = Postgres::start();
    let folder = empty_folder();
    let url = postgres.database("beginning");
    let launch = Launch::in_folder(folder.path()).set("DATABASE_URL", &url).set("JWT_SECRET_KEY", KEY);
    launch.start().stop();
    let (mut other, mut watcher) = (postgres.prompt("beginning"), postgres.prompt("postgres"));
    other.execute("DELETE FROM retention_clock");
    other.execute("BEGIN; INSERT INTO retention_clock VALUES (1, 1000000000, 1000000000)");
    thread::scope(|scope| {
        let start = scope.spawn(|| launch.start());
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until("a start that waits", || (watcher.number(waiting) > 0).then_some(()));
        other.execute("COMMIT");
        start.join().unwrap();
    });
    assert_eq!(other.number("SELECT reached_at FROM retention_clock"), 1_000_000_000, "the other's stands");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn one_process_of_all_holds_a_lock_and_it_passes_on() {
    let mut postgres = Postgres::start();
    let url = postgres.database("duty").parse().unwrap();
    let [first, second, third] = [(); 3].map(|()| Database::open(&url).unwrap().0);
    let lock = |database: &Database| database.try_exclusive(Exclusive::Background).unwrap();
    let mut held = lock(&first).unwrap();
    assert!(held.holds() && lock(&second).is_none() && lock(&third).is_none());
    assert!(third.try_exclusive(Exclusive::Sweep).unwrap().is_some(), "another lock is another's");
    drop(held);
    let mut held = until("the lock to pass on", || lock(&second));
    assert!(lock(&first).is_none() && lock(&third).is_none() && held.holds());

    postgres.stop();
    assert!(!held.holds());
    assert!(third.try_exclusive(Exclusive::Background).is_err());
    postgres.run();
    let mut new = lock(&third).unwrap();
    assert!(!held.holds(), "what a restart took does not come back");
    assert!(new.holds() && lock(&first).is_none());

    let backends = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'duty'";
    assert!(postgres.prompt("postgres").number(backends) > 0);
    until("the duty to be free after its connection was cut", || lock(&first));
    assert!(!new.holds());
}

/// Registers two people on two nodes at the same moment; returns their browsers.
fn register_at_once(nodes: &[Server]) -> Vec<Client> {
    let ready: Vec<_> = nodes
        .iter()
        .map(|node| {
            let mut client = Client::of(node);
            let token = client.form_token("/register");
            (client, token)
        })
        .collect();
    at_once(nodes.len(), |number| {
        let (mut client, token) = ready[number].clone();
        let email = format!("ada{number}@example.org");
        let fields = [("full_name", "Ada Lovelace"), ("email", &email), ("password", PASSWORD), ("form_token", &token)];
        assert_eq!(client.post("/register", &fields).unwrap().status, 303);
        client
    })
}

#[test]
#[ignore = "needs PostgreSQL"]
fn nodes_that_start_at_once_on_an_empty_database_agree() {
    let postgres = Postgres::start();
    for round in 0..3 {
        let folder = empty_folder();
        let url = postgres.database(&format!("round_{round}"));
        let launch = Launch::in_folder(folder.path()).set("DATABASE_URL", &url).set("JWT_SECRET_KEY", KEY);
        let launch = launch.set("PUBLIC_URL", PUBLIC_URL);
        let nodes = at_once(NODES, |_| launch.clone().on_port(free_port()).start());
        let mut rows = postgres.prompt(&format!("round_{round}"));
        assert_eq!(rows.count("peppers"), 1);
        let clients = register_at_once(&nodes);
        assert_eq!(rows.number("SELECT count(*) FROM users WHERE role = 'admin'"), 1, "round {round}");
        assert_eq!(rows.count("users"), i64::try_from(NODES).unwrap());
        for (number, client) in clients.into_iter().enumerate() {
            // Who was registered by one is signed in on another, with the cookies and with the password.
            let address: SocketAddr = nodes[(number + 1) % NODES].address;
            assert!(Client { address, ..client }.is_signed_in());
            assert_eq!(Client::at(address).sign_in(&format!("ada{number}")).status, 303);
        }
    }
}
