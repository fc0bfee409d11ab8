//! PgBouncer in transaction mode between the processes and their server: a connection belongs to a process for one
//! transaction and no longer, and nobody notices.

use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, REFRESH};
use crate::support::cluster::{Cluster, KEY};
use crate::support::patience::{Stopwatch, let_pass, random_below, until};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::server::{Launch, empty_folder, files};
use crate::support::traffic::while_browsing_through_outages;

/// Processes behind the pooler.
const NODES: usize = 3;

/// What Debian's configuration lacks to be of use to anybody who pools: the mode.
const TRANSACTION: &str = "pool_mode = transaction";

/// What the README advises beside it.
const ADVISED: [&str; 2] = ["query_wait_timeout = 5", "tcp_user_timeout = 8000"];

/// How often the pooler restarts under traffic.
const RESTARTS: u32 = 8;

/// Counts the connections to the server that no pooler stands behind, and all.
const DIRECT: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'direct'";
const ALL: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'perennial' AND pid <> pg_backend_pid() \
                   AND backend_type = 'client backend'";

/// Starts a server, a pooler in front of it and processes that use both.
fn pooled(pooler_settings: &[&str], settings: impl Fn(Launch) -> Launch) -> (Cluster, PgBouncer) {
    let postgres = Postgres::start();
    let direct = format!("{}?application_name=direct", postgres.database("perennial"));
    let pooler = PgBouncer::in_front_of(&postgres, &[&[TRANSACTION], pooler_settings].concat());
    let url = pooler.url("perennial");
    let settings = |launch: Launch| settings(launch.set("DATABASE_DIRECT_URL", &direct));
    (Cluster::start_on(postgres, &url, NODES, settings), pooler)
}

/// Renews as often as it can.
fn restless(launch: Launch) -> Launch {
    launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s")
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn processes_behind_a_transaction_pooler_keep_the_promise() {
    let (cluster, _pooler) = pooled(&[], |launch| launch);
    let mut rows = cluster.prompt();
    assert!(rows.count("perennial_migrations") > 0, "the first process brought the database up to date");
    cluster.client(0).register("ada");
    let mut client = cluster.client(1);
    assert_eq!(client.sign_in("ada").status, 303);

    for round in 1..=3 {
        for node in 0..NODES {
            rows.age_rotations();
            client.address = cluster.node(node).address;
            client.jar.remove(ACCESS);
            let answer = client.get("/dashboard").unwrap();
            assert!(answer.status == 200 && answer.sets(REFRESH), "round {round}: {answer:?}");
        }
    }

    // Every process remembers the sign-in, and hears that it is over: notified, and not by looking every half second.
    let mut copies: Vec<Client> =
        (0..NODES).map(|node| Client { address: cluster.node(node).address, ..client.clone() }).collect();
    copies.iter_mut().for_each(|copy| assert!(copy.is_signed_in()));
    client.sign_out();
    for copy in &mut copies {
        let stopwatch = Stopwatch::start();
        until("the end to be heard of", || (!copy.is_signed_in()).then_some(()));
        assert!(stopwatch.elapsed() < Duration::from_secs(1), "{:?}", stopwatch.elapsed());
    }
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    for node in 0..NODES {
        let log = cluster.node(node).log();
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    }
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn processes_behind_a_transaction_pooler_hold_a_handful_of_connections() {
    let (cluster, _pooler) = pooled(&["default_pool_size = 3"], restless);
    let proxy = Proxy::in_front_of(&cluster.addresses());
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<12>("ada", proxy.address);
    let mut rows = cluster.prompt();
    let (mut direct, mut all) = (0, 0);
    while_browsing_through_outages(&mut clients, |traffic| {
        for _ in 0..3 {
            traffic.renewed_by_all(1);
            direct = direct.max(rows.number(DIRECT));
            all = all.max(rows.number(ALL));
        }
        println!("{direct} connections past the pooler and {all} in all; {} told to come back", traffic.unavailable());
        assert_eq!(traffic.unavailable(), 0, "twelve browsers wait for three connections, and not for long");
    });
    let nodes = i64::try_from(NODES).unwrap();
    assert!(direct >= nodes, "each process follows the changes");
    assert!(direct <= 2 * nodes && all <= direct + 3, "{direct} {all}");
    cluster.assert_all_are_signed_in(&mut clients, 13);
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn a_pooler_that_restarts_under_traffic_costs_nobody_a_sign_in() {
    let (cluster, mut pooler) = pooled(&ADVISED, restless);
    let proxy = Proxy::in_front_of(&cluster.addresses());
    cluster.client(0).register("ada");
    let mut clients = cluster.signed_in::<6>("ada", proxy.address);
    while_browsing_through_outages(&mut clients, |traffic| {
        for _ in 0..RESTARTS {
            let_pass(Duration::from_millis(random_below(200)));
            pooler.stop();
            let_pass(Duration::from_millis(random_below(200)));
            pooler.run();
            traffic.renewed_by_all(1);
        }
        println!("{} times told to come back", traffic.unavailable());
        assert!(traffic.unavailable() > 0, "no restart ever hit anything");
        assert_eq!(traffic.broken(), 0);
    });
    cluster.assert_all_are_signed_in(&mut clients, 7);
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn a_pooled_request_that_waits_for_a_lock_gives_its_connection_back() {
    let (cluster, _pooler) = pooled(&["default_pool_size = 1"], |launch| launch);
    let mut client = cluster.client(0);
    client.register("ada");
    client.jar.remove(ACCESS);
    let mut rows = cluster.prompt();
    rows.age_rotations();
    rows.execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE");
    assert_eq!(client.get("/dashboard").unwrap().status, 503);
    // The one connection of the pool is free again, with nobody's bounds and in nobody's transaction.
    until("a page that needs another table", || {
        (Client::of(cluster.node(1)).get("/readyz").unwrap().status == 200).then_some(())
    });
    rows.execute("ROLLBACK");
    until("the end of the wait", || (client.get("/dashboard").unwrap().status == 200).then_some(()));
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn the_command_line_works_behind_a_transaction_pooler() {
    let postgres = Postgres::start();
    let direct = postgres.database("perennial");
    postgres.database("other");
    let pooler = PgBouncer::in_front_of(&postgres, &[TRANSACTION]);
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", KEY);
    let launch = launch.set("DATABASE_URL", &pooler.url("perennial")).set("DATABASE_DIRECT_URL", &direct);
    let run = |command: &str| launch.clone().argument(command).finish();
    assert!(run("migrate").stdout.starts_with("Applied "));
    for _ in 0..2 {
        assert_eq!(run("migrate").stdout, "The database is up to date.\n");
        let doctor = run("doctor");
        assert_eq!((doctor.code(), doctor.stderr.as_str()), (Some(0), ""), "{doctor:?}");
        assert!(run("cleanup").stdout.starts_with("Deleted 0 sign-ins"));
    }
    let elsewhere = launch.clone().set("DATABASE_DIRECT_URL", &postgres.url("other"));
    let refused = elsewhere.finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let complaint = refused.complaint();
    assert!(complaint.contains("DATABASE_URL (") && complaint.contains("DATABASE_DIRECT_URL ("), "{complaint}");
    let doctor = elsewhere.argument("doctor").finish();
    assert!(doctor.code() == Some(1) && doctor.stdout.contains("mend  database: DATABASE_URL ("), "{doctor:?}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
#[ignore = "needs PostgreSQL and pgbouncer"]
fn a_start_that_a_full_pooler_holds_up_is_said_within_ten_seconds() {
    let postgres = Postgres::start();
    postgres.database("perennial");
    // In session mode a process keeps its connections, and the pool has none for the second one.
    let pooler = PgBouncer::in_front_of(&postgres, &["pool_mode = session", "default_pool_size = 10"]);
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", KEY);
    let launch = launch.set("DATABASE_URL", &pooler.url("perennial"));
    let _first = launch.start();
    let mut rows = postgres.prompt("perennial");
    until("a process that holds what it needs", || (rows.number(ALL) >= 9).then_some(()));
    let _rest: Vec<_> = (rows.number(ALL)..10).map(|_| Rows::at(&pooler.url("perennial"))).collect();
    let stopwatch = Stopwatch::start();
    let second = launch.finish();
    let elapsed = stopwatch.elapsed();
    assert_eq!(second.code(), Some(1), "{second:?}");
    assert!(
        second.complaint().contains("it does not answer") && elapsed < Duration::from_secs(10),
        "{elapsed:?} {second:?}"
    );
}
