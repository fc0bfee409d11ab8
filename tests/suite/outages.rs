//! A database that is away: try again later, and nobody loses their sign-in.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, EMAIL, PASSWORD, TestApp, on_postgres};

fn take_away(app: &TestApp) {
    app.set_stopped(true);
}

fn bring_back(app: &TestApp) {
    app.set_stopped(false);
}

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
    assert_eq!((answer.header("retry-after"), answer.cookies()), ("5", Vec::new()), "{what}");
}

#[actix_web::test]
async fn a_sign_in_survives_an_outage() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(15));
    take_away(&app);
    for path in ["/dashboard", "/login", "/nowhere"] {
        assert_unavailable(&browser.get(path).await, path);
    }
    bring_back(&app);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn an_outage_shows_a_page_that_says_what_to_do() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(15));
    take_away(&app);
    let answer = browser.get("/dashboard").await;
    assert!(answer.says("Wait a few seconds and try again.") && answer.says("You&#39;re still signed in."));
    assert!(!answer.says("sessions") && !answer.says("no such table"));
    assert!(answer.header("refresh") == "5" && answer.says("This page tries again by itself."));
}

#[actix_web::test]
async fn a_form_sent_during_an_outage_can_be_sent_again() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    take_away(&app);
    let answer = browser.post("/logout", &[("form_token", &token)]).await;
    assert_unavailable(&answer, "sign-out");
    assert_eq!(answer.header("refresh"), "", "a form is not sent again by itself");
    bring_back(&app);
    assert!(browser.is_signed_in().await);
    assert_eq!(browser.post("/logout", &[("form_token", &token)]).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_sign_in_during_an_outage_can_be_tried_again() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    let fields = [("email", EMAIL), ("password", PASSWORD), ("form_token", token.as_str())];
    take_away(&app);
    assert_unavailable(&browser.post("/login", &fields).await, "sign-in");
    bring_back(&app);
    assert_eq!(browser.post("/login", &fields).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn an_outage_touches_no_cookie_of_a_visitor_who_is_signed_out() {
    let app = TestApp::start().await;
    app.signed_in().await;
    take_away(&app);
    assert_unavailable(&app.browser().get("/register").await, "a page that gives a form cookie");
    let forged = app.browser();
    forged.put("keep_signed_in", "forged");
    assert_unavailable(&forged.get("/register").await, "a page that is asked for with forged cookies");
}

#[actix_web::test]
async fn the_reason_of_an_end_is_still_told_after_an_outage() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.sign_out().await;
    take_away(&app);
    assert_unavailable(&browser.get("/login").await, "the sign-in page that says why");
    bring_back(&app);
    assert!(browser.get("/login").await.says("You have signed out"));
}

#[actix_web::test]
async fn an_audit_trail_that_cannot_be_written_stops_what_it_would_tell_of() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("ALTER TABLE auth_events RENAME TO auth_events_away");
    let stranger = app.browser();
    let fields = [("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(stranger.submit("/login", "/login", &fields).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions"), 1);
    assert_eq!(browser.submit("/dashboard", "/logout", &[]).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_fault_of_the_tables_is_no_outage() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("ALTER TABLE sessions RENAME TO sessions_away");
    let answer = browser.get("/devices").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()));
    assert!(answer.says("Something went wrong here") && !answer.says("sessions_away") && !answer.says("no such table"));
}

#[actix_web::test]
async fn a_rotation_that_cannot_be_written_costs_the_reader_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::hours(1));
    app.rows().execute("ALTER TABLE auth_events RENAME TO auth_events_away");
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::OK, Vec::new()));
    app.rows().execute("ALTER TABLE auth_events_away RENAME TO auth_events");
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
}

#[actix_web::test]
async fn a_database_that_takes_no_writes_shows_its_pages_after_a_pause_too() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::hours(9));
    let mut rows = app.rows();
    rows.execute(if on_postgres() { "BEGIN; SELECT 1 FROM sessions FOR UPDATE" } else { "BEGIN IMMEDIATE" });
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::OK, Vec::new()));
    rows.execute("ROLLBACK");
    let answer = browser.get("/dashboard").await;
    assert_eq!(answer.set(), ["access_token", "keep_signed_in"]);
    assert!(answer.says("Welcome back"), "who could not be greeted then is greeted now");
}

#[actix_web::test]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let app = TestApp::start().await;
    let probe = app.browser();
    take_away(&app);
    assert_eq!(probe.get("/healthz").await.status, StatusCode::OK);
    assert_unavailable(&probe.get("/readyz").await, "readiness");
    bring_back(&app);
    // Whether it takes writes is asked once a second.
    app.advance(Duration::SECOND);
    assert_eq!(probe.get("/readyz").await.status, StatusCode::OK);
}
