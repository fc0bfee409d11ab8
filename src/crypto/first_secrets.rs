//! The first secret of a session, from the form that began it.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};
use crate::domain::id::{FormId, SessionId};
use crate::domain::token::RefreshSecret;

/// Makes first secrets: HMAC-SHA256 of the form and the session, under keys of their own.
///
/// Why not at random, as every later secret is: a button that is clicked twice sends one form twice, and the browser keeps
/// only one of the answers, so both must carry the same refresh token. The database holds only the hash of a secret, so it
/// has to be made again; and that takes the key, the 128 random bits of the form, which the browser alone holds, and the
/// session's own.
#[derive(Clone)]
pub struct FirstSecrets {
    keys: PerKey<Option<Hmac<Sha256>>>,
}

impl FirstSecrets {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing, state: &KeyState) -> Self {
        // HMAC takes a key of any length.
        let prepare = |_, key: Zeroizing<[u8; 32]>| Hmac::new_from_slice(key.as_slice()).ok();
        Self { keys: PerKey::new(keys, state, Purpose::FirstSecret, prepare) }
    }

    /// Makes the first secret of a session that a form begins.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn derive(&self, form: FormId, session: SessionId) -> Result<RefreshSecret, NoSigningKey> {
        let key = self.keys.signing()?.as_ref().ok_or(NoSigningKey)?;
        Ok(secret(key, form, session))
    }

    /// Makes the first secret of a session that a form has begun, by whichever of the keys signed then.
    pub fn find(
        &self,
        form: FormId,
        session: SessionId,
        is_it: impl Fn(&RefreshSecret) -> bool,
    ) -> Option<RefreshSecret> {
        self.keys.verifying().flatten().map(|key| secret(key, form, session)).find(|secret| is_it(secret))
    }
}

fn secret(key: &Hmac<Sha256>, form: FormId, session: SessionId) -> RefreshSecret {
    let mac = key.clone().chain_update(form.as_bytes()).chain_update(session.as_bytes());
    RefreshSecret::from_bytes(mac.finalize().into_bytes().into())
}

impl std::fmt::Debug for FirstSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstSecrets")
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::crypto::key_state::tests::ring;

    fn secrets(letters: &str) -> FirstSecrets {
        let (keys, state) = ring(letters);
        FirstSecrets::new(&keys, &state)
    }

    #[test]
    fn a_secret_is_of_its_form_its_session_and_its_key() {
        let form = |byte| FormId::from_bytes([byte; 16]);
        let session = |byte| SessionId::new(OffsetDateTime::UNIX_EPOCH, [byte; 10]);
        let secret = secrets("ab").derive(form(1), session(1)).unwrap();
        assert_eq!(secrets("ac").derive(form(1), session(1)).unwrap(), secret);
        let others = [
            secrets("ba").derive(form(1), session(1)).unwrap(),
            secrets("ab").derive(form(2), session(1)).unwrap(),
            secrets("ab").derive(form(1), session(2)).unwrap(),
        ];
        assert!(others.iter().all(|other| *other != secret));
    }

    #[test]
    fn a_secret_is_found_by_an_older_key_too() {
        let (form, session) = (FormId::from_bytes([1; 16]), SessionId::new(OffsetDateTime::UNIX_EPOCH, [1; 10]));
        let secret = secrets("ab").derive(form, session).unwrap();
        let find = |keys| secrets(keys).find(form, session, |found| *found == secret);
        assert_eq!(find("ba"), Some(secret.clone()));
        assert_eq!(find("bc"), None);
    }
}
