//! `perennial event follow`: every event, once, whatever happens meanwhile.

use std::time::Duration;

use perennial::domain::clock::{Clock, SystemClock};
use perennial::store::event_follower::EventFollower;
use perennial::store::{Database, StoreError};
use serde_json::Value;

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::patience::until;
use crate::support::postgres::Postgres;
use crate::support::server::{Begun, Launch, empty_folder};

/// Starts to follow, and waits until it does.
fn follow(launch: &Launch) -> Begun {
    let following = launch.clone().words("event follow").begin();
    until("somebody who follows", || following.complained().contains("following").then_some(()));
    following
}

fn told(following: &Begun) -> Vec<Value> {
    following.said().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_event_is_told_once_as_it_happens() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    let server = launch.start();
    Client::of(&server).register("root");
    let mut rows = Rows::of(folder.path());
    let before = rows.count("auth_events");
    let following = follow(&launch);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..3).for_each(|_| drop(Client::of(&server).sign_in("root"))));
        }
    });
    let rest = rows.count("auth_events") - before;
    assert!(rest >= 24);
    until("every event", || (told(&following).len() as i64 >= rest).then_some(()));
    let mut ids: Vec<_> = told(&following).iter().map(|event| event["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    let first =
        rows.number(&format!("SELECT min(id) FROM (SELECT id FROM auth_events ORDER BY id DESC LIMIT {rest}) AS e"));
    assert_eq!(ids, (first..first + rest).collect::<Vec<_>>());
    let last = &told(&following)[0];
    assert_eq!((&last["event_type"], &last["user_id"]), (&"signed_in".into(), &1.into()), "{last}");
    assert_eq!(launch.words("session revoke --all").finish().code(), Some(0));
    until("what a command did", || {
        told(&following).iter().find(|event| event["details"]["by"] == "command line").map(|_| ())
    });
    assert_eq!(following.kill().stderr, "following; Ctrl-C ends it\n");
}

#[test]
fn it_ends_once_nobody_reads_any_more() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    let _server = launch.start();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_perennial"));
    command.args(["event", "follow"]).env_clear().current_dir(folder.path());
    command.env("DATABASE_URL", crate::support::url_in(folder.path()));
    command.env("JWT_SECRET_KEY", "a key of the test suite with 32 bytes or more");
    let mut child = command.stdout(writer).stderr(std::process::Stdio::null()).spawn().unwrap();
    drop(command);
    drop(reader);
    let status = until("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn an_event_that_is_committed_late_is_told_too() {
    let server = Postgres::start();
    let url = server.database("late");
    let (database, _) = Database::open(&url.parse().unwrap()).unwrap();
    let clock = SystemClock::start();
    let mut follower = EventFollower::start(&database).unwrap();
    let mut told = Vec::new();
    let mut catch_up = |elapsed: Duration| {
        let mut new = Vec::new();
        let read = follower.catch_up(elapsed, |event| {
            new.push(event.kind);
            Ok::<_, StoreError>(())
        });
        read.unwrap();
        told.extend(new.clone());
        new
    };
    let insert = |rows: &mut Rows, kind: &str| {
        rows.execute(&format!(
            "INSERT INTO auth_events (event_type, details, created_at) VALUES ('{kind}', '{{}}', 0)"
        ));
    };
    let start = clock.elapsed();
    let (mut slow, mut quick) = (Rows::at(&url), Rows::at(&url));
    slow.execute("BEGIN");
    insert(&mut slow, "slow");
    insert(&mut quick, "first");
    assert_eq!(catch_up(start), ["first"]);
    for minutes in 1..5 {
        insert(&mut quick, "next");
        assert_eq!(catch_up(start + Duration::from_secs(60 * minutes)), ["next"], "each once");
    }
    slow.execute("COMMIT");
    assert_eq!(catch_up(start + Duration::from_secs(600)), ["slow"]);
    assert_eq!(catch_up(start + Duration::from_secs(660)), [""; 0]);
    insert(&mut quick, "last");
    assert_eq!(catch_up(start + Duration::from_secs(720)), ["last"]);
}

/// Returns the numbers of the events in a file, in its order.
fn exported(file: &std::path::Path) -> Vec<i64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|event| event["id"].as_i64().unwrap()).collect()
}

#[test]
fn a_file_holds_every_event_once_whoever_is_restarted() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    let server = launch.start();
    Client::of(&server).register("root");
    let file = folder.path().join("events.jsonl");
    let export = launch.clone().words("event follow --output").argument(file.to_str().unwrap());
    let all = |count: usize| {
        until("every event", || (exported(&file).len() >= count).then_some(()));
        let ids = exported(&file);
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids.len(), sorted.len(), "{ids:?}");
    };
    let count = || Rows::of(folder.path()).count("auth_events") as usize;
    for _ in 0..3 {
        let following = export.begin();
        until("somebody who follows", || following.complained().contains("following").then_some(()));
        assert_eq!(Client::of(&server).sign_in("root").status, 303);
        all(count());
        let second = export.finish();
        assert_eq!(second.code(), Some(1), "{second:?}");
        assert!(second.complaint().ends_with("is being written by another perennial event follow"), "{second:?}");
        following.kill();
        // What happens meanwhile, and a line that the kill has torn.
        assert_eq!(Client::of(&server).sign_in("root").status, 303);
        let mut text = std::fs::read_to_string(&file).unwrap();
        text.push_str("{\"id\":99");
        std::fs::write(&file, text).unwrap();
    }
    let following = export.begin();
    all(count());
    assert!(!std::fs::read_to_string(&file).unwrap().contains(":99{"));
    following.kill();
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not ours").unwrap();
    let refused = launch.words("event follow --output").argument(other.to_str().unwrap()).finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "not ours");
}
