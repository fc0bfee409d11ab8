//! A sign-in on a computer that others use too: for this window, and over after half an hour unused.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

/// Sends the sign-in form with the box for shared computers checked, and with the one for keeping the sign-in.
async fn sign_in(browser: &Browser, password: &str) -> Answer {
    let boxes = [("keep_signed_in", "on"), ("shared_computer", "on")];
    let fields = [("email", EMAIL), ("password", password), boxes[0], boxes[1]];
    browser.submit("/login", "/login", &fields).await
}

/// Has an account, and a browser on a shared computer that is signed in to it.
async fn signed_in(app: &TestApp) -> Browser {
    app.signed_in().await.sign_out().await;
    let browser = app.browser();
    assert_eq!(sign_in(&browser, PASSWORD).await.status, StatusCode::SEE_OTHER);
    browser
}

#[actix_web::test]
async fn a_shared_computer_keeps_nobody_signed_in_whatever_the_other_box_says() {
    let app = TestApp::start().await;
    app.signed_in().await.sign_out().await;
    let answer = sign_in(&app.browser(), PASSWORD).await;
    let cookies = answer.cookies();
    let tokens: Vec<_> =
        cookies.iter().filter(|cookie| ["access_token", "keep_signed_in"].contains(&cookie.name.as_str())).collect();
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().all(|cookie| cookie.max_age.is_none()), "they end with the browser");
    let kept = app.rows().number("SELECT count(*) FROM sessions WHERE shared_computer AND NOT kept");
    assert_eq!(kept, 1);
}

#[actix_web::test]
async fn half_an_hour_without_use_ends_it_and_less_does_not() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    for _ in 0..5 {
        app.advance(Duration::minutes(29));
        assert!(browser.is_signed_in().await, "it was used within half an hour");
    }
    app.write_last_seen();
    let thief = browser.clone();
    app.advance(Duration::minutes(33));
    assert!(!browser.is_signed_in().await);
    let page = browser.get("/login").await;
    assert!(page.says("You were signed out on this shared computer") && page.says("30 minutes"), "{}", page.body());
    assert!(!thief.is_signed_in().await, "another copy of its cookies is no way in");
}

#[actix_web::test]
async fn a_use_that_is_not_written_down_yet_counts() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    app.advance(Duration::minutes(20));
    assert!(browser.is_signed_in().await);
    app.advance(Duration::minutes(20));
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn the_list_says_so_and_shows_it_no_longer_once_it_is_over() {
    let app = TestApp::start().await;
    let shared = signed_in(&app).await;
    let desk = app.browser();
    desk.sign_in().await;
    let page = desk.get("/devices").await;
    assert!(page.says("shared computer, over after 30 minutes unused"), "{}", page.body());
    app.advance(Duration::minutes(33));
    assert_eq!(desk.get("/devices").await.body().matches("class=\"row__name\"").count(), 1);
    assert!(!shared.is_signed_in().await && desk.is_signed_in().await);
}

#[actix_web::test]
async fn a_refused_form_comes_back_without_the_address() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let page = sign_in(&app.browser(), "not at all the one").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(!page.says(EMAIL), "the next person at it must not read who was there");
    assert!(page.says("name=\"shared_computer\" type=\"checkbox\" value=\"on\" checked"));
}
