//! Several processes on one database, and the one key that signs there: it moves once all of them have it, and a process
//! that would sign people out does not start.

use std::sync::Barrier;
use std::thread;

use actix_web::http::StatusCode;
use perennial::app::StartError;
use perennial::config::Arguments;
use perennial::crypto::KeyRing;
use perennial::domain::id::NodeId;
use perennial::domain::key_id::KeyId;
use perennial::domain::node::Announcement;
use perennial::domain::signing_key::{DropRefusal, KeyRefusal};
use perennial::store::Database;
use perennial::store::nodes::{self, DropOutcome, Membership};
use time::Duration;

use crate::support::{Browser, TestApp, url_in};

/// Returns the secrets of these letters, as `JWT_SECRET_KEY` takes them.
fn secrets(letters: &str) -> String {
    letters.chars().map(|letter| letter.to_string().repeat(40)).collect::<Vec<_>>().join(",")
}

/// Returns the names of the keys of these letters.
fn ids(letters: &str) -> Vec<KeyId> {
    let mut secrets = letters.chars().map(|letter| letter.to_string().repeat(40).into());
    KeyRing::new(secrets.next().unwrap(), secrets).key_ids()
}

fn with_keys(letters: &str) -> impl FnOnce(&mut Arguments) {
    let secrets = secrets(letters);
    |arguments| arguments.jwt_secret_key = Some(secrets)
}

async fn start(letters: &str) -> TestApp {
    TestApp::with(with_keys(letters)).await
}

async fn beside(app: &TestApp, letters: &str) -> TestApp {
    app.another_process_with(with_keys(letters)).await
}

/// Returns which letter's key signs on the database.
fn signing(app: &TestApp) -> char {
    let id = app.rows().text("SELECT coalesce(key_id, '') FROM signing_key");
    "abcx".chars().find(|letter| ids(&letter.to_string())[0].to_string() == id).unwrap()
}

fn revision(app: &TestApp) -> i64 {
    app.rows().number("SELECT revision FROM signing_key")
}

/// Drops a key as the command line does, in a process of its own.
fn drop_key(app: &TestApp, letter: &str) -> DropOutcome {
    let (database, _) = Database::open(&url_in(&app.folder()).parse().unwrap()).unwrap();
    let key = ids(letter)[0];
    database.write_blocking(move |connection| nodes::drop_key(connection, key)).unwrap()
}

/// Renews what a browser holds with a process, and returns which key signed it.
async fn renewed(browser: &mut Browser, app: &TestApp) -> String {
    browser.connect(app);
    browser.forget("access_token");
    assert!(browser.is_signed_in().await);
    let token = browser.cookie("access_token");
    jsonwebtoken::decode_header(token.as_bytes()).unwrap().kid.unwrap()
}

#[actix_web::test]
async fn a_new_secret_put_in_front_of_each_process_in_one_round_ends_nothing() {
    let first = start("a").await;
    let mut browser = first.signed_in().await;
    let mut apps = vec![beside(&first, "a").await, beside(&first, "a").await, first];
    for keys in ["ba", "b"] {
        for _ in 0..apps.len() {
            // One ends and another takes its place, with what is new in front.
            let old = apps.remove(0);
            apps.push(old.restart_with(with_keys(keys)).await);
            for app in &apps {
                app.beat();
                app.catch_up();
            }
            for app in &apps {
                app.advance(Duration::hours(1));
                let all_have_it = keys == "b" || apps.iter().all(|app| app.keys() == secrets("ba"));
                let letter = if all_have_it { "b" } else { "a" };
                assert_eq!(renewed(&mut browser, app).await, ids(letter)[0].to_string(), "{keys}");
            }
        }
    }
    let app = &apps[0];
    assert_eq!((signing(app), revision(app)), ('b', 2), "it was named once and moved once");
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
    assert_eq!(app.rows().count_events("signed_in"), 1);
    assert_eq!(app.rows().count("nodes"), 3, "who ended has left");
}

#[actix_web::test]
async fn who_lacks_the_key_that_signs_does_not_start_and_touches_nothing() {
    let app = start("a").await;
    let browser = app.signed_in().await;
    let everything = "SELECT count(*) * 1000000 + (SELECT count(*) FROM changes) * 1000 \
                      + (SELECT revision FROM signing_key) FROM nodes";
    let before = app.rows().number(everything);
    let Err(StartError::Refused(refusal)) = app.try_another_process_with(with_keys("x")).await.map(drop) else {
        panic!("it started")
    };
    assert_eq!(refusal, KeyRefusal::Lacks { signing: ids("a")[0], own: ids("x") });
    assert_eq!(app.rows().number(everything), before);
    assert!(browser.is_signed_in().await);
    // Nor where nobody else is left.
    let refused = app.folder();
    let app = app.restart().await;
    assert_eq!(app.folder(), refused);
    assert!(app.try_another_process_with(with_keys("x")).await.is_err());
}

#[actix_web::test]
async fn where_nobody_is_signed_in_any_key_will_do() {
    let app = start("a").await;
    assert_eq!(signing(&app), 'a');
    // A process beside it would be left without a key.
    assert!(app.try_another_process_with(with_keys("x")).await.is_err());
    let app = app.restart_with(with_keys("x")).await;
    assert_eq!(signing(&app), 'x');
    app.signed_in().await;
}

#[actix_web::test]
async fn two_orders_of_two_keys_come_to_rest() {
    let one = start("ab").await;
    let mut browser = one.signed_in().await;
    let other = beside(&one, "ba").await;
    let settled = (signing(&one), revision(&one));
    for _ in 0..5 {
        for app in [&one, &other] {
            app.beat();
            app.catch_up();
            assert_eq!((signing(app), revision(app)), settled);
            renewed(&mut browser, app).await;
        }
    }
}

#[actix_web::test]
async fn a_dropped_key_opens_nothing_on_any_process_and_the_others_go_on() {
    let app = start("a").await;
    let old = app.signed_in().await;
    let app = app.restart_with(with_keys("ba")).await;
    let mut new = app.browser();
    new.sign_in().await;
    let other = beside(&app, "ba").await;
    for app in [&app, &other] {
        let mut both = [old.clone(), new.clone()];
        for browser in &mut both {
            browser.connect(app);
            assert!(browser.is_signed_in().await, "its access token is known here from now on");
        }
    }
    let outcome = drop_key(&app, "a");
    assert!(matches!(outcome, DropOutcome::Dropped { held_by: 2, .. }), "{outcome:?}");
    for app in [&app, &other] {
        app.catch_up();
        let (mut out, mut access_alone) = (old.clone(), old.clone());
        out.connect(app);
        access_alone.connect(app);
        access_alone.forget("keep_signed_in");
        assert!(!access_alone.is_signed_in().await && !out.is_signed_in().await);
        new.connect(app);
        let before = new.cookie("access_token");
        assert!(new.is_signed_in().await);
        assert_eq!(new.cookie("access_token"), before, "nothing about it is new");
    }
    // It stays so, also for a process that starts now.
    let app = app.restart().await;
    let mut out = old.clone();
    out.connect(&app);
    assert!(!out.is_signed_in().await);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn a_key_that_signs_is_dropped_where_another_takes_its_place() {
    let app = start("a").await;
    app.signed_in().await;
    let refused = DropOutcome::Refused(DropRefusal::Signs { key: ids("a")[0] });
    assert_eq!(drop_key(&app, "a"), refused);
    let app = app.restart_with(with_keys("ab")).await;
    let other = beside(&app, "a").await;
    assert_eq!(drop_key(&app, "a"), refused, "one process has no other");
    assert_eq!((signing(&app), app.rows().count("dropped_keys")), ('a', 0));

    let other = other.restart_with(with_keys("ab")).await;
    assert!(matches!(drop_key(&app, "a"), DropOutcome::Dropped { signing: Some(key), .. } if key == ids("b")[0]));
    for app in [&app, &other] {
        app.catch_up();
        let mut browser = app.browser();
        browser.sign_in().await;
        assert_eq!(renewed(&mut browser, app).await, ids("b")[0].to_string());
    }
    assert!(matches!(drop_key(&app, "a"), DropOutcome::Dropped { .. }), "a second time changes nothing");
    assert_eq!(app.rows().count("dropped_keys"), 1);
}

#[actix_web::test]
async fn a_process_that_has_only_dropped_keys_does_not_start() {
    let app = start("a").await;
    app.signed_in().await;
    drop_key(&app, "x");
    let refused = app.try_another_process_with(with_keys("x")).await.map(drop);
    assert!(matches!(refused, Err(StartError::Refused(KeyRefusal::Dropped { .. }))), "{refused:?}");
    let app = app.restart_with(with_keys("xa")).await;
    assert_eq!(signing(&app), 'a', "a dropped key in front is passed over");
}

#[actix_web::test]
async fn a_process_that_lacks_the_key_that_signs_answers_503_and_signs_nobody_out() {
    let app = start("a").await;
    let mut browser = app.signed_in().await;
    // It was held still until its lease had run out, and meanwhile the key moved.
    app.rows().execute("DELETE FROM nodes");
    let other = beside(&app, "ba").await;
    assert_eq!(signing(&app), 'b');
    let held = renewed(&mut browser, &other).await;
    assert_eq!(held, ids("b")[0].to_string());
    app.catch_up();
    for _ in 0..2 {
        browser.connect(&app);
        let cookies = browser.cookie_header();
        for path in ["/dashboard", "/login", "/nowhere"] {
            let answer = browser.get(path).await;
            assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"), "{path}");
        }
        assert_eq!(browser.cookie_header(), cookies);
        let probe = app.browser().get("/readyz").await;
        assert_eq!(probe.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(probe.says("this process lacks the key that signs"), "{}", probe.body());
        assert_eq!(app.browser().get("/healthz").await.status, StatusCode::OK);
        browser.connect(&other);
        assert!(browser.is_signed_in().await);
        // It asks to join again, and is refused.
        app.beat();
        assert_eq!(app.rows().count("nodes"), 1);
    }
    // With the new key it is one of them again.
    let app = app.restart_with(with_keys("ba")).await;
    browser.connect(&app);
    assert!(browser.is_signed_in().await);
    assert_eq!(app.rows().count("nodes"), 2);
}

/// Adds a process that was killed, and had the keys of these letters.
fn killed(app: &TestApp, letters: &str) {
    let keys = ids(letters).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let id = NodeId::from_bytes([7; 16]);
    app.rows().execute(&format!(
        "INSERT INTO nodes (id, version, key_ids, lifetimes, host, pid, started_at, heard_at) \
         SELECT '{id}', '0', '{keys}', '', 'web', 1, started_at, heard_at FROM nodes"
    ));
}

#[actix_web::test]
async fn who_was_killed_holds_a_key_back_until_the_lease_has_run_out() {
    let app = start("a").await;
    app.signed_in().await;
    killed(&app, "a");
    let app = app.restart_with(with_keys("ba")).await;
    let beats = |count: u8| (0..count).for_each(|_| (app.clock.advance(Duration::seconds(10)), app.beat()).1);
    beats(10);
    assert_eq!((signing(&app), app.rows().count("nodes")), ('a', 2), "its lease is good");

    // A clock that jumps ahead makes every lease run out at once, and who is alive is soon heard again.
    let run_out = "UPDATE nodes SET heard_at = heard_at - 3600";
    let heard = "UPDATE nodes SET heard_at = heard_at + 1";
    app.rows().execute(run_out);
    beats(1);
    app.rows().execute(heard);
    beats(2);
    assert_eq!((signing(&app), app.rows().count("nodes")), ('a', 2), "it was heard from a moment ago");
    beats(4);
    assert_eq!((signing(&app), app.rows().count("nodes")), ('b', 1));
}

#[actix_web::test]
async fn who_is_killed_again_and_again_leaves_one_row() {
    let app = start("a").await;
    for _ in 0..3 {
        app.rows().execute("UPDATE nodes SET heard_at = heard_at - 60");
        drop(beside(&app, "a").await);
    }
    assert_eq!(app.rows().count("nodes"), 0);
    app.beat();
    assert_eq!(app.rows().count("nodes"), 1, "who lives comes back");
}

fn announcement(number: u8, letters: &str) -> Announcement {
    Announcement {
        id: NodeId::from_bytes([number; 16]),
        version: "0".to_owned(),
        keys: ids(letters),
        lifetimes: String::new(),
        capabilities: String::new(),
        host: "web".to_owned(),
        pid: 1,
    }
}

#[actix_web::test]
async fn processes_that_join_at_once_agree_on_one_key() {
    for round in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let url = url_in(folder.path()).parse().unwrap();
        let strangers = round % 2 == 0;
        let rings = if strangers { ["a", "b", "c", "x"] } else { ["ab", "ba", "ab", "ba"] };
        let start = Barrier::new(rings.len());
        let joined: Vec<bool> = thread::scope(|scope| {
            let join = |number: usize| {
                let (database, _) = Database::open(&url).unwrap();
                let node = announcement(u8::try_from(number).unwrap(), rings[number]);
                start.wait();
                let joined = database.write_blocking(move |connection| nodes::join(connection, &node)).unwrap();
                matches!(joined, Membership::Joined(_))
            };
            let threads: Vec<_> = (0..rings.len()).map(|number| scope.spawn(move || join(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (database, _) = Database::open(&url).unwrap();
        let there = database.read_blocking(nodes::overview).unwrap();
        let count = joined.iter().filter(|joined| **joined).count();
        assert_eq!((count, there.nodes.len()), if strangers { (1, 1) } else { (4, 4) }, "{rings:?}");
        let signing = there.standing.signing().unwrap();
        assert!(there.nodes.iter().all(|node| node.announced.knows(signing)));
    }
}

#[actix_web::test]
async fn no_key_moves_while_the_version_before_may_run() {
    let app = start("a").await;
    app.signed_in().await;
    let tolerate = "INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000003', '20261121000002')";
    app.rows().execute(tolerate);
    let app = app.restart_with(with_keys("ba")).await;
    for _ in 0..3 {
        app.beat();
        assert_eq!(signing(&app), 'a');
    }
    let (database, _) = Database::open(&url_in(&app.folder()).parse().unwrap()).unwrap();
    database.finish_upgrade(true).unwrap();
    app.beat();
    assert_eq!(signing(&app), 'b');
}
