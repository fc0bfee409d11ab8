//! A copied jar is caught; its owner is warned, and keeps every other device.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Browser, TestApp};

const WARNING: &str = "Someone else may have used one of your sign-ins";

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
async fn the_next_sign_in_warns_and_later_ones_do_not() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    assert!(!owner.get("/dashboard").await.says(WARNING));
    stolen(&app, &owner).await;
    assert!(!owner.is_signed_in().await);
    owner.sign_in().await;
    let dashboard = owner.get("/dashboard").await;
    for words in [WARNING, "Firefox on Linux, 192.0.2.1", "203.0.113.66", "look at your devices"] {
        assert!(dashboard.says(words), "{words}");
    }
    app.advance(Duration::minutes(20));
    assert!(owner.get("/dashboard").await.says(WARNING), "it outlives a rotation");
    let later = app.browser();
    later.sign_in().await;
    assert!(!later.get("/dashboard").await.says(WARNING), "it was told to the sign-in before");
    assert!(later.get("/devices").await.says(WARNING), "the devices page goes on telling it");
    app.advance(Duration::days(1));
    for _ in 0..4 {
        app.advance(Duration::days(7));
        assert!(later.is_signed_in().await);
    }
    app.advance(Duration::hours(23));
    assert_eq!(later.get("/devices").await.status, StatusCode::OK);
    let fresh = app.browser();
    app.advance(Duration::days(2));
    fresh.sign_in().await;
    assert!(!fresh.get("/devices").await.says(WARNING), "after thirty days it is history");
}

#[actix_web::test]
async fn the_other_devices_are_left_alone() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let other = app.browser();
    other.sign_in().await;
    stolen(&app, &owner).await;
    assert!(!owner.is_signed_in().await);
    assert!(other.is_signed_in().await);
    assert!(other.get("/devices").await.says(WARNING) && !other.get("/dashboard").await.says(WARNING));
}
