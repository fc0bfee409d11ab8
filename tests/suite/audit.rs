//! What the audit trail records, and what nobody finds in the database.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::Duration;

use crate::support::{AuditEvent, Browser, EMAIL, PASSWORD, START, TestApp, everything_stored};

fn only(app: &TestApp, event_type: &str) -> AuditEvent {
    let mut events = app.rows().events_of(event_type);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn types(app: &TestApp) -> Vec<String> {
    app.rows().events().into_iter().map(|event| event.event_type).collect()
}

/// Asserts that an event names the client that caused it.
fn assert_by(browser: &Browser, event: &AuditEvent) {
    assert_eq!(event.detail("address"), browser.address.ip().to_string(), "{event:?}");
    assert_eq!(event.detail("user_agent"), browser.user_agent, "{event:?}");
}

#[actix_web::test]
async fn a_registration_is_recorded_with_the_sign_in_it_begins() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    assert_eq!(types(&app), ["registered", "signed_in"]);
    for event in app.rows().events() {
        assert_eq!((event.user_id, event.created_at), (Some(1), START.unix_timestamp()));
        assert_by(&browser, &event);
    }
}

#[actix_web::test]
async fn a_sign_in_is_recorded_with_its_session() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.advance(Duration::hours(1));
    let mut phone = app.browser();
    phone.user_agent = "Phone/1.0".to_owned();
    phone.address = "[2001:db8::7]:1".parse().unwrap();
    phone.sign_in().await;
    let events = app.rows().events_of("signed_in");
    assert_eq!(events.len(), 2);
    assert_by(&phone, &events[1]);
    assert_eq!(
        events[1].detail("session"),
        app.rows().text("SELECT id FROM sessions ORDER BY created_at DESC LIMIT 1")
    );
}

#[actix_web::test]
async fn a_refused_sign_in_is_recorded_with_its_reason() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let stranger = app.browser();
    for (email, password) in [(EMAIL, "another password"), ("nobody@example.org", PASSWORD), ("no address", PASSWORD)] {
        let answer = stranger.submit("/login", "/login", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    app.rows().execute("UPDATE users SET is_active = FALSE");
    stranger.submit("/login", "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    let events = app.rows().events_of("sign_in_failed");
    let told: Vec<_> = events.iter().map(|event| (event.user_id, event.detail("reason"))).collect();
    let expected =
        [(Some(1), "wrong_password"), (None, "unknown_account"), (None, "unknown_account"), (Some(1), "deactivated")];
    assert_eq!(told, expected.map(|(user, reason)| (user, reason.to_owned())));
    events.iter().for_each(|event| assert_by(&stranger, event));
}

#[actix_web::test]
async fn a_kept_sign_in_that_signs_in_by_itself_is_recorded() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    app.advance(Duration::hours(8));
    browser.address = "198.51.100.9:1".parse().unwrap();
    browser.get("/dashboard").await;
    let event = only(&app, "auto_signed_in");
    assert_eq!(event.user_id, Some(1));
    assert_by(&browser, &event);
}

#[actix_web::test]
async fn a_day_of_steady_use_does_not_fill_the_audit_trail() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..24 * 12 {
        app.advance(Duration::minutes(5));
        browser.get("/dashboard").await;
    }
    assert!(app.rows().events().len() < 10, "{:?}", types(&app));
}

#[actix_web::test]
async fn a_sign_out_is_recorded_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.sign_out().await;
    browser.get("/login").await;
    let event = only(&app, "signed_out");
    assert_eq!((event.user_id, event.detail("reason").as_str()), (Some(1), "signed_out"));
    assert_by(&browser, &event);
}

#[actix_web::test]
async fn a_sign_out_everywhere_is_recorded() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.browser().sign_in().await;
    browser.submit("/dashboard", "/logout/everywhere", &[]).await;
    let event = only(&app, "signed_out");
    assert_eq!(event.detail("reason"), "signed_out_everywhere");
    assert_by(&browser, &event);
}

#[actix_web::test]
async fn a_sign_in_that_a_deactivation_ended_is_recorded_as_revoked() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    browser.get("/dashboard").await;
    browser.get("/dashboard").await;
    let event = only(&app, "session_revoked");
    assert_eq!((event.user_id, event.detail("reason").as_str()), (Some(1), "deactivated"));
    assert_by(&browser, &event);
}

#[actix_web::test]
async fn a_replay_is_recorded_with_both_parties() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut thief = browser.clone();
    thief.address = "203.0.113.66:1".parse().unwrap();
    thief.user_agent = "Thief/1.0".to_owned();
    for _ in 0..2 {
        app.advance(Duration::minutes(15));
        browser.get("/dashboard").await;
    }
    thief.get("/dashboard").await;
    let event = only(&app, "refresh_token_replayed");
    assert_eq!(event.user_id, Some(1));
    assert_by(&thief, &event);
    assert_eq!(event.detail("other_address"), browser.address.ip().to_string());
    assert_eq!(event.detail("other_user_agent"), browser.user_agent);
}

#[actix_web::test]
async fn what_is_refused_before_anything_was_tried_is_not_recorded() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let stranger = app.browser();
    stranger.submit("/login", "/login", &[("email", EMAIL), ("password", "")]).await;
    stranger.put("keep_signed_in", "forged");
    stranger.get("/dashboard").await;
    assert_eq!(types(&app), ["registered", "signed_in"]);
}

#[actix_web::test]
async fn a_user_agent_cannot_break_or_flood_the_audit_trail() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.user_agent = format!("a\u{202e}b\u{9b}31m{}", "x".repeat(5000));
    browser.register().await;
    let seen = only(&app, "registered").detail("user_agent");
    assert!(seen.starts_with("ab31mxxx"), "{seen}");
    assert_eq!(seen.chars().count(), 300);
}

fn holds(disk: &[u8], wanted: &[u8]) -> bool {
    disk.windows(wanted.len()).any(|window| window == wanted)
}

#[actix_web::test]
async fn the_database_holds_no_token_no_password_and_no_form_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut secrets = vec![PASSWORD.to_owned()];
    for _ in 0..3 {
        secrets.extend([browser.cookie("access_token"), browser.cookie("keep_signed_in")]);
        secrets.push(browser.cookie("keep_signed_in").rsplit('.').next().unwrap().to_owned());
        secrets.push(browser.token("/dashboard", "/logout").await);
        app.advance(Duration::minutes(15));
        browser.get("/dashboard").await;
    }
    app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", "a wrong secret of mine")]).await;
    secrets.push("a wrong secret of mine".to_owned());
    let disk = everything_stored(&app.folder());
    assert!(holds(&disk, EMAIL.as_bytes()), "the search itself does not work");
    for secret in secrets {
        assert!(!holds(&disk, secret.as_bytes()), "{secret}");
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(&secret) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!holds(&disk, &bytes) && !holds(&disk, hex.as_bytes()), "the bytes of {secret}");
        }
    }
}

#[actix_web::test]
async fn the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::start().await;
    app.signed_in().await;
    for file in std::fs::read_dir(app.folder()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}
