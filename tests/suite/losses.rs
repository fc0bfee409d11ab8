//! Messages that are late or lost, tokens that were forgotten, rows that are older than what browsers hold, and the thief
//! who knows all that.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, TestApp};

const BOTH: [&str; 2] = ["access_token", "keep_signed_in"];

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

/// Just longer than the window.
const PAST_WINDOW: Duration = Duration::seconds(121);

fn alarms(app: &TestApp) -> i64 {
    app.rows().count_events("refresh_token_replayed")
}

fn revoked_because(app: &TestApp) -> String {
    app.rows().text("SELECT coalesce(max(revoked_because), '') FROM sessions")
}

/// Opens the dashboard, and lets the answer get lost.
async fn lose(browser: &Browser) -> Answer {
    let before = browser.clone();
    let answer = browser.get("/dashboard").await;
    browser.restore(&before);
    answer
}

#[actix_web::test]
async fn a_request_that_is_late_by_some_rotations_is_no_theft_whatever_the_access_life() {
    let app = TestApp::with(|arguments| arguments.access_token_ttl = Some("2s".to_owned())).await;
    let browser = app.signed_in().await;
    let late = browser.clone();
    for _ in 0..2 {
        app.advance(Duration::seconds(3));
        assert!(browser.is_signed_in().await);
    }
    assert!(late.is_signed_in().await, "six seconds late");
    for _ in 0..40 {
        let late = browser.clone();
        for _ in 0..3 {
            app.advance(Duration::seconds(3));
            assert!(browser.is_signed_in().await);
        }
        app.advance(Duration::seconds(20));
        assert!(late.is_signed_in().await, "29 seconds late");
    }
    assert_eq!((alarms(&app), revoked_because(&app)), (0, String::new()));
}

#[actix_web::test]
async fn a_missing_access_cookie_lets_no_late_request_look_like_a_theft() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let late = browser.clone();
    for _ in 0..2 {
        browser.forget("access_token");
        assert!(browser.is_signed_in().await);
    }
    app.advance(Duration::SECOND);
    assert_eq!(late.get("/dashboard").await.set(), ["access_token"]);
    assert!(browser.is_signed_in().await);
    assert_eq!((alarms(&app), revoked_because(&app)), (0, String::new()));
}

#[actix_web::test]
async fn a_request_and_an_answer_that_both_take_their_time_kill_no_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    // Another tab sends its request half a grace after the token was replaced, for the answer is still under way; it
    // arrives just after the grace, and its own answer is lost. No message took the grace.
    let other_tab = browser.clone();
    assert_eq!(browser.get("/dashboard").await.set(), BOTH);
    app.advance(Duration::seconds(31));
    assert_eq!(lose(&other_tab).await.set(), ["access_token"]);
    for _ in 0..3 {
        app.advance(EXPIRED);
        assert_eq!(browser.get("/dashboard").await.set(), BOTH);
    }
    assert_eq!((alarms(&app), revoked_because(&app)), (0, String::new()));
}

#[actix_web::test]
async fn a_browser_that_forgets_its_last_thirty_seconds_goes_on() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for pause in [0, 1, 29, 30, 31, 90, 120, 121, 600] {
        app.advance(EXPIRED);
        // It renews, crashes within 30 seconds, and is started again after a while.
        let written = browser.clone();
        assert_eq!(browser.get("/dashboard").await.set(), BOTH);
        for _ in 0..3 {
            app.advance(Duration::seconds(10));
            browser.forget("access_token");
            assert!(browser.is_signed_in().await);
        }
        browser.restore(&written);
        app.advance(Duration::seconds(pause));
        assert!(browser.is_signed_in().await, "started {pause} seconds later");
    }
    assert_eq!((alarms(&app), revoked_because(&app)), (0, String::new()));
}

#[actix_web::test]
async fn seven_answers_in_a_row_may_be_lost_and_the_third_is_noted() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    for lost in 1..=7 {
        assert_eq!(lose(&browser).await.set(), BOTH, "answer {lost}");
        app.advance(PAST_WINDOW);
        let noted = app.rows().events_of("auto_signed_in");
        let noted = noted.iter().filter(|event| event.detail("reason") == "renewals_lost").count();
        // The fourth request in a row presents a token after which three were issued.
        assert_eq!(noted, usize::try_from(lost - 3).unwrap_or_default(), "answer {lost}");
    }
    assert_eq!(browser.get("/dashboard").await.set(), BOTH);
    for _ in 0..3 {
        app.advance(EXPIRED);
        assert_eq!(browser.get("/dashboard").await.set(), BOTH);
    }
    assert_eq!((alarms(&app), revoked_because(&app)), (0, String::new()));
}

#[actix_web::test]
async fn after_eight_lost_answers_in_a_row_the_sign_in_ends_without_an_alarm() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    for lost in 1..=8 {
        assert_eq!(lose(&browser).await.set(), BOTH, "answer {lost}");
        app.advance(PAST_WINDOW);
    }
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()));
    assert_eq!((alarms(&app), revoked_because(&app)), (0, "renewals_lost".to_owned()));
    assert_eq!(app.rows().events_of("session_revoked")[0].detail("reason"), "renewals_lost");
    let login = browser.get("/login").await;
    assert!(login.says("You were signed out to keep you safe") && !login.says("role=\"alert\""), "{}", login.body());
    browser.sign_in().await;
    let dashboard = browser.get("/dashboard").await;
    assert!(!dashboard.says("Someone else may have used"), "no theft is told of");
}

#[actix_web::test]
async fn a_database_from_before_a_reissue_raises_no_alarm() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    assert_eq!(lose(&browser).await.set(), BOTH);
    app.rows().back_up_sessions();
    app.advance(PAST_WINDOW);
    assert_eq!(browser.get("/dashboard").await.set(), BOTH, "a reissue");
    app.rows().restore_sessions();
    app.advance(EXPIRED);
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()));
    assert_eq!((alarms(&app), revoked_because(&app)), (0, "restored".to_owned()));
    let login = browser.get("/login").await;
    assert!(login.says("restored from a backup") && !login.says("role=\"alert\""), "{}", login.body());
}

#[actix_web::test]
async fn a_thief_does_not_live_on_by_a_restored_database() {
    for owner_is_first in [true, false] {
        let app = TestApp::start().await;
        let owner = app.signed_in().await;
        app.advance(EXPIRED);
        owner.get("/dashboard").await;
        let thief = owner.clone();
        app.rows().back_up_sessions();
        for _ in 0..2 {
            app.advance(EXPIRED);
            owner.get("/dashboard").await;
        }
        app.rows().restore_sessions();
        app.advance(EXPIRED);
        if !owner_is_first {
            assert!(thief.is_signed_in().await, "until its owner comes, nobody can tell");
        }
        assert!(!owner.is_signed_in().await, "signs in anew");
        assert_eq!((alarms(&app), revoked_because(&app)), (0, "restored".to_owned()));
        owner.sign_in().await;
        for _ in 0..4 {
            assert!(!thief.is_signed_in().await);
            assert!(owner.is_signed_in().await);
            app.advance(Duration::days(7));
        }
        assert_eq!(alarms(&app), 0);
    }
}

/// How long before each visit of the owner the thief comes.
const BEFORE: [Duration; 3] = [Duration::SECOND, Duration::seconds(60), Duration::seconds(119)];

#[actix_web::test]
async fn a_thief_who_polls_before_each_visit_of_the_owner_is_out_within_hours() {
    for before in BEFORE {
        let app = TestApp::start().await;
        let owner = app.signed_in().await;
        let thief = owner.clone();
        let mut visits = 0;
        // The owner comes every 20 minutes and stores what comes. The thief keeps no answer but the access token, and comes
        // right before, so that the owner gets nothing but overlaps.
        while owner.is_signed_in().await {
            visits += 1;
            assert!(visits <= 9, "the thief is in after {visits} visits of the owner");
            app.advance(Duration::minutes(20) - before);
            lose(&thief).await;
            app.advance(before);
        }
        assert!(visits >= 8, "eight lost renewals alone are no theft, and cost nobody a sign-in: {visits}");
        for _ in 0..3 {
            assert!(!thief.is_signed_in().await);
            app.advance(Duration::minutes(20));
        }
        assert_eq!(revoked_because(&app), "renewals_lost");
        assert!(owner.get("/login").await.says("Somebody else may hold a copy of this sign-in"));
    }
}

#[actix_web::test]
async fn no_way_of_polling_keeps_a_thief_in_for_long() {
    // The thief comes so long before the owner's visits, and keeps what comes or goes on with the copy.
    for minutes in [1, 2, 3, 7, 15, 19] {
        for keeps in [false, true] {
            let app = TestApp::start().await;
            let owner = app.signed_in().await;
            let thief = owner.clone();
            let mut passed = Duration::ZERO;
            while revoked_because(&app).is_empty() {
                assert!(passed <= Duration::minutes(330), "{minutes} minutes before, keeps what comes: {keeps}");
                app.advance(Duration::minutes(20 - minutes));
                if keeps {
                    drop(thief.get("/dashboard").await)
                } else {
                    drop(lose(&thief).await)
                }
                app.advance(Duration::minutes(minutes));
                owner.get("/dashboard").await;
                passed += Duration::minutes(20);
            }
            assert!(!owner.is_signed_in().await && !thief.is_signed_in().await);
        }
    }
}
