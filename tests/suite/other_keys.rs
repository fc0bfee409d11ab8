//! A process with another key: it opens nothing, and it takes nothing away, so the right key opens all of it again.

use actix_web::http::StatusCode;
use perennial::Arguments;
use time::Duration;

use crate::support::{Browser, TestApp};

const WRONG: &str = "the key of an installation that nobody here has";

/// Opens every kind of page with what the browser holds, and asserts that no cookie of its sign-in is touched.
async fn assert_leaves_alone(browser: &Browser) {
    let held = ["access_token", "keep_signed_in"].map(|name| browser.cookie(name));
    for path in ["/dashboard", "/", "/login", "/register", "/devices", "/nowhere", "/healthz"] {
        let answer = browser.get(path).await;
        assert!(answer.cookies().iter().all(|cookie| cookie.name == "form"), "{path}: {:?}", answer.cookies());
        assert!(!answer.says("Ada Lovelace"), "{path}");
    }
    let answer = browser.with_header("accept", "application/json").get("/dashboard").await;
    assert!(!answer.status.is_success() && answer.cookies().is_empty(), "{answer:?}");
    let answer = browser.post("/logout", &[("form_token", "x")]).await;
    assert_eq!(answer.cookies(), []);
    assert_eq!(["access_token", "keep_signed_in"].map(|name| browser.cookie(name)), held);
}

#[actix_web::test]
async fn a_start_with_a_wrong_key_is_refused_and_costs_nobody_a_sign_in() {
    for pause in [Duration::ZERO, Duration::minutes(20)] {
        let app = TestApp::start().await;
        let mut browser = app.signed_in().await;
        let wrong = |arguments: &mut Arguments| arguments.jwt_secret_key = Some(WRONG.to_owned());
        let refused = app.try_another_process_with(wrong).await.err().map(|error| error.to_string());
        assert!(refused.is_some_and(|reason| reason.contains("are signed with the key")));
        app.advance(pause);
        let app = app.restart().await;
        browser.connect(&app);
        assert!(browser.is_signed_in().await);
        app.advance(Duration::hours(1));
        assert!(browser.is_signed_in().await);
        let mut rows = app.rows();
        assert_eq!((rows.count_events("signed_in"), rows.count_events("refresh_token_replayed")), (1, 0));
        assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
    }
}

#[actix_web::test]
async fn a_running_process_that_loses_the_signing_key_takes_no_cookie_away() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let named = app.rows().text("SELECT key_id FROM signing_key");
    app.rows().execute("UPDATE signing_key SET key_id = 'AAAAAAAAAAAAAAAA', revision = revision + 1");
    app.catch_up();
    assert_eq!(browser.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    for pause in [Duration::ZERO, Duration::minutes(20)] {
        app.advance(pause);
        assert_leaves_alone(&browser).await;
    }
    app.rows().execute(&format!("UPDATE signing_key SET key_id = '{named}', revision = revision + 1"));
    app.catch_up();
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_process_that_lacks_the_newest_key_takes_no_cookie_away() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let mut rings = Vec::new();
    // One of two has the new key in front already; the other knows nothing of it.
    let ahead = app
        .another_process_with(|arguments| {
            let old = arguments.jwt_secret_key.clone().unwrap();
            let new = "a new key in front of the old one long enough".to_owned();
            rings = vec![format!("{new},{old}"), format!("{old},{new}")];
            arguments.jwt_secret_key = Some(rings[0].clone());
        })
        .await;
    for _ in 0..3 {
        app.advance(Duration::minutes(20));
        ahead.catch_up();
        browser.connect(&ahead);
        let renewed = browser.get("/dashboard").await;
        assert_eq!((renewed.status, renewed.cleared()), (StatusCode::OK, Vec::new()));
        browser.connect(&app);
        let behind = browser.get("/dashboard").await;
        assert_eq!((behind.cleared(), behind.set()), (Vec::new(), Vec::new()), "{:?}", behind.status);
        browser.connect(&ahead);
        assert!(browser.is_signed_in().await);
    }
    // Once it has the new key as well, all goes on.
    let app = app.restart_with(|arguments| arguments.jwt_secret_key = Some(rings[0].clone())).await;
    browser.connect(&app);
    assert!(browser.is_signed_in().await);
    let mut rows = app.rows();
    assert_eq!((rows.count_events("signed_in"), rows.count_events("refresh_token_replayed")), (1, 0));
}
