use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING};
use ring::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use serde_json::{Value, json};
use time::Duration;

use super::*;
use crate::crypto::key_state::tests::{ring, say};

const ENTERED: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

fn proofs(letters: &str) -> (DeviceProofs, KeyState) {
    let (keys, state) = ring(letters);
    (DeviceProofs::new(&keys, &state), state)
}

fn session(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 16])
}

fn renewal(byte: u8, generation: i64) -> Challenge {
    Challenge::Renewal { session: session(byte), generation }
}

fn registration(generation: i64, authenticated_at: OffsetDateTime) -> Challenge {
    Challenge::Registration { session: session(1), generation, authenticated_at }
}

/// A device with a key of its own.
struct Device(EcdsaKeyPair);

impl Device {
    fn new(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.0.public_key().as_ref()[1..].try_into().unwrap())
    }

    fn jwk(&self, curve: &str) -> Value {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn p256() -> Device {
    Device::new(&ECDSA_P256_SHA256_FIXED_SIGNING)
}

fn header() -> Value {
    json!({ "typ": "dbsc+jwt", "alg": "ES256" })
}

#[test]
fn a_challenge_is_good_for_one_thing_alone() {
    let (proofs, _) = proofs("ab");
    let given = registration(0, ENTERED);
    let text = p256().sign(&header(), &json!({ "jti": proofs.challenge(given).unwrap() }));
    let proof = UnverifiedProof::read(&text).unwrap();
    assert!(proofs.answers(&proof, given));
    let other = Challenge::Registration { session: session(2), generation: 0, authenticated_at: ENTERED };
    let later = registration(0, ENTERED + Duration::SECOND);
    for other in [other, later, registration(1, ENTERED), renewal(1, 0), renewal(2, 0)] {
        assert!(!proofs.answers(&proof, other), "{other:?}");
    }
    for jti in ["", "A", "not base64!", "renewal", &"A".repeat(43)] {
        let text = p256().sign(&header(), &json!({ "jti": jti }));
        assert!(!proofs.answers(&UnverifiedProof::read(&text).unwrap(), given), "{jti}");
    }
}

#[test]
fn a_challenge_survives_a_change_of_keys_and_not_the_end_of_its_own() {
    let (old, _) = proofs("a");
    let text = p256().sign(&header(), &json!({ "jti": old.challenge(renewal(1, 7)).unwrap() }));
    let proof = UnverifiedProof::read(&text).unwrap();
    let (both, state) = proofs("ba");
    assert!(both.answers(&proof, renewal(1, 7)) && !proofs("b").0.answers(&proof, renewal(1, 7)));
    say(&state, "b", "a");
    assert!(!both.answers(&proof, renewal(1, 7)));
    say(&state, "c", "a");
    assert_eq!(both.challenge(renewal(1, 7)), Err(NoSigningKey));
}

#[test]
fn a_proof_is_verified_by_the_key_of_the_row_and_by_no_other() {
    let (proofs, _) = proofs("a");
    let (device, thief) = (p256(), p256());
    let claims = json!({ "jti": proofs.challenge(renewal(1, 7)).unwrap() });
    let text = device.sign(&header(), &claims);
    let proof = UnverifiedProof::read(&text).unwrap();
    assert_eq!(proofs.verify(&proof, &device.key()), Ok(()));
    assert_eq!(proofs.verify(&proof, &thief.key()), Err(InvalidProof::Signature));
    let mut brought = header();
    brought["jwk"] = thief.jwk("P-256");
    let text = thief.sign(&brought, &claims);
    assert_eq!(
        proofs.verify(&UnverifiedProof::read(&text).unwrap(), &device.key()),
        Err(InvalidProof::Signature),
        "a key in the header counts for nothing"
    );
    let forged = text.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap();
    assert!(proofs.verify(&UnverifiedProof::read(&forged).unwrap(), &thief.key()).is_err());
    let off_curve = DeviceKey::from_bytes([7; 64]);
    assert!(
        proofs.verify(&proof, &off_curve).is_err() && proofs.verify(&proof, &DeviceKey::from_bytes([0; 64])).is_err()
    );
}

#[test]
fn another_form_algorithm_or_type_is_refused_before_any_signature() {
    let claims = json!({ "jti": "x" });
    let refused = |header: Value| UnverifiedProof::read(&p256().sign(&header, &claims)).map(|_| ()).unwrap_err();
    for alg in ["HS256", "RS256", "ES384", "EdDSA"] {
        assert_eq!(refused(json!({ "typ": "dbsc+jwt", "alg": alg })), InvalidProof::Algorithm, "{alg}");
    }
    assert!(matches!(refused(json!({ "typ": "dbsc+jwt", "alg": "none" })), InvalidProof::Malformed(_)));
    for typ in ["JWT", "at+jwt", "DBSC+JWT", ""] {
        assert_eq!(refused(json!({ "typ": typ, "alg": "ES256" })), InvalidProof::Type, "{typ}");
    }
    assert_eq!(refused(json!({ "alg": "ES256" })), InvalidProof::Type);
    assert_eq!(refused(json!({ "typ": "dbsc+jwt", "alg": "ES256", "crit": ["b64"] })), InvalidProof::Critical);
    assert_eq!(UnverifiedProof::read(&"a".repeat(4097)).map(|_| ()), Err(InvalidProof::Oversized));
    for text in ["", ".", "a.b.c", "..", &p256().sign(&header(), &json!({})), &p256().sign(&header(), &json!([]))] {
        assert!(matches!(UnverifiedProof::read(text), Err(InvalidProof::Malformed(_))), "{text}");
    }
}

#[test]
fn a_registration_brings_a_point_on_p256_or_nothing() {
    let device = p256();
    let key = |jwk: Value| {
        let mut header = header();
        header["jwk"] = jwk;
        let text = device.sign(&header, &json!({ "jti": "x", "authorization": "y" }));
        let proof = UnverifiedProof::read(&text)?;
        assert_eq!(proof.authorization(), Some("y"));
        proof.registered_key()
    };
    assert_eq!(key(device.jwk("P-256")), Ok(device.key()));
    assert_eq!(key(device.jwk("P-384")), Err(InvalidProof::Key));
    let large = Device::new(&ECDSA_P384_SHA384_FIXED_SIGNING);
    for curve in ["P-256", "P-384"] {
        assert_eq!(key(large.jwk(curve)), Err(InvalidProof::Key), "{curve}");
    }
    let short = json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" });
    let secret = json!({ "kty": "oct", "k": "AAAA" });
    assert_eq!((key(short), key(secret)), (Err(InvalidProof::Key), Err(InvalidProof::Key)));
    let none = device.sign(&header(), &json!({ "jti": "x" }));
    assert_eq!(UnverifiedProof::read(&none).unwrap().registered_key(), Err(InvalidProof::Key));
}
