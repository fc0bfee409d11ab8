//! A copied jar is caught; its owner is warned, and keeps every other device.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, PASSWORD, TestApp, blob, form_token};

const WARNING: &str = "Someone else may have used one of your sign-ins";

/// What whoever has taken note is told once.
const THANKS: &str = "Thank you. The warning is gone";

const ACKNOWLEDGE: &str = "/theft/acknowledge";

/// Every page of somebody who is signed in.
const PAGES: [&str; 4] = ["/dashboard", "/token-details", "/devices", "/activity"];

/// Copies the jar of `owner` and lets both go on until one of them is caught.
async fn stolen(app: &TestApp, owner: &Browser) -> Browser {
    let mut thief = owner.clone();
    thief.user_agent = "curl/8.0".to_owned();
    thief.address = "203.0.113.66:6666".parse().unwrap();
    app.advance(Duration::minutes(16));
    assert!(thief.is_signed_in().await, "a copy is as good as the jar, once");
    app.advance(Duration::minutes(16));
    assert!(owner.is_signed_in().await, "the owner holds the predecessor, and gets a branch of their own");
    app.advance(Duration::minutes(16));
    assert!(!thief.is_signed_in().await, "the branch that was not presented is dead");
    thief
}

#[actix_web::test]
async fn both_parties_are_out_and_the_owner_is_told_why() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    stolen(&app, &owner).await;
    assert!(!owner.is_signed_in().await, "nobody knows which of the two is the owner");
    let login = owner.get("/login").await;
    assert!(login.says("This sign-in was ended to keep you safe") && login.says("role=\"alert\""));
}

#[actix_web::test]
async fn the_event_keeps_both_parties() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    stolen(&app, &owner).await;
    let events = app.rows().events_of("refresh_token_replayed");
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].detail("address"), events[0].detail("user_agent")),
        ("203.0.113.66".into(), "curl/8.0".into())
    );
    assert_eq!(events[0].detail("other_address"), "192.0.2.1");
    assert!(events[0].detail("other_user_agent").contains("Firefox"));
    assert_eq!(app.rows().text("SELECT revoked_because FROM sessions"), "replayed");
}

#[actix_web::test]
async fn every_page_of_every_device_warns_until_somebody_has_taken_note() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let other = app.browser();
    other.sign_in().await;
    for path in PAGES {
        assert!(!other.get(path).await.says(WARNING), "{path}");
    }
    stolen(&app, &owner).await;
    assert!(other.is_signed_in().await, "the other devices are left alone");
    owner.sign_in().await;
    let later = app.browser();
    later.sign_in().await;
    for browser in [&other, &owner, &later] {
        for path in PAGES.into_iter().chain(["/nothing-is-here"]) {
            let page = browser.get(path).await;
            for words in [WARNING, "Firefox on Linux, 192.0.2.1", "203.0.113.66", "It was me", "I have checked"] {
                assert!(page.says(words), "{path}: {words}");
            }
        }
    }
    assert!(other.get("/dashboard").await.says("look at your devices"));
    app.advance(Duration::minutes(20));
    assert!(other.get("/dashboard").await.says(WARNING), "it outlives a rotation");

    let answer = acknowledge(&owner, "/activity", "checked").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/activity"));
    assert!(owner.get("/activity").await.says(THANKS));
    for browser in [&other, &owner, &later] {
        for path in PAGES {
            let page = browser.get(path).await;
            assert!(!page.says(WARNING) && !page.says(THANKS), "{path}");
        }
    }
    let activity = owner.get("/activity").await;
    assert!(activity.says("A copy of a sign-in was used; that sign-in was ended"), "what happened stays there");
}

#[actix_web::test]
async fn a_theft_is_warned_of_for_thirty_days() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    stolen(&app, &owner).await;
    for days in [29, 2] {
        app.advance(Duration::days(days));
        let fresh = app.browser();
        fresh.sign_in().await;
        assert_eq!(fresh.get("/dashboard").await.says(WARNING), days == 29, "after thirty days it is history");
    }
}

#[actix_web::test]
async fn the_warning_and_its_end_reach_every_process_and_cost_no_page_a_look() {
    let app = TestApp::start().await;
    let elsewhere = app.another_process().await;
    let (owner, mut other) = (app.signed_in().await, app.browser());
    other.sign_in().await;
    other.connect(&elsewhere);
    assert!(!other.get("/dashboard").await.says(WARNING));
    stolen_at_once(&app).await;
    elsewhere.catch_up();
    let page = other.get("/token-details").await;
    assert!(page.says(WARNING) && page.set().is_empty(), "an access token in force does not hide it");
    elsewhere.set_stopped(true);
    assert!(other.get("/dashboard").await.says(WARNING), "it comes from memory");
    elsewhere.set_stopped(false);

    assert_eq!(acknowledge(&owner, "/dashboard", "me").await.status, StatusCode::SEE_OTHER);
    elsewhere.catch_up();
    let page = other.get("/dashboard").await;
    assert!(!page.says(WARNING) && page.set().is_empty(), "and is gone there with the news, in mid-life of the token");
}

#[actix_web::test]
async fn whoever_takes_note_of_one_theft_has_not_seen_the_next() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    stolen(&app, &owner).await;
    owner.sign_in().await;
    let page = owner.get("/devices").await.body();
    app.advance(Duration::SECOND);
    stolen_at_once(&app).await;
    let fields = [("form_token", form_token(&page, ACKNOWLEDGE)), ("noticed", noticed(&page))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    owner.post(ACKNOWLEDGE, &fields).await;
    assert!(owner.get("/dashboard").await.says(WARNING), "the page that the button was on did not show it");
    acknowledge(&owner, "/dashboard", "me").await;
    assert!(!owner.get("/dashboard").await.says(WARNING));
    stolen_at_once(&app).await;
    assert!(owner.get("/dashboard").await.says(WARNING), "and the next is warned of again");
    // A program that sends no more than the token means what it was shown.
    let token = owner.token("/dashboard", ACKNOWLEDGE).await;
    owner.post(ACKNOWLEDGE, &[("form_token", &token)]).await;
    assert!(!owner.get("/dashboard").await.says(WARNING));
    let answer = owner.post(ACKNOWLEDGE, &[("form_token", &token), ("next", "//evil.example")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "a second click");
}

#[actix_web::test]
async fn nobody_takes_note_for_somebody_else() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let (thief, stranger) = (stolen(&app, &owner).await, app.browser());
    owner.sign_in().await;
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    stranger.submit("/register", "/register", &fields).await;
    assert!(!stranger.get("/dashboard").await.says(WARNING));
    let own = stranger.token("/dashboard", "/logout").await;
    assert_eq!(stranger.post(ACKNOWLEDGE, &[("form_token", &own)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(thief.post(ACKNOWLEDGE, &[]).await.location(), "/login");
    assert!(owner.get("/dashboard").await.says(WARNING));
    let page = owner.get("/dashboard").await.body();
    let fields = [("form_token", form_token(&page, ACKNOWLEDGE)), ("noticed", "9999999999".to_owned())];
    let thrown_out = owner.clone();
    owner.sign_out().await;
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let kept = thrown_out.post(ACKNOWLEDGE, &fields).await;
    assert!(kept.location().starts_with("/login?next=%2Frescue%2F"), "{}", kept.location());
    owner.sign_in().await;
    assert!(owner.get("/dashboard").await.says(WARNING));
}

/// Presses a button of the warning on a page.
async fn acknowledge(browser: &Browser, path: &str, answer: &str) -> Answer {
    let page = browser.get(path).await.body();
    let (token, noticed) = (form_token(&page, ACKNOWLEDGE), noticed(&page));
    let fields = [("form_token", &*token), ("noticed", &noticed), ("next", path), ("answer", answer)];
    browser.post(ACKNOWLEDGE, &fields).await
}

/// Returns which theft the warning of a page is about.
fn noticed(page: &str) -> String {
    let rest = page.split_once("name=\"noticed\" value=\"").unwrap().1;
    rest.split('"').next().unwrap().to_owned()
}

/// Begins a sign-in and lets a token of it that is long out of turn be used, without waiting.
async fn stolen_at_once(app: &TestApp) {
    let browser = app.browser();
    browser.sign_in().await;
    browser.forget("access_token");
    app.rows().execute(&format!(
        "UPDATE sessions SET generation = 5, token_hash = {}, previous_hash = NULL WHERE id = '{}'",
        blob(&[5; 32]),
        browser.session()
    ));
    assert!(!browser.is_signed_in().await);
}
