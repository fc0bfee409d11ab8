//! Sign-ins that are bound to a device: registration, renewal by proof, and what ends them.

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Asked, Device, TestApp, hex};

/// Longer than an access life, and so than the window.
const LATER: Duration = Duration::minutes(16);

fn is_bound(app: &TestApp) -> bool {
    app.rows().number("SELECT count(*) FROM sessions WHERE device_key IS NOT NULL AND proved_generation = generation")
        == 1
}

fn generation(app: &TestApp) -> i64 {
    app.rows().number("SELECT max(generation) FROM sessions")
}

#[actix_web::test]
async fn the_answer_to_a_password_asks_for_a_key_and_the_key_is_kept() {
    let app = TestApp::start().await;
    let (browser, device) = (app.browser(), Device::new());
    let answer = browser.register().await;
    let asked = Asked::of(&answer).unwrap();
    assert_eq!((asked.path.as_str(), asked.authorization), ("/session/bind", browser.session()));
    let bound = device.register(&browser, &answer).await;
    assert_eq!((bound.status, bound.header("content-type")), (StatusCode::OK, "application/json"));
    let description: Value = serde_json::from_slice(&bound.bytes).unwrap();
    let expected = json!({
        "session_identifier": browser.session(),
        "refresh_url": "/session/renew",
        "scope": {
            "include_site": false,
            "scope_specification": [{ "type": "exclude", "domain": "*", "path": "/static" }],
        },
        "credentials": [
            { "type": "cookie", "name": "access_token", "attributes": "Path=/; HttpOnly; SameSite=Lax" },
        ],
        "allowed_refresh_initiators": ["*"],
    });
    assert_eq!(description, expected);
    let stored = app.rows().text(&format!("SELECT {} FROM sessions", hex("device_key")));
    let public: String = device.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(stored, public);
    assert_eq!(app.rows().count_events("device_bound"), 1);
    assert!(!is_bound(&app), "the first proof binds");
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn over_https_the_cookie_and_its_attributes_are_those_that_are_set() {
    let app = TestApp::with(|settings| settings.public_url = Some("https://localhost".into())).await;
    let (browser, device) = (app.browser(), Device::new());
    let answer = browser.register().await;
    let set = answer.cookies().into_iter().find(|cookie| cookie.name == "__Host-access_token").unwrap();
    let bound = device.register(&browser, &answer).await;
    let description: Value = serde_json::from_slice(&bound.bytes).unwrap();
    let credential = &description["credentials"][0];
    assert_eq!(credential["name"], set.name);
    let mut attributes: Vec<_> = credential["attributes"].as_str().unwrap().split("; ").collect();
    attributes.sort_unstable();
    assert_eq!(attributes, set.attributes);
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.set(), ["__Host-access_token", "__Host-keep_signed_in"]);
}

#[actix_web::test]
async fn a_proof_renews_and_the_next_challenge_spares_a_round_trip() {
    let app = TestApp::start().await;
    let (browser, device) = Device::bound(&app).await;
    let before = device.challenge();
    app.advance(LATER);
    let renewed = device.renew(&browser).await;
    assert_eq!(renewed.status, StatusCode::OK, "the answer to the registration brought a challenge");
    assert_eq!(renewed.set(), ["access_token", "keep_signed_in"]);
    assert!(is_bound(&app) && generation(&app) == 1 && device.challenge() != before);
    assert!(browser.get("/dashboard").await.cookies().is_empty(), "the page finds its access token");
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert_eq!(generation(&app), 2);
}

#[actix_web::test]
async fn without_a_proof_a_renewal_gets_a_challenge() {
    let app = TestApp::start().await;
    let (browser, device) = Device::bound(&app).await;
    app.advance(LATER);
    let asked = device.ask(&browser).await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN);
    assert!(asked.cookies().is_empty() && generation(&app) == 0);
    let bare =
        [("sec-secure-session-id", device.session()), ("secure-session-response", device.proof(&device.challenge()))];
    let bare: Vec<_> = bare.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post_alone("/session/renew", &bare).await.status, StatusCode::OK, "without quotes too");
    let quoted = format!("\"{}\"", device.proof(&device.challenge()));
    assert_eq!(device.renew_with(&browser, &quoted).await.status, StatusCode::OK, "within quotes too");
}

#[actix_web::test]
async fn within_the_window_a_proof_binds_and_nothing_rotates() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    assert_eq!(generation(&app), 0);
    for _ in 0..3 {
        let renewed = device.renew(&browser).await;
        assert_eq!((renewed.status, renewed.set()), (StatusCode::OK, vec!["access_token".to_owned()]));
    }
    assert_eq!(generation(&app), 0);
}

#[actix_web::test]
async fn an_answer_that_was_lost_is_made_up_for_by_the_same_proof() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(LATER);
    let (copy, challenge) = (browser.clone(), device.challenge());
    let proof = device.proof(&challenge);
    assert_eq!(device.renew_with(&browser, &proof).await.status, StatusCode::OK);
    browser.restore(&copy);
    let again = device.renew_with(&browser, &proof).await;
    assert_eq!((again.status, again.set()), (StatusCode::OK, vec!["access_token".to_owned()]));
    assert!(browser.is_signed_in().await && generation(&app) == 1);
    // Later, the lost answer has taken nothing with it but a round trip.
    app.advance(LATER);
    device.set_challenge(&challenge);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(browser.is_signed_in().await && generation(&app) == 2);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn any_number_of_lost_answers_ends_nothing() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    let first = browser.clone();
    for _ in 0..20 {
        app.advance(LATER);
        browser.restore(&first);
        assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    }
    assert!(browser.is_signed_in().await);
    // Nor do messages that come long after the grace.
    let (jar, proof) = (browser.clone(), device.proof(&device.challenge()));
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    app.advance(LATER);
    assert_eq!(device.renew_with(&jar, &proof).await.status, StatusCode::FORBIDDEN);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn proofs_beside_each_other_rotate_once() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(LATER);
    let proof = device.proof(&device.challenge());
    let session = format!("\"{}\"", device.session());
    let headers = [("sec-secure-session-id", session.as_str()), ("secure-session-response", proof.as_str())];
    let answers = futures_util::future::join_all((0..20).map(|_| browser.post_alone("/session/renew", &headers))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(answers.iter().filter(|answer| answer.set().contains(&"keep_signed_in".to_owned())).count(), 1);
    assert!(generation(&app) == 1 && browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_key_without_a_proof_locks_nobody_out() {
    let app = TestApp::start().await;
    // The answer to the registration was lost, and the browser never proves anything.
    let (browser, _) = Device::bound(&app).await;
    for expected in 1..4 {
        app.advance(LATER);
        assert!(browser.is_signed_in().await);
        assert_eq!(generation(&app), expected);
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE device_key IS NULL"), 1);
}

#[actix_web::test]
async fn a_row_without_a_key_and_an_unknown_one_are_unavailable() {
    let app = TestApp::start().await;
    let (browser, device) = Device::bound(&app).await;
    app.advance(LATER);
    assert!(browser.is_signed_in().await, "which drops the key");
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    for id in ["\"AAAAAAAAAAAAAAAAAAAAAA\"", "\"01234567-89ab-7def-8123-456789abcdef\"", "\"x\"", "\"", ""] {
        let answer = browser.post_alone("/session/renew", &[("sec-secure-session-id", id)]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{id}");
    }
    assert_eq!(browser.post_alone("/session/renew", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn what_is_over_is_said_after_a_valid_proof_alone() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    let other = app.browser();
    other.sign_in().await;
    let id = device.session();
    other.submit("/devices", &format!("/devices/{id}/revoke"), &[]).await;
    let stranger = Device::new();
    assert_eq!(device.renew_with(&browser, &stranger.proof(&device.challenge())).await.status, StatusCode::FORBIDDEN);
    assert_eq!(device.ask(&browser).await.status, StatusCode::FORBIDDEN);
    let over = device.renew(&browser).await;
    assert_eq!((over.status, over.body()), (StatusCode::OK, r#"{"continue":false}"#.to_owned()));
    assert!(over.cookies().is_empty());
    assert!(!browser.is_signed_in().await);
    assert!(browser.get("/login").await.says("ended from another device"));
}

#[actix_web::test]
async fn an_expired_or_idle_sign_in_is_unavailable_because_the_clock_may_be_wrong() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(Duration::days(31));
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.advance(Duration::days(-31));
    app.advance(Duration::minutes(10));
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_deactivated_user_is_over() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    assert_eq!(device.renew(&browser).await.body(), r#"{"continue":false}"#);
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_sign_in_for_this_session_ends_with_its_browser() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (browser, device) = (app.browser(), Device::new());
    let answer = browser.sign_in_for_this_session().await;
    let unlimited = answer.cookies().into_iter().find(|cookie| cookie.name == "access_token").unwrap();
    assert_eq!(unlimited.max_age, None, "as for any browser");
    let bound = device.register(&browser, &answer).await;
    let limited = bound.cookies().into_iter().find(|cookie| cookie.name == "access_token").unwrap();
    assert_eq!(limited.max_age, Some(900), "or nothing would make the browser renew it");
    app.advance(LATER);
    let renewed = device.renew(&browser).await;
    let ages: Vec<_> = renewed.cookies().into_iter().map(|cookie| (cookie.name, cookie.max_age)).collect();
    assert_eq!(ages, [("access_token".to_owned(), Some(900)), ("keep_signed_in".to_owned(), None)]);
    assert!(browser.is_signed_in().await);
    browser.close();
    assert!(browser.holds("access_token") && !browser.holds("keep_signed_in"));
    assert!(!browser.is_signed_in().await, "the access token counts beside the refresh token alone");
    let over = device.renew(&browser).await;
    assert_eq!((over.body(), over.cookies().len()), (r#"{"continue":false}"#.to_owned(), 0));
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_kept_sign_in_whose_cookies_were_lost_comes_back_by_its_proof_alone() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(LATER);
    browser.forget("access_token");
    browser.forget("keep_signed_in");
    let renewed = device.renew(&browser).await;
    assert_eq!(
        (renewed.status, renewed.set()),
        (StatusCode::OK, vec!["access_token".to_owned(), "keep_signed_in".to_owned()])
    );
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_jar_that_holds_a_newer_sign_in_keeps_it() {
    let app = TestApp::start().await;
    let (old, device) = Device::proved(&app).await;
    app.advance(Duration::minutes(3));
    let newer = app.browser();
    newer.sign_in().await;
    let over = device.renew(&newer).await;
    assert_eq!((over.body(), over.cookies().len()), (r#"{"continue":false}"#.to_owned(), 0));
    assert!(newer.is_signed_in().await && old.is_signed_in().await);
    // The other way round the proof wins: the older cookie is the stale one.
    let (second, proves) = (app.browser(), Device::new());
    app.advance(Duration::minutes(3));
    let answer = second.sign_in().await;
    proves.register(&second, &answer).await;
    assert_eq!(proves.renew(&newer).await.status, StatusCode::OK);
}
