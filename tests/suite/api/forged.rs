//! Bearer tokens that somebody forged, bent or took from elsewhere.

use actix_web::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use perennial::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::support::TestApp;
use crate::support::api::{ApiClient, problem, refusal, refused};

/// What a thief of the secret could make of an access token: everything is signed as it should be, and refused for what it
/// says.
struct Forge {
    header: Value,
    claims: Value,
    key: Vec<u8>,
}

fn key(app: &TestApp, label: &[u8]) -> Vec<u8> {
    let mut key = vec![0; 32];
    Hkdf::<Sha256>::new(None, app.keys().as_bytes()).expand(label, &mut key).unwrap();
    key
}

fn message(header: &Value, claims: &Value) -> String {
    let write = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", write(header), write(claims))
}

impl Forge {
    fn of(app: &TestApp, client: &ApiClient) -> Self {
        let parts: Vec<_> = client.access.split('.').collect();
        let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        Self { header: read(parts[0]), claims: read(parts[1]), key: key(app, b"perennial api access token v1") }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = Hmac::<Sha256>::new_from_slice(&self.key).unwrap().chain_update(&message).finalize();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.into_bytes()))
    }

    /// Makes a token of which a member of the header, or else a claim, says something else.
    fn saying(&self, name: &str, value: Value) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        let changed =
            if ["alg", "typ", "kid", "crit", "b64", "jwk", "jku"].contains(&name) { &mut header } else { &mut claims };
        match value {
            Value::Null => drop(changed.as_object_mut().unwrap().remove(name)),
            value => changed[name] = value,
        }
        self.sign(&header, &claims)
    }
}

#[actix_web::test]
async fn what_is_forged_opens_nothing_for_what_it_says() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    let forge = Forge::of(&app, &client);
    assert_eq!(forge.claims["aud"], "http://localhost:8080/api");
    assert_eq!(forge.claims["iss"], "http://localhost:8080");
    let good = client.with_token(Method::GET, "/api/protected", &forge.saying("jti", json!("another"))).await;
    assert_eq!(good.status, 200, "the forge is good: {}", good.body());
    let now = app.clock.now().unix_timestamp();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS512")),
        ("alg", json!("RS256")),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", Value::Null),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("http://localhost:8080")),
        ("aud", json!("https://evil.example")),
        ("aud", Value::Null),
        ("sub", json!("2")),
        ("sub", json!(1)),
        ("sub", Value::Null),
        ("sid", json!("' OR 1=1 --")),
        ("sid", Value::Null),
        ("exp", Value::Null),
        ("exp", json!(1e300)),
        ("iat", json!(-1)),
        ("iat", Value::Null),
        ("auth_time", Value::Null),
    ] {
        let token = forge.saying(name, value.clone());
        let answer = client.with_token(Method::GET, "/api/protected", &token).await;
        assert_eq!(answer.status, 401, "{name} {value}: {}", answer.body());
        assert!(["token-invalid", "token-revoked"].contains(&problem(&answer).as_str()), "{name} {value}");
    }
    for (name, value) in [("exp", now), ("exp", now + 86_400), ("iat", now + 60), ("nbf", now + 60)] {
        let answer = client.with_token(Method::GET, "/api/protected", &forge.saying(name, json!(value))).await;
        assert_eq!(refusal(&answer), refused(401, "token-expired"), "{name} {value}");
    }
}

#[actix_web::test]
async fn a_key_of_another_purpose_signs_no_token_of_the_api() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    let forge = Forge::of(&app, &client);
    let unsigned = message(&forge.header, &forge.claims);
    let mut forged = vec![format!("{unsigned}."), unsigned.clone(), format!("{unsigned}.{}", "A".repeat(43))];
    for label in [&b"perennial access token v1"[..], b"perennial api refresh token v1", b"perennial form token v1"] {
        let other = Forge { key: key(&app, label), ..Forge::of(&app, &client) };
        forged.push(other.sign(&other.header, &other.claims));
    }
    let underived = Forge { key: app.keys().as_bytes().to_owned(), ..Forge::of(&app, &client) };
    forged.push(underived.sign(&underived.header, &underived.claims));
    let longer = Hmac::<Sha512>::new_from_slice(&forge.key).unwrap().chain_update(&unsigned).finalize().into_bytes();
    forged.push(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(longer)));
    forged.push(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(&unsigned))));
    forged.push(client.access.to_uppercase());
    forged.push(format!("{}=", client.access));
    forged.push(client.access.replace('.', ". "));
    for token in forged {
        let answer = client.with_token(Method::GET, "/api/protected", &token).await;
        assert_eq!(refusal(&answer), refused(401, "token-invalid"), "{token}");
    }
    // Nor does the API's key sign one of the pages, whatever audience it names.
    let mut claims = forge.claims.clone();
    claims["aud"] = claims["iss"].clone();
    for claims in [&claims, &forge.claims] {
        let cookie = format!("access_token={}", forge.sign(&forge.header, claims));
        assert!(!app.browser().with_header("cookie", cookie).is_signed_in().await);
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_refresh_token_with_any_character_changed_ends_nothing() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    app.advance(time::Duration::minutes(20));
    let good = client.refresh.clone();
    // The last character before the padding holds two bits that say nothing.
    for at in 0..good.len() - 2 {
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut bent = good.clone();
        bent.replace_range(at..=at, other);
        for bent in [bent, good[..at].to_owned()] {
            let answer = client.with_token(Method::POST, "/api/refresh", &bent).await;
            let expected = if bent.is_empty() { "token-missing" } else { "token-invalid" };
            assert_eq!(refusal(&answer), refused(401, expected), "{bent}");
        }
    }
    assert_eq!(client.exchange().await.status, 200);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0, "a forgery is no replay");
}
