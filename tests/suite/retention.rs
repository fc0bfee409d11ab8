//! What is over goes; what is evidence, or might only look over, stays.

use std::sync::Arc;

use perennial::auth::{Continue, Retention, Swept};
use perennial::domain::clock::Clock;
use perennial::store::Database;
use time::Duration;

use crate::support::{TestApp, blob, url_in};

/// Cleans up the database of `app` on a thread of its own, as the background does.
fn sweep(app: &TestApp, pause: impl FnMut(std::time::Duration) -> Continue + Send) -> Swept {
    run(app, |retention| retention.sweep(pause).unwrap())
}

fn run<T: Send>(app: &TestApp, work: impl FnOnce(Retention) -> T + Send) -> T {
    let (url, clock) = (url_in(&app.folder()).parse().unwrap(), Arc::clone(&app.clock) as Arc<dyn Clock>);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let (database, _) = Database::open(&url).unwrap();
            work(Retention::new(database, clock, Duration::days(180)))
        });
        thread.join().unwrap()
    })
}

#[actix_web::test]
async fn sessions_go_once_they_would_have_ended_and_tombstones_not_before() {
    let app = TestApp::start().await;
    let (kept, out) = (app.signed_in().await, app.browser());
    out.sign_in().await;
    out.sign_out().await;
    app.advance(Duration::days(30));
    assert_eq!(sweep(&app, |_| Continue::Yes).sessions, 0, "exactly at their end they are still there");
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
    for (number, expires, used) in [(1, now - 1, "NULL"), (2, now + 60, "NULL"), (3, now + 60, "1"), (4, now - 1, "1")]
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
         INSERT INTO sessions SELECT CAST(10000000000 + i AS TEXT) || 'AAAAAAAAAAA', 1, 0, {hash}, NULL, 1, 1, 1, 1, 1, TRUE, NULL, NULL, '', '' FROM n"
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
async fn a_clock_a_year_ahead_is_suspicious() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let quiet = |app: &TestApp| run(app, |retention| retention.suspicious_quiet().unwrap());
    app.advance(Duration::days(30));
    assert_eq!(quiet(&app), None);
    app.clock.jump(Duration::days(365));
    assert_eq!(quiet(&app), Some(Duration::days(395)));
}
