//! `node list`, `secret drop` and what the start and `doctor` say of keys and of other processes, with the real program.

use std::fs;
use std::path::Path;
use std::time::Duration;

use perennial::crypto::KeyRing;
use serde_json::Value;

use crate::support::client::{ACCESS, Client, REFRESH};
use crate::support::patience::{Stopwatch, until};
use crate::support::server::{Finished, Launch, Server, empty_folder, files, free_port};
use crate::support::{Rows, on_postgres};

/// Returns the secrets of these letters.
fn secrets(letters: &str) -> String {
    letters.chars().map(|letter| letter.to_string().repeat(40)).collect::<Vec<_>>().join(",")
}

/// Returns the name of the key of one letter.
fn id(letter: &str) -> String {
    KeyRing::new(secrets(letter).into(), []).key_ids()[0].to_string()
}

/// Prepares two processes that browsers take for one site.
fn two(folder: &Path, letters: &str) -> [Launch; 2] {
    let here = free_port();
    let launch = Launch::in_folder(folder).set("PUBLIC_URL", &format!("http://localhost:{here}"));
    let launch = launch.set("JWT_SECRET_KEY", &secrets(letters));
    [launch.clone().on_port(here), launch.on_port(free_port())]
}

fn run(launch: &Launch, words: &[&str]) -> Finished {
    words.iter().fold(launch.clone(), |launch, word| launch.argument(word)).finish()
}

/// Asserts that a command has done what it was asked for, and returns what it said.
fn said(finished: &Finished) -> &str {
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    &finished.stdout
}

fn nodes(launch: &Launch) -> Vec<Value> {
    serde_json::from_str(said(&run(launch, &["node", "list", "--json"]))).unwrap()
}

#[test]
fn a_leaked_key_is_dropped_everywhere_within_a_second() {
    let folder = empty_folder();
    let launches = two(folder.path(), "a");
    let first = launches[0].start();
    let mut old = Client::of(&first);
    old.register("ada");
    assert_eq!(first.stop().code(), Some(0));
    let launches = launches.map(|launch| launch.set("JWT_SECRET_KEY", &secrets("ba")));
    let servers = launches.each_ref().map(Launch::start);
    let mut new = Client::of(&servers[0]);
    assert_eq!(new.sign_in("ada").status, 303);
    let at = |client: &Client, server: &Server| Client { address: server.address, ..client.clone() };
    for server in &servers {
        assert!(at(&old, server).is_signed_in() && at(&new, server).is_signed_in());
    }

    let told = run(&launches[1], &["secret", "drop", &id("a")]);
    let stopwatch = Stopwatch::start();
    let (a, b) = (id("a"), id("b"));
    assert!(said(&told).contains(&format!("Dropped {a}")) && told.stdout.contains(&format!("{b} signs")), "{told:?}");
    for server in &servers {
        until("the end of what the key signed", || (!at(&old, server).is_signed_in()).then_some(()));
    }
    assert!(stopwatch.elapsed() < Duration::from_secs(1), "{:?}", stopwatch.elapsed());
    for server in &servers {
        let held = new.jar.clone();
        new.address = server.address;
        assert!(new.is_signed_in());
        assert_eq!(new.jar, held);
        let mut access_alone = at(&old, server);
        access_alone.jar.remove(REFRESH);
        assert!(!access_alone.is_signed_in());
    }
    assert!(said(&run(&launches[0], &["node", "list"])).contains(&format!("*{b} {a} (dropped)")));
    assert_eq!(run(&launches[0], &["secret", "drop", &b]).code(), Some(1), "it signs, and nothing else can");
    assert!(new.is_signed_in());
}

#[test]
fn a_lost_key_file_is_said_and_no_other_takes_its_place() {
    if on_postgres() {
        // There, keys are in no file.
        return;
    }
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    assert_eq!(server.stop().code(), Some(0));
    let (key_file, elsewhere) = (folder.path().join("perennial.key"), folder.path().join("elsewhere"));
    fs::rename(&key_file, &elsewhere).unwrap();
    let signing = Rows::of(folder.path()).text("SELECT key_id FROM signing_key");

    let refused = launch.finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let line = refused.complaint().to_owned();
    assert!(line.contains("perennial.key is missing") && line.contains("restore the file"), "{line}");
    assert!(line.contains(&format!("perennial secret drop {signing}")), "{line}");
    let doctor = run(&launch, &["doctor"]);
    assert_eq!(doctor.code(), Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("mend  keys: perennial.key is missing"), "{doctor:?}");
    assert_eq!(files(folder.path()), ["elsewhere", "perennial.db"], "and none was made");

    fs::rename(&elsewhere, &key_file).unwrap();
    let server = launch.start();
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in(), "nothing was lost");
    assert_eq!(server.stop().code(), Some(0));
    fs::remove_file(&key_file).unwrap();
    let dropped = run(&launch, &["secret", "drop", &signing]);
    assert!(said(&dropped).contains("No process that runs has this key."), "{dropped:?}");
    let server = launch.start();
    assert!(!client.is_signed_in());
    assert_eq!(client.sign_in("ada").status, 303);
    assert!(client.is_signed_in());
    assert_ne!(Rows::of(folder.path()).text("SELECT key_id FROM signing_key"), signing);
    drop(server);
}

#[test]
fn the_live_processes_are_listed() {
    let folder = empty_folder();
    let launches = two(folder.path(), "ab");
    assert_eq!(nodes(&launches[0]), [Value::Null; 0]);
    assert!(said(&run(&launches[0], &["node", "list"])).starts_with("No process is running on "));
    if !on_postgres() {
        assert_eq!(files(folder.path()), [""; 0], "to look makes nothing");
    }

    let servers = launches.each_ref().map(Launch::start);
    let listed = nodes(&launches[0]);
    assert_eq!(listed.len(), 2);
    for node in &listed {
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(node["key_ids"], serde_json::json!([id("a"), id("b")]));
        assert_eq!(node["signing_key"], id("a"));
        assert_eq!(node["lifetimes"], "access=15m kept=30d idle=14d session=1d grace=30s");
        for time in ["started_at", "heard_at"] {
            assert!(node[time].as_str().unwrap().ends_with('Z'), "{node}");
        }
    }
    let table = run(&launches[0], &["node", "list"]);
    let lines: Vec<&str> = said(&table).lines().collect();
    assert_eq!((lines.len(), lines[3]), (4, "* signs"), "{table:?}");
    let columns = |line: &str| (line.find(&id("a")[1..]), line.find("grace="), line.find(" s ago"));
    assert!(columns(lines[1]).0.is_some() && columns(lines[1]) == columns(lines[2]), "{table:?}");
    assert!(lines[1].contains(&format!("*{} {}", id("a"), id("b"))), "{table:?}");

    // Who stops has left; who is killed counts until the lease has run out.
    let [stopped, killed] = servers;
    assert_eq!(stopped.stop().code(), Some(0));
    assert_eq!(nodes(&launches[0]).len(), 1);
    killed.kill();
    assert_eq!(nodes(&launches[0]).len(), 1);
    Rows::of(folder.path()).execute("UPDATE nodes SET heard_at = heard_at - 60");
    assert_eq!(nodes(&launches[0]).len(), 0);
}

#[test]
fn lifetimes_that_differ_are_said_at_the_start_and_by_doctor() {
    let folder = empty_folder();
    let [one, other] = two(folder.path(), "a");
    let _first = one.start();
    let other = other.set("REUSE_GRACE", "60s").set("IDLE_TTL", "7d");
    let alike = run(&one, &["doctor"]);
    assert!(said(&alike).contains("ok    nodes: one is running, with these lifetimes"), "{alike:?}");
    let doctor = run(&other, &["doctor"]);
    assert_eq!(doctor.code(), Some(1), "{doctor:?}");
    let log = other.start().stop().stderr;
    for words in ["IDLE_TTL is 7d here and 14d for process ", "REUSE_GRACE is 1m here and 30s for process "] {
        assert!(doctor.stdout.contains(words), "{doctor:?}");
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn a_process_with_another_key_is_told_why_it_does_not_start() {
    let folder = empty_folder();
    let [one, other] = two(folder.path(), "a");
    let server = one.start();
    let mut client = Client::of(&server);
    client.register("ada");
    let other = other.set("JWT_SECRET_KEY", &secrets("x"));
    let refused = other.finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let line = refused.complaint();
    assert!(line.contains(&id("a")) && line.contains(&id("x")), "{line}");
    let doctor = run(&other, &["doctor"]);
    assert_eq!(doctor.code(), Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("mend  keys: the sign-ins here are signed with the key {}", id("a"))));
    let fits = run(&one.set("JWT_SECRET_KEY", &secrets("xa")), &["doctor"]);
    assert!(said(&fits).contains(&format!("{} verifies, {} signs", id("x"), id("a"))), "{fits:?}");
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in());
}

#[test]
fn a_key_that_is_none_cannot_be_dropped() {
    let folder = empty_folder();
    let [launch, _] = two(folder.path(), "a");
    for wrong in ["", "a", "Pfw7yqDtLkQVSn3T!", &secrets("a")] {
        let finished = run(&launch, &["secret", "drop", wrong]);
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        assert!(finished.complaint().starts_with("perennial: KEYID: takes "), "{finished:?}");
    }
    if !on_postgres() {
        let finished = run(&launch, &["secret", "drop", "-fw7yqDtLkQVSn3T"]);
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.complaint().starts_with("perennial: there is no database "), "{finished:?}");
        assert_eq!(files(folder.path()), [""; 0]);
    }
    assert_eq!(run(&launch, &["migrate", "--finish"]).code(), Some(0));
    assert!(said(&run(&launch, &["secret", "drop", "-fw7yqDtLkQVSn3T"])).contains("Dropped -fw7yqDtLkQVSn3T"));
    assert_eq!(run(&launch, &["node"]).code(), Some(2));
}

#[test]
fn doctor_says_whether_sign_ins_are_bound_to_their_devices_and_what_stands_in_the_way() {
    let folder = empty_folder();
    let [one, other] = two(folder.path(), "a");
    let doctor = |launch: &Launch| run(launch, &["doctor"]);
    let running = one.clone().set("DEVICE_BINDING", "off").start();
    let mixed = doctor(&other);
    assert_eq!(mixed.code(), Some(1), "{mixed:?}");
    let because = format!("because of process {} on ", running.id());
    assert!(
        mixed.stdout.contains("mend  devices: no sign-in is bound to them, ") && mixed.stdout.contains(&because),
        "{mixed:?}"
    );
    Rows::of(folder.path()).execute("UPDATE nodes SET version = '0.0.1'");
    assert!(
        said(&doctor(&other))
            .contains("ok    devices: no sign-in is bound to them while processes of another version run")
    );
    let off = doctor(&other.clone().set("DEVICE_BINDING", "off"));
    assert!(said(&off).contains("ok    devices: DEVICE_BINDING is off"), "{off:?}");
    running.stop();
    assert!(said(&doctor(&other)).contains("ok    devices: sign-ins are bound to them where the browser can"));
    let plain = doctor(&other.set("PUBLIC_URL", "http://sign-in.example.org").set("BCRYPT_COST", "10"));
    assert!(said(&plain).contains("ok    devices: no browser binds sign-ins over plain http"), "{plain:?}");
}
