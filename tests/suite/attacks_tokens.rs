//! Access tokens that somebody forged, bent or took from elsewhere; and each kind of token in the place of each other.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Browser, TestApp};

/// An access token taken apart.
struct Parts {
    header: Value,
    claims: Value,
    signature: String,
}

impl Parts {
    fn of(browser: &Browser) -> Self {
        let token = browser.cookie("access_token");
        let parts: Vec<_> = token.split('.').collect();
        let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        Self { header: read(parts[0]), claims: read(parts[1]), signature: parts[2].to_owned() }
    }

    /// Puts a token together again, with one member of its header and one of its claims changed.
    fn with(&self, header: (&str, Value), claim: (&str, Value)) -> String {
        let (mut headers, mut claims) = (self.header.clone(), self.claims.clone());
        headers[header.0] = header.1;
        claims[claim.0] = claim.1;
        let write = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", write(&headers), write(&claims), self.signature)
    }
}

/// Tells whether an access token alone opens the dashboard.
async fn opens(app: &TestApp, token: &str) -> bool {
    let answer = app.browser().with_header("cookie", format!("access_token={token}")).get("/dashboard").await;
    if answer.status == StatusCode::OK {
        return true;
    }
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"), "{token}");
    assert!(answer.set().iter().all(|name| name == "form"), "{token}");
    false
}

#[actix_web::test]
async fn an_access_token_says_what_it_is_and_nothing_personal() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let Parts { header, claims, .. } = Parts::of(&browser);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
    assert!(header["kid"].as_str().is_some_and(|kid| !kid.is_empty()));
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "auth_time", "exp", "iat", "iss", "jti", "sid", "sub"]);
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("http://localhost:8080"), &json!("1")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(claims["sid"], json!(app.rows().text("SELECT id FROM sessions")));
}

#[actix_web::test]
async fn an_access_token_that_was_changed_in_any_way_opens_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let parts = Parts::of(&browser);
    let (alg, sub) = (("alg", json!("HS256")), ("sub", json!("1")));
    let mut forged = Vec::new();
    for algorithm in ["none", "None", "nOnE", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""] {
        forged.push(parts.with(("alg", json!(algorithm)), sub.clone()));
        let unsigned = parts.with(("alg", json!(algorithm)), sub.clone());
        forged.push(unsigned[..=unsigned.rfind('.').unwrap()].to_owned());
    }
    for kid in [json!("x"), json!("../../dev/null"), json!("' OR 1=1 --"), json!(""), json!(null), json!(7)] {
        forged.push(parts.with(("kid", kid), sub.clone()));
    }
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example/keys")),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
    ] {
        forged.push(parts.with((name, value), sub.clone()));
    }
    for (name, value) in [
        ("sub", json!("2")),
        ("sub", json!(1)),
        ("sid", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("exp", json!(4_000_000_000_u64)),
        ("exp", json!(-1)),
        ("exp", json!("4000000000")),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("iss", json!("https://evil.example")),
        ("aud", json!(["http://localhost:8080"])),
        ("role", json!("admin")),
    ] {
        forged.push(parts.with(alg.clone(), (name, value)));
    }
    for token in forged {
        assert!(!opens(&app, &token).await, "{token}");
    }
    assert!(opens(&app, &browser.cookie("access_token")).await);
}

#[actix_web::test]
async fn an_access_token_with_any_character_changed_opens_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let good = browser.cookie("access_token");
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bytes).unwrap();
        assert!(!opens(&app, &bent).await, "{bent}");
    }
    for bent in
        [format!("{good}="), format!("{good}."), format!(".{good}"), good.replacen('.', "..", 1), good.to_lowercase()]
    {
        assert!(!opens(&app, &bent).await, "{bent}");
    }
}

#[actix_web::test]
async fn an_access_token_of_another_installation_or_another_origin_opens_nothing() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let other_key =
        TestApp::with(|arguments| arguments.jwt_secret_key = Some("a key of quite another installation".to_owned()))
            .await;
    let other_origin = TestApp::with(|arguments| arguments.public_url = Some("http://localhost:9090".to_owned())).await;
    for other in [other_key, other_origin] {
        let stranger = other.signed_in().await;
        other.rows().execute("DELETE FROM auth_events");
        assert!(!opens(&app, &stranger.cookie("access_token")).await);
    }
}

#[actix_web::test]
async fn no_kind_of_token_stands_for_another() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let stranger = app.browser();
    let stranger_token = stranger.token("/login", "/login").await;
    let tokens = [
        ("access token", browser.cookie("access_token")),
        ("refresh token", browser.cookie("keep_signed_in")),
        ("form cookie", stranger.cookie("form")),
        ("form token", browser.token("/dashboard", "/logout").await),
        ("form token of a signed-out page", stranger_token),
    ];
    for (kind, token) in &tokens {
        for (place, cookie) in [("access token", "access_token"), ("refresh token", "keep_signed_in")] {
            if kind == &place {
                continue;
            }
            let answer = app.browser().with_header("cookie", format!("{cookie}={token}")).get("/dashboard").await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "a {kind} as {place}");
        }
        if *kind != "form token" {
            let answer = browser.post("/logout", &[("form_token", token)]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "a {kind} as form token");
        }
        if *kind != "form cookie" {
            let planted = app.browser().with_header("cookie", format!("form={token}"));
            let fields = [("email", "a@b.cd"), ("password", "x"), ("form_token", tokens[4].1.as_str())];
            assert_eq!(planted.post("/login", &fields).await.status, StatusCode::FORBIDDEN, "a {kind} as form cookie");
        }
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn tokens_swapped_between_their_cookies_open_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let swapped = app.browser();
    swapped.put("access_token", &browser.cookie("keep_signed_in"));
    swapped.put("keep_signed_in", &browser.cookie("access_token"));
    assert!(!swapped.is_signed_in().await);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_token_in_a_header_or_a_query_opens_no_page() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let (access, refresh) = (browser.cookie("access_token"), browser.cookie("keep_signed_in"));
    for token in [&access, &refresh] {
        let bearer = app.browser().with_header("authorization", format!("Bearer {token}"));
        assert!(!bearer.is_signed_in().await);
        let query: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let answer = app.browser().get(&format!("/dashboard?access_token={query}&keep_signed_in={query}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
}

#[actix_web::test]
async fn an_access_token_lives_no_longer_than_its_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24) - Duration::minutes(1));
    assert!(browser.is_signed_in().await);
    app.advance(Duration::minutes(1));
    assert!(!opens(&app, &browser.cookie("access_token")).await);
}
