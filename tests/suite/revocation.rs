//! What is ended opens nothing, at once and everywhere; and the sign-in page says why.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Browser, EMAIL, PASSWORD, TestApp};

/// When a sign-in that is not used any more ends: two minutes past its idle life.
const IDLE: Duration = Duration::minutes(14 * 24 * 60 + 2);

/// Opens the sign-in page twice: the first says `heading`, the second does not.
async fn assert_told_once(browser: &Browser, heading: &str) {
    let first = browser.get("/login").await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(first.says(heading), "{heading:?} is missing in {}", first.body());
    assert!(!browser.get("/login").await.says(heading), "{heading:?} was told twice");
}

/// Opens the sign-in page again and again: it says `heading` as long as the browser brings the cookies of what is over,
/// which no answer takes away.
async fn assert_told_while_brought(browser: &Browser, heading: &str) {
    let held = ["access_token", "keep_signed_in"].map(|name| browser.cookie(name));
    for _ in 0..3 {
        let page = browser.get("/login").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.says(heading), "{heading:?} is missing in {}", page.body());
        assert!(page.cookies().iter().all(|cookie| cookie.name == "form"), "{:?}", page.cookies());
        assert!(!browser.is_signed_in().await);
    }
    assert_eq!(["access_token", "keep_signed_in"].map(|name| browser.cookie(name)), held);
}

/// Does the same, and sees that the next sign-in is the end of it.
async fn assert_told_until_the_next_sign_in(browser: &Browser, heading: &str) {
    assert_told_while_brought(browser, heading).await;
    browser.sign_in().await;
    assert!(browser.is_signed_in().await);
    browser.forget("access_token");
    browser.forget("keep_signed_in");
    assert!(!browser.get("/login").await.says(heading), "{heading:?} is told of nothing");
}

#[actix_web::test]
async fn signing_out_refuses_the_access_token_that_is_still_in_force() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let thief = browser.clone();
    assert!(thief.is_signed_in().await);
    browser.sign_out().await;
    assert!(!thief.is_signed_in().await);
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn signing_out_takes_the_cookies_away_and_empties_the_cache() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let answer = browser.sign_out().await;
    assert_eq!(answer.cleared(), ["access_token", "keep_signed_in"]);
    assert_eq!(answer.header("clear-site-data"), "\"cache\"");
    assert!(!browser.holds("access_token") && !browser.holds("keep_signed_in"));
}

#[actix_web::test]
async fn signing_out_leaves_the_other_devices_alone() {
    let app = TestApp::start().await;
    let (browser, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    browser.sign_out().await;
    assert!(phone.is_signed_in().await);
}

#[actix_web::test]
async fn signing_out_everywhere_ends_every_device_and_no_other_users() {
    let app = TestApp::start().await;
    let (browser, phone, other) = (app.signed_in().await, app.browser(), app.browser());
    phone.sign_in().await;
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    other.submit("/register", "/register", &fields).await;
    let answer = browser.submit("/dashboard", "/logout/everywhere", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(answer.cleared(), ["access_token", "keep_signed_in"]);
    assert_eq!(answer.header("clear-site-data"), "\"cache\"");
    assert!(!browser.is_signed_in().await && !phone.is_signed_in().await);
    assert!(other.is_signed_in().await);
}

#[actix_web::test]
async fn a_sign_out_reaches_every_other_process_on_the_database() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let browser = app.signed_in().await;
    let mut thief = browser.clone();
    thief.connect(&other);
    assert!(thief.is_signed_in().await);
    browser.sign_out().await;
    other.catch_up();
    assert!(!thief.is_signed_in().await);
}

#[actix_web::test]
async fn signing_out_everywhere_reaches_every_other_process_on_the_database() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let browser = app.signed_in().await;
    let mut phone = other.browser();
    phone.sign_in().await;
    browser.submit("/dashboard", "/logout/everywhere", &[]).await;
    other.catch_up();
    assert!(!phone.is_signed_in().await);
    phone.connect(&app);
    assert!(!phone.is_signed_in().await);
}

#[actix_web::test]
async fn a_process_that_did_not_hear_from_its_database_for_long_asks_it() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let browser = app.signed_in().await;
    let mut thief = browser.clone();
    thief.connect(&other);
    assert!(thief.is_signed_in().await);
    browser.sign_out().await;
    app.clock.advance(Duration::seconds(6));
    assert!(!thief.is_signed_in().await);
}

#[actix_web::test]
async fn a_user_who_is_deactivated_in_the_database_is_out() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    assert!(!browser.is_signed_in().await);
    assert_told_while_brought(&browser, "This account is deactivated").await;
}

#[actix_web::test]
async fn a_deactivated_user_is_out_by_the_refresh_token_too() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.advance(Duration::hours(1));
    assert!(!browser.is_signed_in().await);
    assert_told_while_brought(&browser, "This account is deactivated").await;
}

#[actix_web::test]
async fn a_deactivated_user_cannot_sign_in_and_is_not_told_why() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    let answer = app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.says("Invalid email or password.") && !answer.says("deactivated"));
}

#[actix_web::test]
async fn a_user_who_is_activated_again_signs_in_anew() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    assert!(!browser.is_signed_in().await);
    app.rows().execute("UPDATE users SET is_active = TRUE");
    app.catch_up();
    assert!(!browser.is_signed_in().await);
    browser.sign_in().await;
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_user_who_is_deleted_is_out() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("DELETE FROM users");
    app.catch_up();
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"));
    assert_eq!(answer.cookies(), [], "no cookie is touched");
}

#[actix_web::test]
async fn a_sign_in_whose_row_is_deleted_is_over() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("DELETE FROM sessions");
    app.catch_up();
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"));
    assert_eq!(answer.cookies(), [], "no cookie is touched");
}

#[actix_web::test]
async fn a_name_that_is_changed_in_the_database_is_shown_at_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET full_name = 'Augusta Ada King'");
    app.catch_up();
    assert!(browser.get("/dashboard").await.says("Welcome, Augusta Ada King"));
}

#[actix_web::test]
async fn a_sign_in_whose_end_was_moved_is_over_then() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let soon = (crate::support::START + Duration::minutes(2)).unix_timestamp();
    app.rows().execute(&format!("UPDATE sessions SET expires_at = {soon}"));
    app.advance(Duration::minutes(2));
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn the_sign_in_page_says_that_one_has_signed_out() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.sign_out().await;
    assert_told_once(&browser, "You have signed out").await;
}

#[actix_web::test]
async fn every_device_is_told_that_one_has_signed_out_everywhere() {
    let app = TestApp::start().await;
    let (browser, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    browser.submit("/dashboard", "/logout/everywhere", &[]).await;
    assert_told_once(&browser, "You have signed out everywhere").await;
    assert!(!phone.is_signed_in().await);
    assert_told_until_the_next_sign_in(&phone, "You have signed out everywhere").await;
}

#[actix_web::test]
async fn the_sign_in_page_says_that_a_sign_in_has_expired() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24));
    assert!(!browser.is_signed_in().await);
    assert_told_until_the_next_sign_in(&browser, "Your sign-in has expired").await;
}

#[actix_web::test]
async fn the_sign_in_page_says_that_a_pause_was_too_long() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(IDLE);
    assert!(!browser.is_signed_in().await);
    assert_told_until_the_next_sign_in(&browser, "You were signed out after a long pause").await;
}

#[actix_web::test]
async fn the_sign_in_page_says_that_a_copy_was_used() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let thief = browser.clone();
    for _ in 0..2 {
        app.advance(Duration::minutes(15));
        browser.get("/dashboard").await;
    }
    assert!(!thief.is_signed_in().await);
    assert!(!browser.is_signed_in().await);
    assert_told_until_the_next_sign_in(&browser, "This sign-in was ended to keep you safe").await;
}

#[actix_web::test]
async fn the_sign_in_page_says_what_another_device_or_a_new_password_ended() {
    for (stored, heading) in [
        ("revoked", "This sign-in was ended from another device"),
        ("password_changed", "Your password was changed"),
        ("a reason of a later version", "This sign-in was ended from another device"),
    ] {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        app.rows().execute(&format!("UPDATE sessions SET revoked_at = created_at, revoked_because = '{stored}'"));
        app.catch_up();
        assert!(!browser.is_signed_in().await);
        assert_told_until_the_next_sign_in(&browser, heading).await;
    }
}

#[actix_web::test]
async fn the_reason_is_told_where_the_sign_in_page_is_the_first_to_be_opened() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(IDLE);
    let page = browser.get("/login").await;
    assert!(page.says("You were signed out after a long pause"), "{}", page.body());
    assert_eq!((page.set(), page.cleared()), (vec!["form".to_owned()], Vec::new()));
}

#[actix_web::test]
async fn a_reason_that_waits_to_be_told_does_not_stop_a_sign_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.sign_out().await;
    browser.sign_in().await;
    assert!(browser.is_signed_in().await);
    assert!(!browser.holds("form"));
}

#[actix_web::test]
async fn a_stranger_is_told_of_no_end() {
    let app = TestApp::start().await;
    app.signed_in().await.sign_out().await;
    assert!(!app.browser().get("/login").await.says("class=\"notice"));
}
