use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::crypto::key_state::tests::{ring, say};
use crate::domain::id::{SessionId, UserId};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const ISSUER: &str = "https://example.org";

fn tokens_of(letters: &str) -> (AccessTokens, KeyState) {
    let (keys, state) = ring(letters);
    (AccessTokens::new(&keys, &state, ISSUER, Duration::minutes(15)), state)
}

fn tokens() -> AccessTokens {
    tokens_of("a").0
}

fn token() -> AccessToken {
    AccessToken {
        audience: Audience::Pages,
        user: UserId(42),
        session: SessionId::from_bytes([3; 16]),
        issued_at: NOW,
        expires_at: NOW + Duration::minutes(15),
        authenticated_at: NOW - Duration::hours(1),
    }
}

/// Signs any header and claims with the true key, as nobody but us could: what is refused here is refused on its merits.
fn forge(header: Value, claims: Value) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let tokens = tokens();
    let key = &tokens.keys.signing().unwrap().signing;
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "HS256", "kid": ring("a").1.ids()[0].to_string()})
}

fn claims() -> Value {
    let now = NOW.unix_timestamp();
    json!({"iss": ISSUER, "aud": ISSUER, "sub": "42", "sid": token().session.to_string(), "iat": now, "exp": now + 900,
        "jti": "x", "auth_time": now - 3600})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn verify(text: &str) -> Result<AccessToken, Refusal> {
    tokens().verify(text, NOW)
}

#[test]
fn what_was_issued_verifies_and_nothing_else_is_in_it() {
    let text = tokens().issue(&token()).unwrap();
    assert_eq!(verify(&text), Ok(token()));
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "auth_time", "exp", "iat", "iss", "jti", "sid", "sub"]);
    assert_ne!(tokens().issue(&token()).unwrap(), text, "jti makes each token its own");
}

#[test]
fn the_forgery_helper_makes_good_tokens() {
    assert_eq!(verify(&forge(header(), claims())), Ok(token()));
}

#[test]
fn other_algorithms_are_refused() {
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"] {
        assert!(verify(&forge(with(header(), "alg", json!(algorithm)), claims())).is_err(), "{algorithm}");
    }
    let good = forge(with(header(), "alg", json!("none")), claims());
    let unsigned = good.rsplit_once('.').unwrap().0;
    assert!(verify(&format!("{unsigned}.")).is_err());
    assert!(verify(unsigned).is_err());
}

#[test]
fn another_type_is_refused() {
    for header in
        [without(header(), "typ"), with(header(), "typ", json!("JWT")), with(header(), "typ", json!("AT+JWT"))]
    {
        assert_eq!(verify(&forge(header, claims())), Err(Refusal::Type));
    }
}

#[test]
fn a_key_is_found_by_a_known_id_alone() {
    for kid in [json!("unknown"), json!("../../../dev/null"), json!(""), json!("' OR 1=1 --")] {
        assert_eq!(verify(&forge(with(header(), "kid", kid), claims())), Err(Refusal::UnknownKey));
    }
    assert_eq!(verify(&forge(without(header(), "kid"), claims())), Err(Refusal::UnknownKey));
    assert!(verify(&forge(with(header(), "kid", json!(1)), claims())).is_err());
    // A key sent along is not looked at: the one of the ring decides.
    let own_key = with(header(), "jwk", json!({"kty": "oct", "k": "AAAA"}));
    let message = forge(own_key, claims()).rsplit_once('.').unwrap().0.to_owned();
    let foreign = EncodingKey::from_secret(&[0, 0, 0]);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &foreign, Algorithm::HS256).unwrap();
    assert!(verify(&format!("{message}.{signature}")).is_err());
}

#[test]
fn critical_parameters_are_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
        assert_eq!(verify(&forge(with(header(), "crit", crit), claims())), Err(Refusal::Critical));
    }
    assert_eq!(verify(&forge(with(header(), "b64", json!(false)), claims())), Err(Refusal::Critical));
}

#[test]
fn another_issuer_or_audience_is_refused() {
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("")),
        ("aud", json!("https://example.org/api")),
        ("aud", json!([])),
    ] {
        assert!(verify(&forge(header(), with(claims(), name, value))).is_err(), "{name}");
    }
}

#[test]
fn every_claim_is_required() {
    for name in ["iss", "aud", "sub", "sid", "iat", "exp", "jti", "auth_time"] {
        assert!(verify(&forge(header(), without(claims(), name))).is_err(), "{name}");
    }
}

#[test]
fn times_must_be_whole_seconds() {
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for value in [
            json!("1772366400"),
            json!(1_772_366_400.5),
            json!(-1),
            json!(18_446_744_073_709_551_615_u64),
            json!(1e300),
        ] {
            assert!(verify(&forge(header(), with(claims(), name, value.clone()))).is_err(), "{name} {value}");
        }
    }
}

#[test]
fn expiry_has_no_leeway_and_the_future_five_seconds() {
    let now = NOW.unix_timestamp();
    assert!(verify(&forge(header(), with(claims(), "exp", json!(now + 1)))).is_ok());
    assert_eq!(verify(&forge(header(), with(claims(), "exp", json!(now)))), Err(Refusal::Time));
    for name in ["iat", "nbf"] {
        assert!(verify(&forge(header(), with(claims(), name, json!(now + 5)))).is_ok(), "{name}");
        assert_eq!(verify(&forge(header(), with(claims(), name, json!(now + 6)))), Err(Refusal::Time), "{name}");
    }
}

#[test]
fn a_life_beyond_that_of_an_access_token_is_refused() {
    let now = NOW.unix_timestamp();
    let issued = |ago: i64, lives: i64| {
        let claims = with(with(claims(), "iat", json!(now - ago)), "exp", json!(now - ago + lives));
        verify(&forge(header(), claims))
    };
    for ago in [0, 600, -5] {
        assert!(issued(ago, 905).is_ok(), "{ago}");
        assert_eq!(issued(ago, 906), Err(Refusal::Life), "{ago}");
    }
    assert_eq!(issued(0, 86_400 * 365), Err(Refusal::Life));
    // A later `nbf` makes no longer life good.
    let late = with(with(claims(), "exp", json!(now + 903)), "iat", json!(now - 10));
    assert_eq!(verify(&forge(header(), with(late, "nbf", json!(now)))), Err(Refusal::Life));
}

#[test]
fn subjects_and_sessions_must_be_ours() {
    for (name, value) in [("sub", json!("admin")), ("sub", json!(42)), ("sid", json!("short")), ("sid", json!(null))] {
        assert!(verify(&forge(header(), with(claims(), name, value))).is_err(), "{name}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let good = tokens().issue(&token()).unwrap();
    for index in 0..good.len() {
        for bit in 0..7 {
            let mut bytes = good.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert!(verify(&flipped).is_err(), "{flipped}");
            }
        }
    }
}

#[test]
fn other_serialisations_and_sizes_are_refused() {
    let good = tokens().issue(&token()).unwrap();
    let parts: Vec<_> = good.split('.').collect();
    let json = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    for text in [
        "",
        ".",
        "..",
        "...",
        json.as_str(),
        &format!("{good}."),
        &format!("{good}="),
        &format!(" {good}"),
        &"a.".repeat(1000),
    ] {
        assert!(verify(text).is_err(), "{text}");
    }
    assert_eq!(verify(&"x".repeat(8192)), Err(Refusal::Oversized));
}

#[test]
fn a_new_key_in_front_keeps_old_tokens_and_a_key_taken_away_refuses_them() {
    let text = tokens().issue(&token()).unwrap();
    let verified = |letters: &str| tokens_of(letters).0.verify(&text, NOW);
    assert_eq!(verified("ba"), Ok(token()));
    assert_eq!(verified("b"), Err(Refusal::UnknownKey));
}

#[test]
fn the_key_that_the_database_names_signs_and_a_dropped_one_opens_nothing() {
    let (tokens, state) = tokens_of("ba");
    let key_of = |text: &str| jsonwebtoken::decode_header(text).unwrap().kid.unwrap();
    let signed_with_b = tokens.issue(&token()).unwrap();
    assert_eq!(key_of(&signed_with_b), state.ids()[0].to_string());
    say(&state, "a", "");
    let signed_with_a = tokens.issue(&token()).unwrap();
    assert_eq!(key_of(&signed_with_a), state.ids()[1].to_string());
    assert!(tokens.verify(&signed_with_b, NOW).is_ok() && tokens.verify(&signed_with_a, NOW).is_ok());

    say(&state, "b", "a");
    assert_eq!(tokens.verify(&signed_with_a, NOW), Err(Refusal::UnknownKey));
    assert_eq!(tokens.verify(&signed_with_b, NOW), Ok(token()));
    say(&state, "c", "a");
    assert!(matches!(tokens.issue(&token()), Err(IssueError::Key(NoSigningKey))));
    assert_eq!(tokens.verify(&signed_with_b, NOW), Ok(token()), "what was signed stays good");
}
