//! A `jsonwebtoken` provider over `ring`, for every algorithm that `jsonwebtoken` has.
//!
//! `jsonwebtoken` holds one provider per process. The one that Perennial installs is therefore also the provider of the
//! application that embeds it, which may sign with RS256. Perennial restricts its own tokens elsewhere: a key has a
//! family, no key works outside it, and `Validation` names the algorithm.
//!
//! Why not a provider of `jsonwebtoken` itself: `rust_crypto` depends on `rsa`, which leaks private keys through timing
//! (RUSTSEC-2023-0071), and `aws_lc_rs` builds a second cryptographic library beside the `ring` that TLS already uses.
//!
//! | Family | Private key                                           | Public key                                       |
//! |--------|-------------------------------------------------------|--------------------------------------------------|
//! | HMAC   | any bytes                                             | the same                                         |
//! | RSA    | PKCS#1; 2,048, 3,072 or 4,096 bits, exponent ≥ 65,537 | PKCS#1, SPKI or `n` and `e`; 2,048 to 8,192 bits |
//! | EC     | PKCS#8 version 1, including the public key            | uncompressed point or SPKI; P-256 or P-384       |
//! | Ed     | PKCS#8 version 1 or 2                                 | 32 bytes or SPKI; Ed25519                        |
//!
//! These are the formats that both of those providers take, and SPKI (SubjectPublicKeyInfo), which only `aws_lc_rs`
//! takes. Like them, this one refuses SEC1 private keys, and RSA private keys in PKCS#8 that come as DER;
//! `from_rsa_pem` unwraps those. Unlike them, it refuses what `ring` cannot do: RSA keys of other sizes, EC private keys
//! without their public half, and compressed points. An application that needs these installs a provider of its own
//! before it builds Perennial.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{self, KeyPair};
use ring::{digest, hmac};

mod der;

/// What `ring` needs for one algorithm.
enum Scheme {
    Hmac(hmac::Algorithm),
    Rsa(&'static dyn signature::RsaEncoding, &'static signature::RsaParameters),
    Ecdsa(&'static Curve),
    Ed25519,
}

/// A curve and the one hash that JOSE pairs it with (RFC 7518 section 3.4).
struct Curve {
    name: EllipticCurve,
    identifier: &'static [u8],
    signing: &'static signature::EcdsaSigningAlgorithm,
    verifying: &'static signature::EcdsaVerificationAlgorithm,
}

static P256: Curve = Curve {
    name: EllipticCurve::P256,
    identifier: der::P256,
    signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    verifying: &signature::ECDSA_P256_SHA256_FIXED,
};

static P384: Curve = Curve {
    name: EllipticCurve::P384,
    identifier: der::P384,
    signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    verifying: &signature::ECDSA_P384_SHA384_FIXED,
};

impl Scheme {
    /// Refuses a key of another family: a public RSA key must never serve as an HMAC secret (RFC 8725 section 2.1).
    fn for_key(algorithm: Algorithm, family: AlgorithmFamily) -> Result<Self> {
        if family != algorithm.family() {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Self::new(algorithm)
    }

    fn new(algorithm: Algorithm) -> Result<Self> {
        Ok(match algorithm {
            Algorithm::HS256 => Self::Hmac(hmac::HMAC_SHA256),
            Algorithm::HS384 => Self::Hmac(hmac::HMAC_SHA384),
            Algorithm::HS512 => Self::Hmac(hmac::HMAC_SHA512),
            Algorithm::RS256 => Self::Rsa(&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Ecdsa(&P256),
            Algorithm::ES384 => Self::Ecdsa(&P384),
            Algorithm::EdDSA => Self::Ed25519,
            // A later `jsonwebtoken` may add one.
            _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
        })
    }
}

fn rsa_key_pair(pkcs1: &[u8]) -> Result<signature::RsaKeyPair> {
    signature::RsaKeyPair::from_der(pkcs1).map_err(|error| ErrorKind::InvalidRsaKey(error.to_string()).into())
}

fn ecdsa_key_pair(curve: &Curve, pkcs8: &[u8]) -> Result<signature::EcdsaKeyPair> {
    signature::EcdsaKeyPair::from_pkcs8(curve.signing, pkcs8, &SystemRandom::new())
        .map_err(|_| ErrorKind::InvalidEcdsaKey.into())
}

/// Accepts version 1 too, which has no public key to check against the private one: it is what OpenSSL writes.
fn ed25519_key_pair(pkcs8: &[u8]) -> Result<signature::Ed25519KeyPair> {
    signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| ErrorKind::InvalidEddsaKey.into())
}

enum SigningKey {
    Hmac(hmac::Key),
    Rsa(signature::RsaKeyPair, &'static dyn signature::RsaEncoding),
    Ecdsa(signature::EcdsaKeyPair),
    Ed25519(signature::Ed25519KeyPair),
}

struct RingSigner {
    algorithm: Algorithm,
    key: SigningKey,
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        let random = SystemRandom::new();
        match &self.key {
            SigningKey::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            SigningKey::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).map_err(|_| SignatureError::new())?;
                Ok(signature)
            }
            SigningKey::Ecdsa(key) => key
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignatureError::new()),
            SigningKey::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    let bytes = key.as_bytes();
    let key = match Scheme::for_key(*algorithm, key.family())? {
        Scheme::Hmac(hash) => SigningKey::Hmac(hmac::Key::new(hash, bytes)),
        Scheme::Rsa(encoding, _) => SigningKey::Rsa(rsa_key_pair(bytes)?, encoding),
        Scheme::Ecdsa(curve) => SigningKey::Ecdsa(ecdsa_key_pair(curve, bytes)?),
        Scheme::Ed25519 => SigningKey::Ed25519(ed25519_key_pair(bytes)?),
    };
    Ok(Box::new(RingSigner { algorithm: *algorithm, key }))
}

enum VerifyingKey {
    Hmac(hmac::Key),
    Rsa(signature::RsaPublicKeyComponents<Vec<u8>>, &'static signature::RsaParameters),
    Curve(signature::UnparsedPublicKey<Vec<u8>>),
}

struct RingVerifier {
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        match &self.key {
            VerifyingKey::Hmac(key) => hmac::verify(key, message, signature),
            VerifyingKey::Rsa(key, parameters) => key.verify(parameters, message, signature),
            VerifyingKey::Curve(key) => key.verify(message, signature),
        }
        .map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let curve = |verifying: &'static dyn signature::VerificationAlgorithm, identifier| {
        let key = der::subject_public_key(key.try_get_as_bytes()?, identifier);
        Ok::<_, Error>(VerifyingKey::Curve(signature::UnparsedPublicKey::new(verifying, key.to_vec())))
    };
    let key = match Scheme::for_key(*algorithm, key.family())? {
        Scheme::Hmac(hash) => VerifyingKey::Hmac(hmac::Key::new(hash, key.try_get_as_bytes()?)),
        Scheme::Rsa(_, parameters) => {
            let (n, e) = match key.kind() {
                DecodingKeyKind::SecretOrDer(bytes) => rsa_components_from_public_key(bytes)?,
                // RFC 7518 section 6.3.1.1 warns of writers that leave a zero byte in front, which `ring` refuses.
                DecodingKeyKind::RsaModulusExponent { n, e } => {
                    (der::without_leading_zeros(n), der::without_leading_zeros(e))
                }
            };
            VerifyingKey::Rsa(signature::RsaPublicKeyComponents { n, e }, parameters)
        }
        Scheme::Ecdsa(named) => curve(named.verifying, named.identifier)?,
        Scheme::Ed25519 => curve(&signature::ED25519, der::ED25519)?,
    };
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key }))
}

fn rsa_components_from_private_key(pkcs1: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let components = signature::RsaPublicKeyComponents::<Vec<u8>>::from(rsa_key_pair(pkcs1)?.public());
    Ok((components.n, components.e))
}

fn rsa_components_from_public_key(key: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    der::rsa_public_key(key).ok_or_else(|| ErrorKind::InvalidRsaKey("neither PKCS#1 nor SPKI".to_owned()).into())
}

fn ec_components_from_private_key(pkcs8: &[u8], algorithm: Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>)> {
    let Ok(Scheme::Ecdsa(curve)) = Scheme::new(algorithm) else {
        return Err(ErrorKind::InvalidEcdsaKey.into());
    };
    let pair = ecdsa_key_pair(curve, pkcs8)?;
    // The first byte says that the point is not compressed (SEC 1 section 2.3.3).
    let Some((_, point)) = pair.public_key().as_ref().split_first() else {
        return Err(ErrorKind::InvalidEcdsaKey.into());
    };
    let (x, y) = point.split_at(point.len() / 2);
    Ok((curve.name.clone(), x.to_vec(), y.to_vec()))
}

fn ed_component_from_private_key(pkcs8: &[u8], curve: &EllipticCurve) -> Result<Vec<u8>> {
    match curve {
        EllipticCurve::Ed25519 => Ok(ed25519_key_pair(pkcs8)?.public_key().as_ref().to_vec()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn compute_digest(data: &[u8], hash: ThumbprintHash) -> Result<Vec<u8>> {
    let algorithm = match hash {
        ThumbprintHash::SHA256 => &digest::SHA256,
        ThumbprintHash::SHA384 => &digest::SHA384,
        ThumbprintHash::SHA512 => &digest::SHA512,
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(digest::digest(algorithm, data).as_ref().to_vec())
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: rsa_components_from_private_key,
        rsa_pub_components_from_public_key: rsa_components_from_public_key,
        ec_pub_components_from_private_key: ec_components_from_private_key,
        ed_pub_components_from_private_key: ed_component_from_private_key,
        compute_digest,
    },
};

/// Makes this the provider of the process, unless the application that embeds Perennial has already chosen one: every
/// provider knows what Perennial needs.
pub(super) fn install() {
    if PROVIDER.install_default().is_err() {
        tracing::debug!("jsonwebtoken keeps the provider that this process already has");
    }
}

#[cfg(test)]
mod tests;
