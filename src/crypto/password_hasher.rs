//! Password hashes: `bcrypt(base64(HMAC-SHA-384(pepper, password)))`.
//!
//! bcrypt alone reads at most 72 bytes and stops at a NUL; the HMAC makes 64 characters of whatever was typed, so that
//! every byte counts, and keys them, so that a hash stolen from another site cannot be tried here without guessing the
//! password first ("password shucking", OWASP Password Storage Cheat Sheet, "Pre-hashing passwords with bcrypt").
//!
//! The pepper is no signing key and not derived from one: signing keys come and go, and a password that could not be
//! verified any more would lock its owner out for good.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha384;
use zeroize::Zeroizing;

use crate::domain::password::{Password, Pepper};

/// The scheme of a stored hash, in front of the pepper's id and bcrypt's own text.
const SCHEME: &str = "hmac-sha384";

/// A well-formed bcrypt text (without version and cost) that no password is known for: what an unknown address is
/// verified against, so that it takes as long as a known one.
const DECOY: &str = "7uKZJPWjpYdWc5fXyZ3WQeZVbEpyhC2XaMOoPhUyUiQwUPMxMVzVq";

/// What a password turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Not the one.
    Wrong,
    /// The one.
    Right,
    /// The one, but its hash is of another cost, scheme or pepper than a new one would be: replace it.
    RightButOutdated,
}

/// Hashes and verifies passwords; every call takes as long as bcrypt's cost says, so call it in the pool.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    cost: u32,
    pepper: Pepper,
}

impl PasswordHasher {
    /// Prepares a hasher with bcrypt's `cost` (a power of two) and the installation's pepper.
    pub fn new(cost: u32, pepper: Pepper) -> Self {
        Self { cost, pepper }
    }

    /// Hashes a new password; the scheme and the pepper's id are part of the text.
    ///
    /// # Errors
    /// If bcrypt has no random bytes for its salt.
    pub fn hash(&self, password: &Password) -> Result<String, bcrypt::BcryptError> {
        let hash = bcrypt::non_truncating_hash(self.prepared(password).as_slice(), self.cost)?;
        Ok(format!("{SCHEME}:{}:{hash}", self.pepper.id.0))
    }

    /// Verifies a password against a stored hash.
    ///
    /// A plain `$2a$`, `$2b$` or `$2y$` hash of an imported user is verified as it is, with bcrypt's own limits. A hash
    /// that cannot be read is nobody's, and takes as long to say so.
    pub fn verify(&self, password: &Password, stored: &str) -> Verification {
        let right = match self.bcrypt_part(stored) {
            Some(hash) => bcrypt::verify(self.prepared(password).as_slice(), hash),
            None if stored.starts_with("$2") => bcrypt::verify(password.as_bytes(), stored),
            None => return self.verify_absent(password),
        };
        match right {
            Ok(true) if self.is_current(stored) => Verification::Right,
            Ok(true) => Verification::RightButOutdated,
            Ok(false) => Verification::Wrong,
            Err(_) => self.verify_absent(password),
        }
    }

    /// Spends the time of a verification on an account that does not exist.
    pub fn verify_absent(&self, password: &Password) -> Verification {
        let decoy = format!("$2b${:02}${DECOY}", self.cost);
        let spent = bcrypt::verify(self.prepared(password).as_slice(), &decoy);
        debug_assert!(matches!(spent, Ok(false)), "the decoy must be a well-formed hash: {spent:?}");
        Verification::Wrong
    }

    fn prepared(&self, password: &Password) -> Zeroizing<Vec<u8>> {
        // HMAC takes a key of any length; it cannot fail.
        let mac = Hmac::<Sha384>::new_from_slice(&self.pepper.key).map(|mac| mac.chain_update(password.as_bytes()));
        let bytes = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        Zeroizing::new(STANDARD.encode(bytes).into_bytes())
    }

    fn bcrypt_part<'a>(&self, stored: &'a str) -> Option<&'a str> {
        let (pepper, hash) = stored.strip_prefix(SCHEME)?.strip_prefix(':')?.split_once(':')?;
        (pepper.parse() == Ok(self.pepper.id.0)).then_some(hash)
    }

    fn is_current(&self, stored: &str) -> bool {
        self.bcrypt_part(stored).is_some_and(|hash| hash.starts_with(&format!("$2b${:02}$", self.cost)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::password::PepperId;

    fn hasher(cost: u32) -> PasswordHasher {
        PasswordHasher::new(cost, Pepper { id: PepperId(7), key: Zeroizing::new(vec![1; 32]) })
    }

    fn password(text: &str) -> Password {
        Password::entered(text.to_owned()).unwrap()
    }

    #[test]
    fn every_byte_counts_past_72_and_past_a_nul() {
        for (right, wrong) in
            [("a".repeat(80), "a".repeat(79)), ("a\0b".into(), "a\0c".into()), (" a ".into(), "a".into())]
        {
            let stored = hasher(4).hash(&password(&right)).unwrap();
            assert_eq!(hasher(4).verify(&password(&right), &stored), Verification::Right);
            assert_eq!(hasher(4).verify(&password(&wrong), &stored), Verification::Wrong);
        }
    }

    #[test]
    fn the_scheme_and_the_peppers_id_are_stored() {
        assert!(hasher(4).hash(&password("x")).unwrap().starts_with("hmac-sha384:7:$2b$04$"));
    }

    #[test]
    fn another_cost_or_a_plain_hash_is_outdated() {
        let stored = hasher(5).hash(&password("x")).unwrap();
        assert_eq!(hasher(4).verify(&password("x"), &stored), Verification::RightButOutdated);
        let plain = bcrypt::hash("x", 4).unwrap();
        for version in ["$2a$", "$2b$", "$2y$"] {
            let imported = plain.replacen("$2b$", version, 1);
            assert_eq!(hasher(4).verify(&password("x"), &imported), Verification::RightButOutdated, "{imported}");
            assert_eq!(hasher(4).verify(&password("y"), &imported), Verification::Wrong);
        }
    }

    #[test]
    fn a_hash_of_another_pepper_or_none_at_all_is_nobodys() {
        let other = PasswordHasher::new(4, Pepper { id: PepperId(8), key: Zeroizing::new(vec![1; 32]) });
        let stored = other.hash(&password("x")).unwrap();
        for stored in [stored.as_str(), "", "garbage", "$2b$", "hmac-sha384:7:", "hmac-sha384:7:$2b$04$short"] {
            assert_eq!(hasher(4).verify(&password("x"), stored), Verification::Wrong, "{stored}");
        }
    }
}
