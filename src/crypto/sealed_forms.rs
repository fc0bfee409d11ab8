//! Forms that are kept, encrypted: by the server until their user has signed in, or by the browser during an outage.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};
use super::random::{RandomError, random_bytes};

/// Bytes of a nonce. Of so many, random ones never repeat under one key, however long it is in use
/// (draft-irtf-cfrg-xchacha section 2.1); the 12 bytes of AES-GCM would want a count of messages.
const NONCE_BYTES: usize = 24;

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// This process lacks the key that signs.
    #[error(transparent)]
    Key(#[from] NoSigningKey),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The form is too large for the cipher, which takes 256 GB.
    #[error("the form is too large to be encrypted")]
    TooLarge,
}

/// Encrypts forms, and opens what it encrypted: XChaCha20-Poly1305 under a key of its own purpose.
///
/// Every text is sealed for a context, such as the user it is for: in another one it does not open. A text that any key of
/// the ring sealed opens, unless that key was dropped.
#[derive(Clone)]
pub struct FormSeal {
    keys: PerKey<XChaCha20Poly1305>,
}

impl FormSeal {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing, state: &KeyState) -> Self {
        let prepare = |_, key: Zeroizing<[u8; 32]>| XChaCha20Poly1305::new((&*key).into());
        Self { keys: PerKey::new(keys, state, Purpose::KeptForm, prepare) }
    }

    /// Encrypts a text for a context.
    ///
    /// # Errors
    /// If this process lacks the key that signs, or there are no random bytes.
    pub fn seal(&self, text: &[u8], context: &str) -> Result<Vec<u8>, SealError> {
        let nonce = random_bytes::<NONCE_BYTES>()?;
        let payload = Payload { msg: text, aad: context.as_bytes() };
        let sealed = self.keys.signing()?.encrypt(XNonce::from_slice(&nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| SealError::TooLarge)?].concat())
    }

    /// Returns the text that was encrypted for a context; nothing if it was for another, or was changed, or its key is gone.
    pub fn open(&self, sealed: &[u8], context: &str) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = || Payload { msg: text, aad: context.as_bytes() };
        self.keys.verifying().find_map(|key| key.decrypt(XNonce::from_slice(nonce), payload()).ok())
    }
}

impl std::fmt::Debug for FormSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormSeal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_state::tests::{ring, say};

    fn seal(letters: &str) -> (FormSeal, KeyState) {
        let (keys, state) = ring(letters);
        (FormSeal::new(&keys, &state), state)
    }

    #[test]
    fn any_key_of_the_ring_opens_what_was_sealed_and_no_other() {
        let sealed = seal("a").0.seal(b"note=hello", "user 1").unwrap();
        for letters in ["a", "ba"] {
            assert_eq!(seal(letters).0.open(&sealed, "user 1").as_deref(), Some(&b"note=hello"[..]), "{letters}");
        }
        assert_eq!(seal("b").0.open(&sealed, "user 1"), None);
        let (dropped, state) = seal("ba");
        say(&state, "b", "a");
        assert_eq!(dropped.open(&sealed, "user 1"), None);
        say(&state, "c", "");
        assert!(matches!(dropped.seal(b"", ""), Err(SealError::Key(_))));
    }

    #[test]
    fn it_opens_whole_and_where_it_was_sealed_for_alone() {
        let (seal, _) = seal("a");
        let sealed = seal.seal(b"note=hello", "user 1").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"hello"));
        assert_ne!(sealed, seal.seal(b"note=hello", "user 1").unwrap(), "a nonce of its own each time");
        assert_eq!(seal.open(&sealed, "user 2"), None);
        for index in 0..sealed.len() {
            assert_eq!(seal.open(&sealed[..index], "user 1"), None);
            let mut flipped = sealed.clone();
            flipped[index] ^= 1;
            assert_eq!(seal.open(&flipped, "user 1"), None);
        }
    }
}
