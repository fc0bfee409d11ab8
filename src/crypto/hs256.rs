//! HMAC-SHA256 for `jsonwebtoken`, and nothing else.
//!
//! Why not one of its own providers: both bring every algorithm of the JOSE family. A provider that knows HS256 alone
//! cannot be talked into another one, and builds in a fraction of the time.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Box<Self>> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(|mac| Box::new(Self(mac))).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Ok(Hs256::new(*algorithm, key.family(), key.as_bytes())?)
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Ok(Hs256::new(*algorithm, key.family(), key.try_get_as_bytes()?)?)
}

static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

/// Makes this the provider of the process, unless the application that embeds Perennial has already chosen one; any
/// provider knows HS256.
pub(super) fn install() {
    if PROVIDER.install_default().is_err() {
        tracing::debug!("jsonwebtoken already has a provider in this process");
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::{sign, verify};

    use super::*;

    /// The example of RFC 7515 appendix A.1.
    const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const MESSAGE: &[u8] = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn keys() -> (EncodingKey, DecodingKey) {
        use base64::Engine;
        install();
        let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(KEY).unwrap();
        (EncodingKey::from_secret(&key), DecodingKey::from_secret(&key))
    }

    #[test]
    fn the_example_of_the_standard_is_signed_and_verified() {
        let (signing, verifying) = keys();
        assert_eq!(sign(MESSAGE, &signing, Algorithm::HS256).unwrap(), SIGNATURE);
        assert!(verify(SIGNATURE, MESSAGE, &verifying, Algorithm::HS256).unwrap());
    }

    #[test]
    fn a_cut_or_empty_signature_and_another_message_are_refused() {
        let (_, verifying) = keys();
        let refused = |signature: &str, message: &[u8]| {
            !verify(signature, message, &verifying, Algorithm::HS256).unwrap_or(false)
        };
        assert!(refused("", MESSAGE) && refused(&SIGNATURE[..42], MESSAGE) && refused(&SIGNATURE[..22], MESSAGE));
        assert!(refused(SIGNATURE, &MESSAGE[1..]) && refused(SIGNATURE, b""));
    }

    #[test]
    fn no_other_algorithm_is_known() {
        let (signing, verifying) = keys();
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(sign(MESSAGE, &signing, algorithm).is_err(), "{algorithm:?}");
            assert!(verify(SIGNATURE, MESSAGE, &verifying, algorithm).is_err(), "{algorithm:?}");
        }
    }
}
