//! What is over goes; what is evidence, or might only look over, stays.

use std::sync::Arc;

use actix_web::http::StatusCode;
use perennial::domain::clock::Clock;
use perennial::jobs::{Continue, Retention, Swept};
use perennial::store::Database;
use time::Duration;

use crate::support::{EMAIL, TestApp, blob, url_in};

/// Cleans up the database of `app` on a thread of its own, as the worker does.
fn sweep(app: &TestApp, pause: impl FnMut(std::time::Duration) -> Continue + Send) -> Swept {
    let retention = app.retention();
    let swept = std::thread::scope(|scope| scope.spawn(|| retention.sweep(pause).unwrap()).join().unwrap());
    without_changes(swept)
}

/// Leaves out what the database's own clock has marked as old: tests live in another year.
fn without_changes(swept: Swept) -> Swept {
    Swept { changes: 0, ..swept }
}

/// Cleans up as a command that was just started does.
fn sweep_once(app: &TestApp, trust: bool) -> Swept {
    let (url, clock) = (url_in(&app.folder()).parse().unwrap(), Arc::clone(&app.clock) as Arc<dyn Clock>);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let (database, _) = Database::open(&url).unwrap();
            let retention = Retention::new(database, clock, Duration::days(180)).unwrap();
            if trust {
                retention.trust_clock().unwrap();
            }
            retention.sweep(|_| Continue::Yes).unwrap()
        });
        without_changes(thread.join().unwrap())
    })
}

#[actix_web::test]
async fn sessions_go_once_they_would_have_ended_and_tombstones_not_before() {
    let app = TestApp::start().await;
    let (kept, out) = (app.signed_in().await, app.browser());
    out.sign_in().await;
    out.sign_out().await;
    app.advance(Duration::days(31));
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 0, "exactly a day after their end they are still there");
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions"), 2);
    app.advance(Duration::seconds(1));
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 2);
    assert!(!kept.is_signed_in().await);
}

#[actix_web::test]
async fn live_sign_ins_survive_every_sweep() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..5 {
        app.advance(Duration::days(5));
        assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 0);
        assert!(browser.is_signed_in().await);
    }
}

#[actix_web::test]
async fn events_stay_for_their_retention() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.advance(Duration::days(180));
    assert_eq!(sweep(&app, |_| Continue::Yes).events, 0);
    app.advance(Duration::seconds(1));
    assert_eq!(sweep(&app, |_| Continue::Yes).events, 2, "registered and signed in");
}

#[actix_web::test]
async fn spent_tokens_go_and_unused_ones_stay() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let now = app.clock.now().unix_timestamp();
    for (number, expires, used) in
        [(1, now - 86_401, "NULL"), (2, now + 60, "NULL"), (3, now + 60, "1"), (4, now - 86_401, "1")]
    {
        app.rows().execute(&format!(
            "INSERT INTO auth_tokens VALUES ({}, 'password_reset', 1, 'ada@example.org', 1, {expires}, {used})",
            blob(&[number; 32])
        ));
    }
    assert_eq!(sweep(&app, |_| Continue::Yes).tokens, 3);
    assert_eq!(app.rows().number("SELECT count(*) FROM auth_tokens WHERE used_at IS NULL"), 1);
}

#[actix_web::test]
async fn a_sweep_goes_in_batches_and_can_be_stopped_between_them() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let hash = blob(&[0; 32]);
    app.rows().execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         INSERT INTO sessions (id, user_id, generation, token_hash, previous_hash, rotated_at, created_at, authenticated_at, \
          last_seen_at, expires_at, kept, revoked_at, revoked_because, user_agent, address, welcomed_at) \
         SELECT CAST(10000000000 + i AS TEXT) || 'AAAAAAAAAAA', 1, 0, {hash}, NULL, 1, 1, 1, 1, 1, TRUE, NULL, NULL, '', '', NULL FROM n"
    ));
    let mut pauses = 0;
    let stopped = sweep(&app, |_| {
        pauses += 1;
        if pauses == 2 { Continue::No } else { Continue::Yes }
    });
    assert!((2..1000).contains(&stopped.sessions), "two batches, and not all: {stopped:?}");
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 1000 - stopped.sessions);
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions"), 1);
}

#[actix_web::test]
async fn a_clock_a_year_ahead_deletes_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.clock.jump(Duration::days(365));
    assert_eq!(sweep(&app, |_| Continue::Yes), Swept::default());
    assert_eq!(sweep_once(&app, false), Swept::default(), "nor does a command that is run now");
    // Running for an hour lets it go on by two at most.
    app.advance(Duration::HOUR);
    assert_eq!(sweep(&app, |_| Continue::Yes), Swept::default());
    app.clock.jump(Duration::days(-365));
    app.advance(Duration::HOUR);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn what_happens_under_a_clock_that_is_ahead_does_not_vouch_for_it() {
    let app = TestApp::start().await;
    let (browser, out) = (app.signed_in().await, app.browser());
    out.sign_in().await;
    out.sign_out().await;
    let before = app.rows().count("auth_events");
    for days in [40, 365] {
        app.clock.jump(Duration::days(days));
        let answer = app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", "a wrong one")]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        for _ in 0..3 {
            for swept in [sweep_once(&app, false), sweep(&app, |_| Continue::Yes)] {
                assert_eq!((swept.sessions, swept.tokens, swept.events), (0, 0, 0), "{days} days ahead");
            }
            app.advance(Duration::HOUR);
        }
        app.clock.jump(-Duration::days(days));
        assert!(browser.is_signed_in().await, "{days} days ahead, and right again");
    }
    assert_eq!((app.rows().count("sessions"), app.rows().count("auth_events")), (2, before + 2));
}

#[actix_web::test]
async fn the_clock_of_retention_catches_up_after_a_stop_at_twice_the_speed() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.clock.advance(Duration::days(40));
    // Nobody ran meanwhile.
    let app = app.restart().await;
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 0);
    app.advance(Duration::days(15));
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 0, "30 days since");
    app.advance(Duration::days(1));
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 1);
}

#[actix_web::test]
async fn an_operator_can_vouch_for_the_clock() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.clock.jump(Duration::days(40));
    assert_eq!(sweep_once(&app, false).sessions, 0);
    assert_eq!(sweep_once(&app, true).sessions, 1);
}
