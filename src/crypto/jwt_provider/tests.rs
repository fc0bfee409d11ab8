use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{sign, verify};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Header, Validation, decode, encode};
use serde_json::{Value, json};

use super::*;
use keys::{ALGORITHMS, bytes, der, ed25519_jwk, jwk, p256_jwk, rsa_jwk};

mod keys;

fn keys(algorithm: Algorithm) -> (EncodingKey, Vec<DecodingKey>) {
    install();
    keys::pair(algorithm)
}

fn verifying(algorithm: Algorithm) -> DecodingKey {
    keys(algorithm).1.swap_remove(0)
}

fn verifies(signature: &str, message: &str, key: &DecodingKey, algorithm: Algorithm) -> bool {
    verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false)
}

fn validation(algorithms: &[Algorithm]) -> Validation {
    let algorithms = algorithms.to_vec();
    let mut validation = Validation { algorithms, validate_exp: false, ..Validation::default() };
    validation.required_spec_claims.clear();
    validation
}

#[test]
fn the_signatures_of_the_standards_and_of_openssl_verify() {
    let joe = |header: &str| format!("{header}.{}", keys::JOE);
    let ed25519 = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned();
    let openssl = keys::OPENSSL.to_owned();
    for (algorithm, message, signature, deterministic) in [
        (Algorithm::HS256, joe("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"), keys::HS256, true),
        (Algorithm::RS256, joe("eyJhbGciOiJSUzI1NiJ9"), keys::RS256, true),
        (Algorithm::ES256, joe("eyJhbGciOiJFUzI1NiJ9"), keys::ES256, false),
        (Algorithm::EdDSA, ed25519, keys::EDDSA, true),
        (Algorithm::ES384, openssl.clone(), keys::ES384, false),
        (Algorithm::PS256, openssl, keys::PS256, false),
    ] {
        let (signing, verifying) = keys(algorithm);
        for (form, key) in verifying.iter().enumerate() {
            assert!(verifies(signature, &message, key, algorithm), "{algorithm:?}, form {form}");
        }
        let ours = sign(message.as_bytes(), &signing, algorithm).unwrap();
        assert_eq!(ours == signature, deterministic, "{algorithm:?}");
        assert_eq!(bytes(&ours).len(), bytes(signature).len(), "{algorithm:?}");
    }
}

#[test]
fn every_algorithm_round_trips_through_a_token() {
    let claims = json!({"sub": "joe"});
    for algorithm in ALGORITHMS {
        let (signing, verifying) = keys(algorithm);
        let token = encode(&Header::new(algorithm), &claims, &signing).unwrap();
        for (form, key) in verifying.iter().enumerate() {
            let read = decode::<Value>(&token, key, &validation(&[algorithm])).unwrap();
            assert_eq!((read.header.alg, read.claims), (algorithm, claims.clone()), "form {form}");
        }
    }
}

#[test]
fn a_signature_holds_for_one_algorithm_alone_and_a_key_for_one_family_alone() {
    for algorithm in ALGORITHMS {
        let signature = sign(b"message", &keys(algorithm).0, algorithm).unwrap();
        for other in ALGORITHMS.into_iter().filter(|other| *other != algorithm) {
            let (signing, verifying) = keys(other);
            for key in &verifying {
                assert!(!verifies(&signature, "message", key, other), "{algorithm:?} as {other:?}");
            }
            if algorithm.family() != other.family() {
                let refused = ErrorKind::InvalidKeyFormat;
                assert_eq!(sign(b"message", &signing, algorithm).unwrap_err().into_kind(), refused);
                for key in &verifying {
                    let error = verify(&signature, b"message", key, algorithm).unwrap_err();
                    assert_eq!(error.into_kind(), refused, "{algorithm:?} with a key for {other:?}");
                }
            }
        }
    }
}

#[test]
fn a_signature_cut_stretched_or_changed_is_refused() {
    for algorithm in ALGORITHMS {
        let (signing, key) = (keys(algorithm).0, verifying(algorithm));
        let encoded = sign(b"message", &signing, algorithm).unwrap();
        assert!(verifies(&encoded, "message", &key, algorithm) && !verifies(&encoded, "massage", &key, algorithm));
        let signature = bytes(&encoded);
        let end = signature.len() - 1;
        let changed = |at: usize| {
            let mut signature = signature.clone();
            signature[at] ^= 1;
            signature
        };
        for wrong in [
            vec![],
            signature[..end].to_vec(),
            signature[1..].to_vec(),
            signature[..=end / 2].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            [&signature[..], &signature[..]].concat(),
            vec![0; signature.len()],
            vec![0xff; signature.len()],
            changed(0),
            changed(end),
        ] {
            assert!(!verifies(&URL_SAFE_NO_PAD.encode(&wrong), "message", &key, algorithm), "{algorithm:?} {wrong:?}");
        }
    }
}

#[test]
fn an_ecdsa_signature_in_der_and_a_pss_signature_with_another_salt_are_refused() {
    let raw = bytes(keys::ES256);
    // As ASN.1 has it: a SEQUENCE of two INTEGERs, the second with a zero byte so that it stays positive.
    let asn1 = [&[0x30, 69, 2, 32], &raw[..32], &[2, 33, 0], &raw[32..]].concat();
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{}", keys::JOE);
    let point = &der(keys::P256_SPKI)[26..];
    assert!(
        signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
            .verify(message.as_bytes(), &asn1)
            .is_ok()
    );
    assert!(!verifies(&URL_SAFE_NO_PAD.encode(asn1), &message, &verifying(Algorithm::ES256), Algorithm::ES256));
    assert!(!verifies(keys::PS256_SHORT_SALT, keys::OPENSSL, &verifying(Algorithm::PS256), Algorithm::PS256));
}

/// Algorithm confusion (RFC 8725 section 2.1): a token signed with the public key as if that were a secret.
#[test]
fn a_public_key_is_never_a_secret() {
    for hmac in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for asymmetric in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            for key in keys(asymmetric).1 {
                let public = match key.kind() {
                    DecodingKeyKind::SecretOrDer(der) => der.clone(),
                    DecodingKeyKind::RsaModulusExponent { n, .. } => n.clone(),
                };
                let forged =
                    encode(&Header::new(hmac), &json!({"sub": "mallory"}), &EncodingKey::from_secret(&public)).unwrap();
                assert!(decode::<Value>(&forged, &DecodingKey::from_secret(&public), &validation(&[hmac])).is_ok());
                // Even where an application names both families, which `Validation` says not to do.
                for allowed in [&[hmac][..], &[asymmetric], &[asymmetric, hmac]] {
                    assert!(decode::<Value>(&forged, &key, &validation(allowed)).is_err(), "{hmac:?} {asymmetric:?}");
                }
            }
        }
    }
}

#[test]
fn an_algorithm_that_nobody_here_knows_is_an_error() {
    for name in
        ["none", "None", "", "ES512", "ES256K", "Ed448", "Ed25519", "RS1", "HS1", "hs256", "RSA-OAEP", "ML-DSA-44"]
    {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": name}).to_string());
        for signature in ["", keys::HS256] {
            let token = format!("{header}.{}.{signature}", keys::JOE);
            for algorithm in ALGORITHMS {
                let (key, validation) = (verifying(algorithm), validation(&[algorithm]));
                assert!(decode::<Value>(&token, &key, &validation).is_err(), "{name}");
            }
        }
    }
    assert!(DecodingKey::from_jwk(&jwk(json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}))).is_err());
}

#[test]
fn a_key_on_another_curve_is_refused() {
    let (p256, p384) = (keys(Algorithm::ES256).0, keys(Algorithm::ES384).0);
    for (key, algorithm) in [(&p256, Algorithm::ES384), (&p384, Algorithm::ES256)] {
        assert_eq!(sign(b"message", key, algorithm).unwrap_err().into_kind(), ErrorKind::InvalidEcdsaKey);
        assert!(Jwk::from_encoding_key(key, algorithm).is_err());
    }
    for crv in ["P-521", "P-256"] {
        // RFC 7515 appendix A.4; `jsonwebtoken` does not look at `crv`.
        let key = DecodingKey::from_jwk(&jwk(json!({"kty": "EC", "crv": crv,
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"})));
        assert!(!verifies(keys::ES256, "message", &key.unwrap(), Algorithm::ES256));
    }
    let ed448 = jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 57])}));
    assert!(!verifies(keys::EDDSA, "message", &DecodingKey::from_jwk(&ed448).unwrap(), Algorithm::EdDSA));
}

#[test]
fn keys_become_the_jwks_of_the_standards() {
    let with = |mut value: Value, algorithm: Algorithm| {
        value["alg"] = json!(algorithm);
        jwk(value)
    };
    for (algorithm, expected) in [
        (Algorithm::HS256, json!({"kty": "oct", "k": keys::SECRET})),
        (Algorithm::RS512, rsa_jwk()),
        (Algorithm::PS256, rsa_jwk()),
        (Algorithm::ES256, p256_jwk()),
        (Algorithm::EdDSA, ed25519_jwk()),
    ] {
        let signing = keys(algorithm).0;
        assert_eq!(Jwk::from_encoding_key(&signing, algorithm).unwrap(), with(expected.clone(), algorithm));
        let public = verifying(algorithm);
        assert_eq!(Jwk::from_decoding_key(&public, Some(algorithm)).unwrap(), with(expected, algorithm));
    }
    let rsa = DecodingKey::from_rsa_der(&der(keys::RSA_SPKI));
    assert_eq!(Jwk::from_decoding_key(&rsa, None).unwrap(), jwk(rsa_jwk()));
    let p384 = Jwk::from_encoding_key(&keys(Algorithm::ES384).0, Algorithm::ES384).unwrap();
    assert_eq!(p384, Jwk::from_decoding_key(&verifying(Algorithm::ES384), Some(Algorithm::ES384)).unwrap());
    assert!(verifies(keys::ES384, keys::OPENSSL, &DecodingKey::from_jwk(&p384).unwrap(), Algorithm::ES384));
    assert!(Jwk::from_encoding_key(&keys(Algorithm::ES256).0, Algorithm::RS256).is_err());
    assert!(ed_component_from_private_key(&der(keys::ED25519_PKCS8), &EllipticCurve::P256).is_err());
}

#[test]
fn thumbprints_are_those_of_the_standards() {
    install();
    let rfc7638 = jwk(json!({"kty": "RSA", "n": keys::RFC7638_N, "e": "AQAB", "kid": "2011-04-29"}));
    for (key, expected) in [
        (rfc7638, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        // RFC 8037 appendix A.3.
        (jwk(ed25519_jwk()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        assert_eq!(key.thumbprint(ThumbprintHash::SHA256).unwrap(), expected);
    }
    use sha2::Digest;
    assert_eq!(compute_digest(b"abc", ThumbprintHash::SHA384).unwrap(), sha2::Sha384::digest(b"abc").as_slice());
    assert_eq!(compute_digest(b"abc", ThumbprintHash::SHA512).unwrap(), sha2::Sha512::digest(b"abc").as_slice());
}

#[test]
fn an_ed25519_key_is_read_in_both_versions_of_pkcs8() {
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    install();
    let mut key = der(keys::ED25519_PKCS8_V2);
    assert_eq!(sign(message, &EncodingKey::from_ed_der(&key), Algorithm::EdDSA).unwrap(), keys::EDDSA);
    // Version 2 carries the public half, which must match.
    *key.last_mut().unwrap() ^= 1;
    let error = sign(message, &EncodingKey::from_ed_der(&key), Algorithm::EdDSA).unwrap_err();
    assert_eq!(error.into_kind(), ErrorKind::InvalidEddsaKey);
}

#[test]
fn a_private_key_cut_or_stretched_is_an_error() {
    install();
    type Make = fn(&[u8]) -> EncodingKey;
    for (algorithm, key, make) in [
        (Algorithm::RS256, keys::RSA_PKCS1, EncodingKey::from_rsa_der as Make),
        (Algorithm::ES256, keys::P256_PKCS8, EncodingKey::from_ec_der),
        (Algorithm::ES384, keys::P384_PKCS8, EncodingKey::from_ec_der),
        (Algorithm::EdDSA, keys::ED25519_PKCS8, EncodingKey::from_ed_der),
    ] {
        let key = der(key);
        let stretched = [&key[..], &[0]].concat();
        for wrong in (0..key.len()).map(|length| &key[..length]).chain([&stretched[..]]) {
            assert!(sign(b"message", &make(wrong), algorithm).is_err(), "{algorithm:?}, {} bytes", wrong.len());
            assert!(Jwk::from_encoding_key(&make(wrong), algorithm).is_err(), "{algorithm:?}, {} bytes", wrong.len());
        }
    }
    let key = EncodingKey::from_ec_der(&der(keys::P256_WITHOUT_PUBLIC_KEY));
    assert_eq!(sign(b"message", &key, Algorithm::ES256).unwrap_err().into_kind(), ErrorKind::InvalidEcdsaKey);
}

#[test]
fn a_public_key_with_any_byte_missing_or_changed_verifies_nothing() {
    type Make = fn(&[u8]) -> DecodingKey;
    for (algorithm, key, make) in [
        (Algorithm::RS256, keys::RSA_SPKI, DecodingKey::from_rsa_der as Make),
        (Algorithm::ES256, keys::P256_SPKI, DecodingKey::from_ec_der),
        (Algorithm::ES384, keys::P384_SPKI, DecodingKey::from_ec_der),
        (Algorithm::EdDSA, keys::ED25519_SPKI, DecodingKey::from_ed_der),
    ] {
        let key = der(key);
        let signature = sign(b"message", &keys(algorithm).0, algorithm).unwrap();
        let cut = (0..key.len()).map(|length| key[..length].to_vec());
        let changed = (0..key.len()).flat_map(|at| {
            [1, 0x80].map(|bit| {
                let mut key = key.clone();
                key[at] ^= bit;
                key
            })
        });
        for wrong in cut.chain(changed).chain([[&key[..], &[0]].concat()]) {
            assert!(!verifies(&signature, "message", &make(&wrong), algorithm), "{algorithm:?} {wrong:?}");
        }
    }
}

#[test]
fn an_rsa_key_of_impossible_or_insufficient_size_verifies_nothing() {
    let (signing, _) = keys(Algorithm::RS256);
    let signature = sign(b"message", &signing, Algorithm::RS256).unwrap();
    let (modulus, huge) = (bytes(keys::RSA_N), vec![0xff; 1025]);
    for (n, e) in [
        (&[][..], &[1, 0, 1][..]),
        (&[0], &[1, 0, 1]),
        (&modulus, &[]),
        (&modulus, &[0, 0]),
        (&modulus, &[1]),
        (&modulus, &[2]),
        (&modulus, &[0xff; 9]),
        (&modulus[..255], &[1, 0, 1]),
        (&huge, &[1, 0, 1]),
        (&huge, &huge),
    ] {
        let key = DecodingKey::from_rsa_raw_components(n, e);
        assert!(!verifies(&signature, "message", &key, Algorithm::RS256), "{n:?} {e:?}");
    }
    // RFC 7518 section 3.3 asks for 2,048 bits: this signature is good, and the key too small.
    let small = der(keys::RSA_1024);
    let legacy = &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    let known = signature::UnparsedPublicKey::new(legacy, &small);
    assert!(known.verify(keys::OPENSSL.as_bytes(), &bytes(keys::RS256_1024)).is_ok());
    let small = DecodingKey::from_rsa_der(&small);
    assert!(!verifies(keys::RS256_1024, keys::OPENSSL, &small, Algorithm::RS256));
}

#[test]
fn der_is_read_strictly() {
    let read = |key: &[u8]| der::rsa_public_key(key);
    let spki = |bits: &[u8]| {
        let bits = [&[0x03, u8::try_from(bits.len()).unwrap()], bits].concat();
        let rest = [&[0x30, 13], der::RSA, &bits].concat();
        [&[0x30, u8::try_from(rest.len()).unwrap()], &rest[..]].concat()
    };
    for accepted in
        [&[0x30, 6, 2, 1, 5, 2, 1, 3][..], &[0x30, 7, 2, 2, 0, 5, 2, 1, 3], &spki(&[0, 0x30, 6, 2, 1, 5, 2, 1, 3])]
    {
        assert_eq!(read(accepted), Some((vec![5], vec![3])), "{accepted:02x?}");
    }
    let long = [&[0x30, 0x82, 1, 7, 2, 0x82, 1, 0], &[1; 256][..], &[2, 1, 3]].concat();
    assert_eq!(read(&long), Some((vec![1; 256], vec![3])));
    let medium = [&[0x30, 0x81, 134, 2, 0x81, 128], &[1; 128][..], &[2, 1, 3]].concat();
    assert_eq!(read(&medium), Some((vec![1; 128], vec![3])));
    for refused in [
        &[][..],
        &[0x30],
        &[0x30, 0],
        // A longer input, a longer sequence, a missing exponent.
        &[0x30, 6, 2, 1, 5, 2, 1, 3, 0],
        &[0x30, 7, 2, 1, 5, 2, 1, 3, 0],
        &[0x30, 3, 2, 1, 5],
        // Another tag.
        &[0x31, 6, 2, 1, 5, 2, 1, 3],
        &[0x30, 6, 3, 1, 5, 2, 1, 3],
        // A negative and an empty integer.
        &[0x30, 6, 2, 1, 0x85, 2, 1, 3],
        &[0x30, 6, 2, 1, 5, 2, 1, 0x83],
        &[0x30, 5, 2, 0, 2, 1, 3],
        // A length that has a shorter form, that is indefinite, or of more than two bytes.
        &[0x30, 0x81, 6, 2, 1, 5, 2, 1, 3],
        &[0x30, 0x82, 0, 6, 2, 1, 5, 2, 1, 3],
        &[0x30, 0x80, 2, 1, 5, 2, 1, 3, 0, 0],
        &[0x30, 0x83, 0, 0, 6, 2, 1, 5, 2, 1, 3],
        // A bit string with unused bits, and none.
        &spki(&[1, 0x30, 6, 2, 1, 5, 2, 1, 3]),
        &spki(&[]),
    ] {
        assert_eq!(read(refused), None, "{refused:02x?}");
    }
}
