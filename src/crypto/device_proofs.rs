//! Proofs that a browser holds the private key of its device: W3C Device Bound Session Credentials.
//!
//! A proof is a JWT that the device signs with ES256 over a challenge of ours, which is its `jti`. It has no other claim
//! that says anything: no `aud`, `sub` or `iat`. What it is for stands in the challenge alone, an HMAC under a key of its
//! own over everything that it may be used for; so no challenge is stored, and none stands for another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::verify;
use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData};
use serde::Deserialize;
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::jwt_provider;
use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};
use crate::domain::device_key::{DEVICE_KEY_BYTES, DeviceKey};
use crate::domain::id::SessionId;

/// The `typ` of a proof.
const PROOF_TYPE: &str = "dbsc+jwt";

/// Bytes of a proof at most; an honest one has about 500.
const MAX_PROOF_BYTES: usize = 4096;

/// What a device is to sign: good for one sign-in, at one generation of it, for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// To register a key. It goes out with the answer to a password, and names when that was entered.
    Registration {
        /// The sign-in.
        session: SessionId,
        /// Its generation.
        generation: i64,
        /// When the password was entered.
        authenticated_at: OffsetDateTime,
    },
    /// To renew by the registered key.
    Renewal {
        /// The sign-in.
        session: SessionId,
        /// Its generation.
        generation: i64,
    },
}

/// What a proof says, before its signature is verified.
#[derive(Debug, Deserialize)]
struct Claims {
    /// The challenge.
    jti: String,
    /// What the answer to the password passed along with it; a registration alone has it.
    #[serde(default)]
    authorization: Option<String>,
}

/// A proof of the right form, whose signature nobody has verified yet.
#[derive(Debug)]
pub struct UnverifiedProof<'a> {
    /// What the device signed: header and claims, encoded.
    signed: &'a str,
    signature: &'a str,
    claims: Claims,
    jwk: Option<Jwk>,
}

/// Why a text proves nothing; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// More than 4,096 bytes.
    #[error("oversized")]
    Oversized,
    /// No JWS in compact form, or without a challenge.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Another `typ`.
    #[error("typ is not dbsc+jwt")]
    Type,
    /// Another algorithm than the one that was offered.
    #[error("alg is not ES256")]
    Algorithm,
    /// Header parameters that it asks us to understand and that we do not (RFC 7515 section 4.1.11).
    #[error("crit is present")]
    Critical,
    /// No key in the header of a registration, or one that is no point on P-256.
    #[error("jwk is no key on P-256")]
    Key,
    /// The key did not sign it.
    #[error("the key did not sign it")]
    Signature,
}

impl InvalidProof {
    /// Tells whether no honest browser could have sent it, whatever its state.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Oversized | Self::Malformed(_))
    }
}

impl<'a> UnverifiedProof<'a> {
    /// Reads a proof, and refuses what no signature could make one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(text: &'a str) -> Result<Self, InvalidProof> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(InvalidProof::Oversized);
        }
        let malformed = |error: jsonwebtoken::errors::Error| InvalidProof::Malformed(error.to_string());
        let (signed, signature) =
            text.rsplit_once('.').ok_or_else(|| InvalidProof::Malformed("no signature".to_owned()))?;
        let TokenData { header, claims } = insecure_decode::<Claims>(text).map_err(malformed)?;
        if header.typ.as_deref() != Some(PROOF_TYPE) {
            return Err(InvalidProof::Type);
        }
        if header.alg != Algorithm::ES256 {
            return Err(InvalidProof::Algorithm);
        }
        if header.crit.is_some() || header.extras.inner().contains_key("b64") {
            return Err(InvalidProof::Critical);
        }
        Ok(Self { signed, signature, claims, jwk: header.jwk })
    }

    /// Returns what a registration passes back of the answer to the password.
    pub fn authorization(&self) -> Option<&str> {
        self.claims.authorization.as_deref()
    }

    /// Returns the key that a registration brings.
    ///
    /// # Errors
    /// If there is none, or one of another kind or curve.
    pub fn registered_key(&self) -> Result<DeviceKey, InvalidProof> {
        let Some(AlgorithmParameters::EllipticCurve(key)) = self.jwk.as_ref().map(|jwk| &jwk.algorithm) else {
            return Err(InvalidProof::Key);
        };
        let mut bytes = Vec::with_capacity(DEVICE_KEY_BYTES);
        for coordinate in [&key.x, &key.y] {
            let coordinate = URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| InvalidProof::Key)?;
            if coordinate.len() != DEVICE_KEY_BYTES / 2 {
                return Err(InvalidProof::Key);
            }
            bytes.extend(coordinate);
        }
        let bytes = <[u8; DEVICE_KEY_BYTES]>::try_from(bytes).map_err(|_| InvalidProof::Key)?;
        if key.curve == EllipticCurve::P256 { Ok(DeviceKey::from_bytes(bytes)) } else { Err(InvalidProof::Key) }
    }
}

/// Makes and checks challenges, and verifies proofs.
pub struct DeviceProofs {
    /// None where a key cannot be one of an HMAC, which holds for no key of 32 bytes.
    keys: PerKey<Option<Hmac<Sha256>>>,
}

impl DeviceProofs {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing, state: &KeyState) -> Self {
        jwt_provider::install();
        let prepare = |_, key: Zeroizing<[u8; 32]>| Hmac::new_from_slice(key.as_slice()).ok();
        Self { keys: PerKey::new(keys, state, Purpose::DeviceChallenge, prepare) }
    }

    /// Writes a challenge.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn challenge(&self, challenge: Challenge) -> Result<String, NoSigningKey> {
        let key = self.keys.signing()?.as_ref().ok_or(NoSigningKey)?;
        Ok(URL_SAFE_NO_PAD.encode(bound(key, challenge).finalize().into_bytes()))
    }

    /// Tells whether a proof is over a challenge, by any key that was not dropped, in constant time.
    ///
    /// It costs a hash; whoever asks this before [`DeviceProofs::verify`] verifies no signature for nothing.
    pub fn answers(&self, proof: &UnverifiedProof<'_>, challenge: Challenge) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(&proof.claims.jti) else { return false };
        self.keys.verifying().flatten().any(|key| bound(key, challenge).verify_slice(&presented).is_ok())
    }

    /// Verifies the signature of a proof by this key and no other: one in its header counts for nothing.
    ///
    /// # Errors
    /// If the key did not sign it.
    pub fn verify(&self, proof: &UnverifiedProof<'_>, key: &DeviceKey) -> Result<(), InvalidProof> {
        // Read already, the algorithm included: `decode` would read all of it three times more.
        let key = DecodingKey::from_ec_der(&key.uncompressed_point());
        match verify(proof.signature, proof.signed.as_bytes(), &key, Algorithm::ES256) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(InvalidProof::Signature),
        }
    }
}

fn bound(key: &Hmac<Sha256>, challenge: Challenge) -> Hmac<Sha256> {
    let text = match challenge {
        Challenge::Registration { session, generation, authenticated_at } => {
            format!("registration {} {generation} {}", hex(session), authenticated_at.unix_timestamp())
        }
        Challenge::Renewal { session, generation } => format!("renewal {} {generation}", hex(session)),
    };
    key.clone().chain_update(text)
}

/// Writes a session's name in one way, whichever of its two forms it has.
fn hex(session: SessionId) -> String {
    format!("{:032x}", u128::from_be_bytes(*session.as_bytes()))
}

impl std::fmt::Debug for DeviceProofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceProofs")
    }
}

#[cfg(test)]
mod tests;
