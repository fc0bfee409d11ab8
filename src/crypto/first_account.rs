//! The token of the link that makes the first account.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};

/// Makes and checks the token that proves that somebody may read the log of a server: HMAC-SHA256 of its origin, under a
/// key of its own.
///
/// Nothing is stored, so every process on a database and every start of one shows the same link, for as long as there is no
/// account. Once there is one, the token is good for nothing; whoever asks about it looks that up first.
#[derive(Clone)]
pub struct FirstAccountTokens {
    /// None where a key cannot be one of an HMAC, which holds for no key of 32 bytes.
    keys: PerKey<Option<Hmac<Sha256>>>,
}

impl FirstAccountTokens {
    /// Prepares the keys for the server at `origin`: a token of another that shares the secret, for tests perhaps, opens
    /// nothing here.
    pub fn new(keys: &KeyRing, state: &KeyState, origin: &str) -> Self {
        let prepare = |_, key: Zeroizing<[u8; 32]>| {
            Hmac::<Sha256>::new_from_slice(key.as_slice()).ok().map(|key| key.chain_update(origin))
        };
        Self { keys: PerKey::new(keys, state, Purpose::FirstAccount, prepare) }
    }

    /// Makes the token.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn token(&self) -> Result<Zeroizing<String>, NoSigningKey> {
        let key = self.keys.signing()?.as_ref().ok_or(NoSigningKey)?;
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(key.clone().finalize().into_bytes())))
    }

    /// Tells whether this is the token, by any key that was not dropped, in constant time.
    pub fn verify(&self, token: &str) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(token) else { return false };
        self.keys.verifying().flatten().any(|key| key.clone().verify_slice(&presented).is_ok())
    }
}

impl std::fmt::Debug for FirstAccountTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstAccountTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_state::tests::{ring, say};

    const ORIGIN: &str = "https://sign-in.example.org";

    fn tokens(letters: &str, origin: &str) -> (FirstAccountTokens, KeyState) {
        let (keys, state) = ring(letters);
        (FirstAccountTokens::new(&keys, &state, origin), state)
    }

    #[test]
    fn a_token_is_of_its_key_and_its_origin() {
        let token = tokens("a", ORIGIN).0.token().unwrap();
        assert_eq!(tokens("a", ORIGIN).0.token().unwrap(), token, "at every start");
        assert!(tokens("a", ORIGIN).0.verify(&token) && tokens("ba", ORIGIN).0.verify(&token));
        assert!(!tokens("b", ORIGIN).0.verify(&token));
        assert!(!tokens("a", "https://staging.example.org").0.verify(&token));
        for broken in ["", "A", &token[1..], &format!("{}A", *token), "not base64!", ORIGIN] {
            assert!(!tokens("a", ORIGIN).0.verify(broken), "{broken}");
        }
    }

    #[test]
    fn a_dropped_key_makes_and_opens_none() {
        let (tokens, state) = tokens("ab", ORIGIN);
        let token = tokens.token().unwrap();
        say(&state, "b", "a");
        assert!(!tokens.verify(&token) && tokens.verify(&tokens.token().unwrap()));
        say(&state, "c", "ab");
        assert_eq!(tokens.token(), Err(NoSigningKey));
    }
}
