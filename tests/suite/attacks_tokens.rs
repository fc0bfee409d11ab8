//! Access tokens that somebody forged, bent or took from elsewhere; and each kind of token in the place of each other.

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use perennial::Clock;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use time::Duration;

use crate::support::{Browser, NAME, TestApp};

/// An access token taken apart, with the key that signed it: what a thief of the key could make of it.
///
/// Everything here is signed as it should be. What is refused is refused for what it says, and would open the dashboard
/// without the one check that it is about.
struct Forge {
    header: Value,
    claims: Value,
    key: Vec<u8>,
}

impl Forge {
    fn of(app: &TestApp, browser: &Browser) -> Self {
        let token = browser.cookie("access_token");
        let parts: Vec<_> = token.split('.').collect();
        let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let mut key = vec![0; 32];
        let secret = Hkdf::<Sha256>::new(None, app.keys().as_bytes());
        secret.expand(b"perennial access token v1", &mut key).unwrap();
        Self { header: read(parts[0]), claims: read(parts[1]), key }
    }

    /// Makes a token of any header and claims, with a signature that is good.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = Hmac::<Sha256>::new_from_slice(&self.key).unwrap().chain_update(&message).finalize();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.into_bytes()))
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        self.sign(&with(&self.header, name, value), &self.claims)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        self.with_claims(&[(name, value)])
    }

    fn with_claims(&self, pairs: &[(&str, Value)]) -> String {
        let claims = pairs.iter().fold(self.claims.clone(), |claims, (name, value)| with(&claims, name, value.clone()));
        self.sign(&self.header, &claims)
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let write = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", write(header), write(claims))
}

/// Returns a copy of an object with one member changed, or taken out where `value` is `Null`.
fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    match value {
        Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
        value => object[name] = value,
    }
    object
}

/// Asserts that none of these tokens opens anything.
async fn assert_all_refused(app: &TestApp, forged: Vec<(String, String)>) {
    let mut opened = Vec::new();
    for (what, token) in forged {
        if opens(app, &token).await {
            opened.push(what);
        }
    }
    assert_eq!(opened, [""; 0]);
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
    let Forge { header, claims, .. } = Forge::of(&app, &browser);
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
async fn what_is_forged_here_is_signed_well_enough_to_open_the_dashboard() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let forge = Forge::of(&app, &browser);
    assert_eq!(forge.sign(&forge.header, &forge.claims).split('.').count(), 3);
    assert!(opens(&app, &forge.with_claim("jti", json!("another"))).await);
    assert!(opens(&app, &forge.with_header("x5t", json!("nobody asks"))).await, "a parameter that nothing turns on");
    // What a token says beside its claims is believed nothing.
    let boasting = forge.with_claims(&[("role", json!("root")), ("full_name", json!("Mallory"))]);
    let answer = app.browser().with_header("cookie", format!("access_token={boasting}")).get("/dashboard").await;
    assert!(answer.status == StatusCode::OK && answer.says(NAME) && !answer.says("Mallory"));
}

#[actix_web::test]
async fn a_header_that_asks_for_another_algorithm_key_or_type_opens_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let forge = Forge::of(&app, &browser);
    let mut forged = Vec::new();
    for algorithm in ["none", "None", "nOnE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ""] {
        let header = with(&forge.header, "alg", json!(algorithm));
        let (message, signed) = (message(&header, &forge.claims), forge.sign(&header, &forge.claims));
        forged.push((format!("alg {algorithm}, signed with HS256"), signed));
        forged.push((format!("alg {algorithm}, unsigned"), format!("{message}.")));
        forged.push((format!("alg {algorithm}, without a third part"), message));
    }
    // Signed as they say, with our key.
    let message_of = |algorithm| message(&with(&forge.header, "alg", json!(algorithm)), &forge.claims);
    let (longer, longest) = (message_of("HS384"), message_of("HS512"));
    let mac = Hmac::<Sha384>::new_from_slice(&forge.key).unwrap().chain_update(&longer).finalize();
    forged.push(("HS384".to_owned(), format!("{longer}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))));
    let mac = Hmac::<Sha512>::new_from_slice(&forge.key).unwrap().chain_update(&longest).finalize();
    forged.push(("HS512".to_owned(), format!("{longest}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))));
    for kid in [json!("x"), json!("../../dev/null"), json!("' OR 1=1 --"), json!(""), json!(7), json!([]), Value::Null]
    {
        forged.push((format!("kid {kid}"), forge.with_header("kid", kid)));
    }
    for typ in [json!("JWT"), json!("AT+JWT"), json!("application/at+jwt"), json!(""), json!(1), Value::Null] {
        forged.push((format!("typ {typ}"), forge.with_header("typ", typ)));
    }
    for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
        forged.push((format!("crit {crit}"), forge.with_header("crit", crit)));
    }
    forged.push(("b64".to_owned(), forge.with_header("b64", json!(false))));
    // Keys that come along: the attacker's own, which signs.
    let attacker = Forge { key: vec![7; 32], ..Forge::of(&app, &browser) };
    let own = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32])});
    for (name, value) in
        [("jwk", own), ("jku", json!("https://evil.example/keys")), ("x5u", json!("https://evil.example"))]
    {
        forged.push((format!("{name}, signed with the key that it brings"), attacker.with_header(name, value)));
    }
    // The secret itself, and keys of other purposes.
    for label in [&b"perennial refresh cookie v1"[..], b"perennial form cookie v1", b"perennial form token v1"] {
        let mut key = vec![0; 32];
        Hkdf::<Sha256>::new(None, app.keys().as_bytes()).expand(label, &mut key).unwrap();
        let other = Forge { key, ..Forge::of(&app, &browser) };
        forged.push((String::from_utf8_lossy(label).into_owned(), other.sign(&other.header, &other.claims)));
    }
    let underived = Forge { key: app.keys().as_bytes().to_owned(), ..Forge::of(&app, &browser) };
    forged.push(("the secret as it is".to_owned(), underived.sign(&underived.header, &underived.claims)));
    assert_all_refused(&app, forged).await;
    assert!(opens(&app, &browser.cookie("access_token")).await);
}

#[actix_web::test]
async fn every_claim_must_be_there_and_say_what_we_would_say() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let forge = Forge::of(&app, &browser);
    let now = app.clock.now().unix_timestamp();
    let mut forged = Vec::new();
    for name in ["iss", "aud", "sub", "sid", "iat", "exp", "jti", "auth_time"] {
        forged.push((format!("without {name}"), forge.with_claim(name, Value::Null)));
    }
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("")),
        ("iss", json!("http://localhost:8080/")),
        ("iss", json!(["http://localhost:8080"])),
        ("aud", json!("https://evil.example")),
        ("aud", json!("http://localhost:8080/api")),
        ("aud", json!(["http://localhost:8080"])),
        ("aud", json!([])),
        ("sub", json!(1)),
        ("sub", json!("admin")),
        ("sub", json!("")),
        ("sid", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("sid", json!("")),
        ("sid", json!("' OR 1=1 --")),
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(-1)),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!(now as f64 + 900.5)),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(now + 6)),
        ("iat", json!(-1)),
        ("iat", json!(now.to_string())),
        ("iat", json!(now as f64 + 0.5)),
        ("nbf", json!(now + 6)),
        ("nbf", json!(now + 600)),
        ("nbf", json!(now.to_string())),
        ("nbf", json!(-1)),
        ("auth_time", json!(now.to_string())),
    ] {
        forged.push((format!("{name} {value}"), forge.with_claim(name, value)));
    }
    assert_all_refused(&app, forged).await;
    assert!(opens(&app, &forge.with_claim("nbf", json!(now + 5))).await, "the leeway of clocks");
    assert!(opens(&app, &browser.cookie("access_token")).await);
}

#[actix_web::test]
async fn an_access_token_opens_the_session_of_its_own_user_alone() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let mallory = app.browser();
    let fields = [("full_name", "Mallory"), ("email", "mallory@example.org"), ("password", "quite another password")];
    assert_eq!(mallory.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    let (of_ada, of_mallory) = (Forge::of(&app, &ada), Forge::of(&app, &mallory));
    assert_eq!((&of_ada.claims["sub"], &of_mallory.claims["sub"]), (&json!("1"), &json!("2")));
    let forged = vec![
        ("another user's number".to_owned(), of_ada.with_claim("sub", json!("2"))),
        ("nobody's number".to_owned(), of_ada.with_claim("sub", json!("3"))),
        ("another user's session".to_owned(), of_mallory.with_claim("sid", of_ada.claims["sid"].clone())),
    ];
    assert_all_refused(&app, forged).await;
    assert!(opens(&app, &of_mallory.with_claim("jti", json!("another"))).await);
    // A session that is over stays so, whatever its token says.
    ada.sign_out().await;
    assert!(!opens(&app, &of_ada.with_claim("jti", json!("another"))).await);
}

#[actix_web::test]
async fn an_access_token_lives_for_no_longer_than_one_is_issued_for() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let forge = Forge::of(&app, &browser);
    let now = app.clock.now().unix_timestamp();
    let lives = |from: i64, seconds: i64| forge.with_claims(&[("iat", json!(from)), ("exp", json!(from + seconds))]);
    assert!(opens(&app, &lives(now, 905)).await, "the access life, and the leeway of clocks");
    let forged = [(now, 906), (now - 600, 1506), (now, 86_400), (now + 5, 906), (0, 4_000_000_000)];
    let forged = forged.map(|(from, seconds)| (format!("{seconds} s from {from}"), lives(from, seconds)));
    assert_all_refused(&app, forged.into()).await;
    // One that was issued before the access life was shortened is set aside too, and costs nobody their sign-in.
    let app = app.restart_with(|arguments| arguments.access_token_ttl = Some("1m".to_owned())).await;
    assert!(!opens(&app, &browser.cookie("access_token")).await);
    let mut again = browser.clone();
    again.connect(&app);
    assert!(again.is_signed_in().await);
    assert!(opens(&app, &again.cookie("access_token")).await);
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
