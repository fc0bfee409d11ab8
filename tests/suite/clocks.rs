//! Clocks that jump, and are put right later: they revive nothing, end nothing for good, and delete nothing.

use std::sync::Arc;

use actix_web::http::StatusCode;
use perennial::domain::clock::{Clock, ManualClock};
use time::Duration;

use crate::support::{Browser, TestApp, hex};

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

/// The window in which nothing rotates again.
const WINDOW: Duration = Duration::minutes(2);

/// Returns all that a row says, besides the time of the last use.
fn row(app: &TestApp) -> String {
    app.rows().text(&format!(
        "SELECT id || ' ' || generation || ' ' || {} || ' ' || rotated_at || ' ' || coalesce(revoked_because, 'live') \
         FROM sessions ORDER BY created_at LIMIT 1",
        hex("token_hash")
    ))
}

/// Asserts that nobody was ever thrown out.
fn assert_no_end(app: &TestApp) {
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
    assert_eq!(app.rows().count_events("session_revoked"), 0);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn a_visit_under_a_clock_that_is_behind_makes_nobody_idle() {
    for days in [1, 13, 20, 200] {
        for visits in [1, 5] {
            let app = TestApp::start().await;
            let browser = app.signed_in().await;
            app.advance(Duration::hours(1));
            assert!(browser.is_signed_in().await);
            app.write_last_seen();
            let seen = app.rows().number("SELECT last_seen_at FROM sessions");
            app.clock.jump(-Duration::days(days));
            for _ in 0..visits {
                app.catch_up();
                assert!(browser.is_signed_in().await, "{days} days behind");
                app.write_last_seen();
                app.advance(EXPIRED);
            }
            assert_eq!(app.rows().number("SELECT last_seen_at FROM sessions"), seen, "it never moves back");
            app.clock.jump(Duration::days(days));
            for _ in 0..3 {
                assert!(browser.is_signed_in().await, "{days} days behind, and right again");
                app.advance(EXPIRED);
            }
            assert_no_end(&app);
        }
    }
}

#[actix_web::test]
async fn a_visit_under_a_clock_that_is_ahead_ends_nothing() {
    for (days, says) in [(15, "You were signed out after a long pause"), (365, "Your sign-in has expired")] {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        // The clock of the browser is right, so it goes on to send its cookies.
        let visitor = app.browser().with_header("cookie", browser.cookie_header());
        let before = row(&app);
        app.clock.jump(Duration::days(days));
        for _ in 0..3 {
            let answer = visitor.get("/dashboard").await;
            assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()), "{days} days ahead");
            let login = visitor.get("/login").await;
            assert!(login.says(says) && login.cleared().is_empty(), "{days} days ahead: {}", login.body());
            app.advance(Duration::minutes(1));
        }
        assert_eq!(row(&app), before);
        app.clock.jump(-Duration::days(days));
        app.catch_up();
        for _ in 0..3 {
            assert!(browser.is_signed_in().await, "{days} days ahead, and right again");
            app.advance(EXPIRED);
        }
        assert_no_end(&app);
    }
}

#[actix_web::test]
async fn a_sign_in_that_is_used_within_its_idle_life_never_idles_away() {
    for (idle, pauses) in [("6s", &[4; 60][..]), ("5m", &[55, 290, 299, 1, 299, 290, 300]), ("1m", &[59; 20])] {
        let app = TestApp::with(|arguments| arguments.idle_ttl = Some(idle.to_owned())).await;
        let other = app.another_process().await;
        let mut browser = app.signed_in().await;
        for (number, pause) in pauses.iter().enumerate() {
            app.advance(Duration::seconds(*pause));
            other.catch_up();
            browser.connect(if number % 3 == 0 { &other } else { &app });
            assert!(browser.is_signed_in().await, "{idle}, use {number}");
            // Either process writes down what it saw, as it does every five seconds.
            app.write_last_seen();
            other.write_last_seen();
        }
        assert_no_end(&app);
        app.advance(Duration::minutes(10));
        assert!(!browser.is_signed_in().await, "{idle}");
    }
}

#[actix_web::test]
async fn uses_that_renew_nothing_count_against_idling_too() {
    let app = TestApp::with(|arguments| {
        arguments.idle_ttl = Some("5m".to_owned());
        arguments.access_token_ttl = Some("1m".to_owned());
        arguments.reuse_grace = Some("10m".to_owned());
    })
    .await;
    let browser = app.signed_in().await;
    for visit in 0..30 {
        // The access token has expired, and the refresh token is fresh for forty minutes.
        app.advance(Duration::minutes(4));
        assert!(browser.is_signed_in().await, "visit {visit}");
        app.write_last_seen();
    }
    assert_no_end(&app);
}

#[actix_web::test]
async fn what_is_ended_everywhere_under_a_clock_that_is_ahead_stays_ended_when_it_is_right() {
    for act in ["/logout/everywhere", "/devices/others/revoke"] {
        let app = TestApp::start().await;
        let (desk, phone) = (app.signed_in().await, app.browser());
        phone.sign_in_for_this_session().await;
        assert!(desk.is_signed_in().await && phone.is_signed_in().await);
        app.clock.jump(Duration::days(40));
        let another = app.browser();
        another.sign_in().await;
        let token = another.token("/devices", "/logout").await;
        assert_eq!(another.post(act, &[("form_token", &token)]).await.status, StatusCode::SEE_OTHER);
        app.clock.jump(-Duration::days(40));
        app.catch_up();
        for browser in [&desk, &phone] {
            assert!(!browser.is_signed_in().await, "{act}");
            let says = if act == "/logout/everywhere" { "signed out everywhere" } else { "ended from another device" };
            assert!(browser.get("/login").await.says(says), "{act}");
        }
        assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND kept = FALSE"), 0);
    }
}

#[actix_web::test]
async fn a_clock_that_steps_while_a_request_is_under_way_raises_no_alarm() {
    for (grace, steps) in [("5s", [10, 19, 25, 3600]), ("30s", [16, 40, 130, 3600])] {
        for step in steps.into_iter().flat_map(|step| [-step, step]) {
            let app = TestApp::with(|arguments| arguments.reuse_grace = Some(grace.to_owned())).await;
            let browser = app.signed_in().await;
            app.advance(EXPIRED);
            // Two tabs: one renews, and the request of the other arrives after the clock was set.
            let tab = by_refresh_alone(&browser);
            assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
            let before = row(&app);
            app.clock.jump(Duration::seconds(step));
            let late = tab.get("/dashboard").await;
            assert_eq!((late.status, late.set()), (StatusCode::OK, vec!["access_token".to_owned()]), "{grace} {step}");
            assert_eq!(row(&app), before, "{grace} {step}");
            for _ in 0..4 {
                app.advance(EXPIRED);
                assert!(browser.is_signed_in().await, "{grace} {step}");
            }
            assert_no_end(&app);
        }
    }
}

/// How a process comes to see a time that it did not live through.
#[derive(Debug, Clone, Copy)]
enum Break {
    Slept,
    SetForward,
    SetBack,
}

/// Makes the process of `app` see a break, and brings it back to what the others live in.
fn disturb(app: &TestApp, how: Break) {
    match how {
        Break::Slept => app.clock.suspend(Duration::minutes(10)),
        Break::SetForward => app.clock.jump(Duration::minutes(10)),
        Break::SetBack => app.clock.jump(-Duration::minutes(10)),
    }
    app.catch_up();
}

/// Presents `browser`'s refresh token alone.
fn by_refresh_alone(browser: &Browser) -> Browser {
    let copy = browser.clone();
    copy.forget("access_token");
    copy
}

#[actix_web::test]
async fn a_process_after_a_break_judges_nobody_for_the_length_of_the_window() {
    for how in [Break::Slept, Break::SetForward, Break::SetBack] {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        let stolen = by_refresh_alone(&browser);
        app.advance(EXPIRED);
        browser.get("/dashboard").await;
        app.advance(EXPIRED);
        let predecessor = by_refresh_alone(&browser);
        browser.get("/dashboard").await;
        app.advance(EXPIRED);
        disturb(&app, how);
        let before = row(&app);
        for pause in [Duration::ZERO, WINDOW - Duration::SECOND] {
            app.advance(pause);
            for (holder, what) in [(by_refresh_alone(&browser), "Rotate"), (predecessor.clone(), "Reissue")] {
                let answer = holder.get("/dashboard").await;
                assert_eq!((answer.status, answer.set()), (StatusCode::OK, vec!["access_token".to_owned()]), "{what}");
            }
            let answer = stolen.get("/dashboard").await;
            assert_eq!((answer.status, answer.cookies()), (StatusCode::SERVICE_UNAVAILABLE, Vec::new()), "{how:?}");
            assert_eq!(answer.header("retry-after"), "5");
            assert_eq!(row(&app), before, "{how:?}");
        }
        app.advance(Duration::SECOND);
        assert_eq!(by_refresh_alone(&browser).get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
        assert!(!stolen.is_signed_in().await, "who is awake for long enough judges as ever");
        assert_eq!(app.rows().count_events("refresh_token_replayed"), 1);
    }
}

#[actix_web::test]
async fn a_break_that_is_shorter_than_half_of_the_grace_is_none() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    app.clock.suspend(Duration::seconds(15));
    app.clock.jump(Duration::seconds(-15));
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
    app.advance(EXPIRED);
    app.clock.suspend(Duration::seconds(16));
    browser.forget("access_token");
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token"]);
}

#[actix_web::test]
async fn a_process_that_was_stopped_takes_no_retry_for_a_theft() {
    let awake = TestApp::start().await;
    let asleep = awake.another_process_by(Arc::new(ManualClock::at(awake.clock.now()))).await;
    let pass = |time| {
        awake.advance(time);
        asleep.clock.suspend(time);
    };
    let browser = awake.signed_in().await;
    asleep.clock.advance(EXPIRED);
    awake.advance(EXPIRED);
    // The request waits in the socket of a process that was stopped; another one answers the browser's retries.
    let mut waiting = browser.clone();
    waiting.connect(&asleep);
    for _ in 0..2 {
        assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
        pass(EXPIRED);
    }
    asleep.catch_up();
    let answer = waiting.get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::SERVICE_UNAVAILABLE, Vec::new()));
    assert_no_end(&awake);
    for process in [&asleep, &awake] {
        let mut browser = browser.clone();
        browser.connect(process);
        assert!(browser.is_signed_in().await);
    }
}

#[actix_web::test]
async fn a_tab_that_waited_for_a_stopped_process_kills_no_token_that_its_browser_holds() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
    app.clock.suspend(Duration::minutes(5));
    app.catch_up();
    // Its answer, whatever it brings, is dropped.
    assert_eq!(tab.get("/dashboard").await.set(), ["access_token"]);
    for _ in 0..3 {
        app.advance(EXPIRED);
        assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
    }
    assert_no_end(&app);
}
