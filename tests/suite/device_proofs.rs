//! Proofs that prove nothing: malformed, foreign, stale, by another key or another algorithm.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use time::Duration;

use crate::support::{Asked, Browser, Device, TestApp};

/// Longer than an access life, and so than the window.
const LATER: Duration = Duration::minutes(16);

/// A sign-in that was renewed by a proof a while ago.
async fn proved(app: &TestApp) -> (Browser, Device) {
    let (browser, device) = (app.browser(), Device::new());
    let answer = browser.register().await;
    device.register(&browser, &answer).await;
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    app.advance(LATER);
    (browser, device)
}

fn header() -> Value {
    json!({ "typ": "dbsc+jwt", "alg": "ES256" })
}

/// Writes a JWT that is signed by HMAC-SHA256 with some bytes as the secret.
fn hs256(claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "typ": "dbsc+jwt", "alg": "HS256" })), part(claims));
    let signature = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "typ": "dbsc+jwt", "alg": "none" })), part(claims))
}

/// Returns a row without what every use of it changes.
fn row(app: &TestApp) -> String {
    app.rows().text("SELECT id || ' ' || generation || ' ' || proved_generation || ' ' || rotated_at FROM sessions ORDER BY created_at LIMIT 1")
}

#[actix_web::test]
async fn whatever_proves_nothing_gets_a_fresh_challenge_and_changes_nothing() {
    let app = TestApp::start().await;
    let (browser, device) = proved(&app).await;
    let (other, stranger) = (app.browser(), Device::new());
    let answer = other.sign_in().await;
    stranger.register(&other, &answer).await;
    let challenge = device.challenge();
    let claims = json!({ "jti": challenge });
    let mut with_key = header();
    with_key["jwk"] = stranger.jwk();
    let before = row(&app);
    let proofs = [
        ("empty", String::new()),
        ("no JWT", "x".to_owned()),
        ("oversized", device.proof(&"x".repeat(5000))),
        ("no challenge", device.sign(&header(), &json!({}))),
        ("another type", device.sign(&json!({ "typ": "at+jwt", "alg": "ES256" }), &claims)),
        ("no type", device.sign(&json!({ "alg": "ES256" }), &claims)),
        ("crit", device.sign(&json!({ "typ": "dbsc+jwt", "alg": "ES256", "crit": ["x"] }), &claims)),
        ("another key", stranger.proof(&challenge)),
        ("a key in the header", stranger.sign(&with_key, &claims)),
        ("none", unsigned(&claims)),
        ("HS256 by the public key", hs256(&claims, &device.public_key())),
        ("HS256 by the point", hs256(&claims, &[&[4], device.public_key().as_slice()].concat())),
        ("of another session", device.proof(&stranger.challenge())),
        ("to register", device.proof(&Asked::of(&answer).unwrap().challenge)),
        ("made up", device.proof("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("an access token", browser.cookie("access_token")),
    ];
    for (name, proof) in proofs {
        device.set_challenge(&challenge);
        let refused = device.renew_with(&browser, &proof).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}");
        assert_eq!(device.challenge(), challenge, "{name}: the challenge that is current");
        assert!(refused.cookies().is_empty(), "{name}");
    }
    assert_eq!(row(&app), before);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_challenge_is_over_two_generations_later() {
    let app = TestApp::start().await;
    let (browser, device) = proved(&app).await;
    let proof = device.proof(&device.challenge());
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert_eq!(device.renew_with(&browser, &proof).await.status, StatusCode::OK, "within the window");
    app.advance(LATER);
    assert_eq!(device.renew_with(&browser, &proof).await.status, StatusCode::FORBIDDEN, "after it");
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert_eq!(device.renew_with(&browser, &proof).await.status, StatusCode::FORBIDDEN, "of an older generation");
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_key_is_taken_on_the_strength_of_the_password_alone() {
    let app = TestApp::start().await;
    let (browser, answer) = (app.browser(), Device::new());
    drop(answer);
    let answer = browser.register().await;
    let asked = Asked::of(&answer).unwrap();
    let (device, thief) = (Device::new(), Device::new());
    let session = browser.session();
    let bind = |proof: String| {
        let browser = browser.clone();
        async move { browser.post_alone("/session/bind", &[("secure-session-response", proof.as_str())]).await.status }
    };
    let registered = || app.rows().number("SELECT count(*) FROM sessions WHERE device_key IS NOT NULL");
    let with_key = |device: &Device| json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": device.jwk() });
    // Whoever copied the jar knows the name of the sign-in, and no challenge.
    for challenge in ["", "AAAA", session.as_str()] {
        let proof = thief.registration(&Asked { challenge: challenge.to_owned(), ..asked.clone() });
        assert_eq!(bind(proof).await, StatusCode::FORBIDDEN, "{challenge}");
    }
    let renewal = browser
        .post_alone(
            "/session/bind",
            &[(
                "secure-session-response",
                thief.registration(&Asked { challenge: "AAAA".into(), ..asked.clone() }).as_str(),
            )],
        )
        .await;
    let given = renewal.header("secure-session-challenge").split('"').nth(1).unwrap().to_owned();
    let proof = thief.registration(&Asked { challenge: given, ..asked.clone() });
    assert_eq!(bind(proof).await, StatusCode::FORBIDDEN, "a challenge to renew registers nothing");
    // Of another session, without its name, without a key, by another key than the one it brings.
    let other = app.browser();
    let foreign = Asked::of(&other.sign_in().await).unwrap();
    for proof in [
        device.registration(&Asked { challenge: foreign.challenge, ..asked.clone() }),
        device.sign(&with_key(&device), &json!({ "jti": asked.challenge })),
        device.sign(&with_key(&device), &json!({ "jti": asked.challenge, "authorization": "x" })),
        device.sign(&header(), &json!({ "jti": asked.challenge, "authorization": session })),
        device.sign(&with_key(&thief), &json!({ "jti": asked.challenge, "authorization": session })),
        hs256(&json!({ "jti": asked.challenge, "authorization": session }), &device.public_key()),
    ] {
        assert_eq!(bind(proof).await, StatusCode::FORBIDDEN);
    }
    for proof in ["", "x", "a.b.c", &"x".repeat(5000)] {
        assert_eq!(bind(proof.to_owned()).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(browser.post_alone("/session/bind", &[]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(registered(), 0);
    // What is right is right for five minutes.
    app.advance(Duration::minutes(5) + Duration::SECOND);
    assert_eq!(bind(device.registration(&asked)).await, StatusCode::FORBIDDEN);
    app.advance(-Duration::SECOND);
    assert_eq!(bind(device.registration(&asked)).await, StatusCode::OK);
    assert_eq!(registered(), 1);
}

#[actix_web::test]
async fn a_key_of_another_kind_or_curve_is_refused_and_nothing_is_bound() {
    let app = TestApp::start().await;
    let (browser, device) = (app.browser(), Device::new());
    let asked = Asked::of(&browser.register().await).unwrap();
    let own = device.jwk();
    let changed = |changes: &[(&str, Value)]| {
        let mut jwk = own.clone();
        changes.iter().for_each(|(name, value)| jwk[*name] = value.clone());
        jwk
    };
    let (large, zero) = (URL_SAFE_NO_PAD.encode([7; 48]), URL_SAFE_NO_PAD.encode([0; 32]));
    let keys = [
        ("P-384", changed(&[("crv", json!("P-384"))])),
        ("secp256k1", changed(&[("crv", json!("secp256k1"))])),
        ("larger coordinates", changed(&[("x", json!(large)), ("y", json!(large))])),
        ("no point of the curve", changed(&[("y", own["x"].clone())])),
        ("the point at infinity", changed(&[("x", json!(zero)), ("y", json!(zero))])),
        ("no y", json!({ "kty": "EC", "crv": "P-256", "x": own["x"] })),
        ("a secret", json!({ "kty": "oct", "k": own["x"] })),
        ("Ed25519", json!({ "kty": "OKP", "crv": "Ed25519", "x": own["x"] })),
        ("RSA", json!({ "kty": "RSA", "n": own["x"], "e": "AQAB" })),
    ];
    let claims = json!({ "jti": asked.challenge, "authorization": asked.authorization });
    for (name, jwk) in keys {
        let proof = device.sign(&json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": jwk }), &claims);
        let refused = browser.post_alone("/session/bind", &[("secure-session-response", proof.as_str())]).await;
        assert!(
            matches!(refused.status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST),
            "{name}: {}",
            refused.status
        );
        assert!(refused.cookies().is_empty(), "{name}");
    }
    let proof = device.sign(&json!({ "typ": "dbsc+jwt", "alg": "ES384", "jwk": own }), &claims);
    let refused = browser.post_alone("/session/bind", &[("secure-session-response", proof.as_str())]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE device_key IS NOT NULL"), 0);
    assert_eq!(app.rows().count_events("device_bound"), 0);
    let proof = device.registration(&asked);
    let bound = browser.post_alone("/session/bind", &[("secure-session-response", proof.as_str())]).await;
    assert_eq!(bound.status, StatusCode::OK, "and the right one is taken all the same");
}

#[actix_web::test]
async fn a_registration_sent_again_gets_the_same_answer_and_a_second_key_is_refused() {
    let app = TestApp::start().await;
    let (browser, device, thief) = (app.browser(), Device::new(), Device::new());
    let answer = browser.register().await;
    let first = device.register(&browser, &answer).await;
    let again = device.register(&browser, &answer).await;
    assert_eq!((again.status, &again.bytes), (StatusCode::OK, &first.bytes));
    assert_eq!(again.header("secure-session-challenge"), first.header("secure-session-challenge"));
    assert_eq!(app.rows().count_events("device_bound"), 1);
    assert_eq!(thief.register(&browser, &answer).await.status, StatusCode::FORBIDDEN);
    let refused = app.rows().events_of("device_not_proven");
    assert_eq!((refused.len(), refused[0].detail("reason")), (1, "second_key".to_owned()));
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_flood_of_renewals_is_put_off_and_the_owner_comes_through() {
    let app = TestApp::start().await;
    let (browser, device) = proved(&app).await;
    let mut thief = browser.clone();
    thief.address = "203.0.113.9:40000".parse().unwrap();
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(device.renew_with(&thief, &Device::new().proof(&device.challenge())).await.status);
    }
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::FORBIDDEN).count(), 60);
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::SERVICE_UNAVAILABLE).count(), 140);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK, "from another address");
    app.advance(Duration::seconds(10));
    assert_eq!(device.ask(&thief).await.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn what_a_limit_inside_the_application_says_does_not_end_the_binding() {
    use actix_web::{HttpResponse, web};
    for status in [302, 400, 404, 408, 413, 429, 500] {
        let app = TestApp::embedded(
            |_| {},
            move |config| {
                let answer = move || async move { HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish() };
                config.route("/session/renew", web::post().to(answer));
            },
        )
        .await;
        let answer = app.browser().post_alone("/session/renew", &[]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{status}");
    }
}

#[actix_web::test]
async fn an_origin_and_a_form_token_are_neither_asked_for_nor_minded() {
    let app = TestApp::start().await;
    let (browser, device) = proved(&app).await;
    let session = format!("\"{}\"", device.session());
    let proof = device.proof(&device.challenge());
    let headers = [
        ("sec-secure-session-id", session.as_str()),
        ("secure-session-response", proof.as_str()),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(browser.post_alone("/session/renew", &headers).await.status, StatusCode::OK);
}
