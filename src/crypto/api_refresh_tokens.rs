//! Refresh tokens of the API, as a client holds them.

use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use super::key_state::{KeyState, NoSigningKey};
use super::signed_values::{SIGNATURE_CHARACTERS, SignedValues};
use crate::domain::token::RefreshToken;

/// Writes and reads the refresh tokens of the API: `session.generation.secret.signature`.
///
/// They are signed as the refresh cookie is, under a key of their own purpose, so that neither stands for the other. The
/// signature comes last: its padding may stand nowhere else in a bearer token (RFC 6750 section 2.1, `b64token`).
#[derive(Clone)]
pub struct ApiRefreshTokens(SignedValues);

impl ApiRefreshTokens {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing, state: &KeyState) -> Self {
        Self(SignedValues::for_api_refresh_tokens(keys, state))
    }

    /// Signs a token and writes it out.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn write(&self, token: &RefreshToken) -> Result<Zeroizing<String>, NoSigningKey> {
        let signed = self.0.sign(&token.reveal())?;
        let (signature, value) = signed.split_at_checked(SIGNATURE_CHARACTERS).unwrap_or_default();
        Ok(Zeroizing::new(format!("{value}.{signature}")))
    }

    /// Reads a token that was signed with a key that was not dropped.
    pub fn read(&self, text: &str) -> Option<RefreshToken> {
        let (value, signature) = text.rsplit_once('.')?;
        if signature.len() != SIGNATURE_CHARACTERS {
            return None;
        }
        self.0.verify(&Zeroizing::new(format!("{signature}{value}")))?.parse().ok()
    }
}

impl std::fmt::Debug for ApiRefreshTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiRefreshTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_state::tests::ring;
    use crate::domain::id::SessionId;
    use crate::domain::token::{RefreshSecret, SECRET_BYTES};

    fn tokens(letters: &str) -> ApiRefreshTokens {
        let (keys, state) = ring(letters);
        ApiRefreshTokens::new(&keys, &state)
    }

    fn token() -> RefreshToken {
        let secret = RefreshSecret::from_bytes([9; SECRET_BYTES]);
        RefreshToken { session: SessionId::from_bytes([7; 16]), generation: 41, secret }
    }

    #[test]
    fn a_token_is_one_of_rfc_6750_and_comes_back_under_its_own_keys_alone() {
        let text = tokens("a").write(&token()).unwrap();
        let body = text.trim_end_matches('=');
        assert!(body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c)), "{}", *text);
        assert_eq!(tokens("ba").read(&text), Some(token()));
        assert_eq!(tokens("b").read(&text), None);
        for end in 0..text.len() {
            assert_eq!(tokens("a").read(&text[..end]), None);
        }
        assert_eq!(tokens("a").read(&format!("{}x", *text)), None);
    }

    #[test]
    fn a_refresh_cookie_is_none_and_a_token_is_no_refresh_cookie() {
        let (keys, state) = ring("a");
        let cookies = SignedValues::for_refresh_cookie(&keys, &state);
        let cookie = cookies.sign(&token().reveal()).unwrap();
        let (signature, value) = cookie.split_at(SIGNATURE_CHARACTERS);
        for text in [cookie.to_string(), format!("{value}.{signature}")] {
            assert_eq!(tokens("a").read(&text), None, "{text}");
        }
        let text = tokens("a").write(&token()).unwrap();
        let (value, signature) = text.rsplit_once('.').unwrap();
        for text in [text.to_string(), format!("{signature}{value}")] {
            assert!(cookies.verify(&text).is_none(), "{text}");
        }
    }
}
