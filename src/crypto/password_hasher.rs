//! Password hashes: `bcrypt(base64(HMAC-SHA-384(pepper, password)))`.
//!
//! bcrypt alone reads at most 72 bytes and stops at a NUL; the HMAC makes 64 characters of whatever was typed, so that
//! every byte counts, and keys them, so that a hash stolen from another site cannot be tried here without guessing the
//! password first ("password shucking", OWASP Password Storage Cheat Sheet, "Pre-hashing passwords with bcrypt").
//!
//! The pepper is no signing key and not derived from one: signing keys come and go, and a password that could not be
//! verified any more would lock its owner out for good.

use std::iter;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use hmac::{Hmac, Mac};
use sha2::Sha384;
use zeroize::Zeroizing;

use crate::domain::password::{Password, Pepper, PepperId};

/// The scheme of a stored hash, in front of the pepper's id and bcrypt's own text.
const SCHEME: &str = "hmac-sha384";

/// The salt of the hashes that are computed for their cost alone; nobody sees what comes out.
const SPENT_SALT: [u8; 16] = [0; 16];

/// Bytes of a typed password from which on bcrypt alone does not say which password it is.
///
/// bcrypt reads 72 bytes, the NUL that ends a password included. One of 72 bytes or more therefore matches the hash of any
/// other that begins with the same 72.
const BCRYPT_READS: usize = 72;

/// What a password turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Not the one.
    Wrong,
    /// The one, and its hash stays.
    Right,
    /// The one, but its hash is of another cost, scheme or pepper than a new one would be: replace it.
    RightButOutdated,
}

/// Hashes and verifies passwords; every call takes as long as bcrypt's cost says, so call it in the pool.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    cost: u32,
    pepper: Pepper,
    older: Vec<Pepper>,
    /// The work of this hasher and its clones, in the rounds that bcrypt's cost is the logarithm of.
    #[cfg(any(test, feature = "internals"))]
    work: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl PasswordHasher {
    /// Prepares a hasher with bcrypt's `cost` (a power of two) and the installation's pepper.
    pub fn new(cost: u32, pepper: Pepper) -> Self {
        Self {
            cost,
            pepper,
            older: Vec::new(),
            #[cfg(any(test, feature = "internals"))]
            work: std::sync::Arc::default(),
        }
    }

    /// Verifies what was hashed with one of these peppers too; such a hash is outdated.
    #[must_use]
    pub fn knowing(self, older: Vec<Pepper>) -> Self {
        Self { older, ..self }
    }

    /// Returns how many rounds of bcrypt were computed so far: 2^cost for each hash. A test counts them instead of
    /// measuring time.
    #[cfg(any(test, feature = "internals"))]
    pub fn work(&self) -> u64 {
        self.work.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Counts the work of a hash.
    #[cfg(any(test, feature = "internals"))]
    fn count(&self, cost: u32) {
        self.work.fetch_add(1 << cost, std::sync::atomic::Ordering::SeqCst);
    }

    /// Counts nothing where nobody can ask.
    #[cfg(not(any(test, feature = "internals")))]
    fn count(&self, _cost: u32) {}

    /// Hashes a new password; the scheme and the pepper's id are part of the text.
    ///
    /// # Errors
    /// If bcrypt has no random bytes for its salt.
    pub fn hash(&self, password: &Password) -> Result<String, bcrypt::BcryptError> {
        let hash = bcrypt::non_truncating_hash(prepared(password, &self.pepper).as_slice(), self.cost)?;
        self.count(self.cost);
        Ok(format!("{SCHEME}:{}:{hash}", self.pepper.id.0))
    }

    /// Verifies a password against a stored hash, and takes as long as a new hash whatever that one costs: otherwise the
    /// time of a refusal would tell an account with an older hash from one that does not exist.
    ///
    /// A plain `$2a$`, `$2b$` or `$2y$` hash of an imported user is verified as it is, with bcrypt's own limits. A hash
    /// that cannot be read is nobody's, and takes as long to say so.
    ///
    /// A hash of a *higher* cost than that of new ones cannot be verified for less, and takes as long as it does. Raising
    /// the cost of everything else to it would undo the wish of whoever lowered it. It is replaced by a cheaper one when
    /// its owner signs in; until then, a refusal tells that the account is there. The README says so beside `BCRYPT_COST`.
    pub fn verify(&self, password: &Password, stored: &str) -> Verification {
        let (verification, spent) = self.compare(password, stored);
        self.top_up(password, spent);
        verification
    }

    /// Spends the time of a verification on an account that does not exist.
    pub fn verify_absent(&self, password: &Password) -> Verification {
        self.top_up(password, None);
        Verification::Wrong
    }

    /// Compares a password with a stored hash; returns the cost of that too, nothing where there was nothing to compute.
    fn compare(&self, password: &Password, stored: &str) -> (Verification, Option<u32>) {
        let own = self.parts(stored);
        let (right, hash) = match own {
            Some((pepper, hash)) => (bcrypt::verify(prepared(password, pepper).as_slice(), hash), hash),
            None => (bcrypt::verify(password.as_bytes(), stored), stored),
        };
        // bcrypt fails only before it computes anything: the text is no hash, or its cost is none.
        let (Ok(right), Ok(parts)) = (right, hash.parse::<HashParts>()) else { return (Verification::Wrong, None) };
        self.count(parts.get_cost());
        let verification = match right {
            false => Verification::Wrong,
            true if self.is_current(stored) => Verification::Right,
            true if own.is_none() && !bcrypt_tells_apart(password.as_bytes()) => Verification::Right,
            true => Verification::RightButOutdated,
        };
        (verification, Some(parts.get_cost()))
    }

    /// Computes what a verification of the cost `spent` lacks of a hash of the current cost.
    ///
    /// Each cost is twice the one before. After a hash of cost 10, one each of the costs 10 and 11 make up one of cost 12.
    fn top_up(&self, password: &Password, spent: Option<u32>) {
        let lacking = match spent {
            Some(cost) => cost..self.cost,
            None => self.cost..self.cost.saturating_add(1),
        };
        for cost in lacking {
            let hash = bcrypt::hash_with_salt(password.as_bytes(), cost, SPENT_SALT);
            debug_assert!(hash.is_ok(), "a cost that is none: {cost}");
            // So that no compiler leaves out what nobody looks at.
            std::hint::black_box(hash.is_ok());
            self.count(cost);
        }
    }

    /// Returns the pepper that a stored hash was made with, and bcrypt's own text; nothing where the hash is not of this
    /// scheme, or its pepper is unknown.
    fn parts<'a>(&'a self, stored: &'a str) -> Option<(&'a Pepper, &'a str)> {
        let (id, hash) = stored.strip_prefix(SCHEME)?.strip_prefix(':')?.split_once(':')?;
        let id = id.parse().ok().map(PepperId)?;
        let pepper = iter::once(&self.pepper).chain(&self.older).find(|pepper| pepper.id == id)?;
        Some((pepper, hash))
    }

    fn is_current(&self, stored: &str) -> bool {
        let beginning = format!("$2b${:02}$", self.cost);
        self.parts(stored).is_some_and(|(pepper, hash)| pepper.id == self.pepper.id && hash.starts_with(&beginning))
    }
}

fn prepared(password: &Password, pepper: &Pepper) -> Zeroizing<Vec<u8>> {
    // HMAC takes a key of any length; it cannot fail.
    let mac = Hmac::<Sha384>::new_from_slice(&pepper.key).map(|mac| mac.chain_update(password.as_bytes()));
    let bytes = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    Zeroizing::new(STANDARD.encode(bytes).into_bytes())
}

/// Tells whether a typed password is the only one that bcrypt takes for itself, so that a plain hash that it matches was
/// made from it.
///
/// With 72 bytes or more it may not be. The same goes for a NUL inside: bcrypt repeats a short password, each time followed
/// by a NUL, so `pass` and `pass\0pass` are the same to it. Such a password signs in, as it did where the hash comes from,
/// but no hash is made from it: the new one would read every byte, so a typing mistake would become the only right
/// password.
fn bcrypt_tells_apart(typed: &[u8]) -> bool {
    typed.len() < BCRYPT_READS && !typed.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_hash_of_an_older_pepper_is_verified_and_outdated() {
        let pepper = |id, byte| Pepper { id: PepperId(id), key: Zeroizing::new(vec![byte; 32]) };
        let stored = hasher(4).hash(&password("x")).unwrap();
        let newer = PasswordHasher::new(4, pepper(9, 3)).knowing(vec![pepper(8, 2), pepper(7, 1)]);
        assert_eq!(newer.verify(&password("x"), &stored), Verification::RightButOutdated);
        assert_eq!(newer.verify(&password("y"), &stored), Verification::Wrong);
        let renewed = newer.hash(&password("x")).unwrap();
        assert!(renewed.starts_with("hmac-sha384:9:"));
        assert_eq!(newer.verify(&password("x"), &renewed), Verification::Right);
    }

    #[test]
    fn a_hash_of_another_pepper_or_none_at_all_is_nobodys() {
        let other = PasswordHasher::new(4, Pepper { id: PepperId(8), key: Zeroizing::new(vec![1; 32]) });
        let stored = other.hash(&password("x")).unwrap();
        for stored in [stored.as_str(), "", "garbage", "$2b$", "hmac-sha384:7:", "hmac-sha384:7:$2b$04$short"] {
            assert_eq!(hasher(4).verify(&password("x"), stored), Verification::Wrong, "{stored}");
        }
    }

    /// Verifies, and returns the work of that too.
    fn measured(hasher: &PasswordHasher, typed: &str, stored: Option<&str>) -> (Verification, u64) {
        let before = hasher.work();
        let verification = match stored {
            Some(stored) => hasher.verify(&password(typed), stored),
            None => hasher.verify_absent(&password(typed)),
        };
        (verification, hasher.work() - before)
    }

    #[test]
    fn every_refusal_is_as_much_work_as_a_new_hash_whatever_is_stored() {
        let older = |cost| PasswordHasher::new(cost, Pepper { id: PepperId(6), key: Zeroizing::new(vec![2; 32]) });
        let current = hasher(8).knowing(vec![older(8).pepper]);
        let other = PasswordHasher::new(4, Pepper { id: PepperId(8), key: Zeroizing::new(vec![1; 32]) });
        let mut stored = vec![None, Some(other.hash(&password("right")).unwrap()), Some("garbage".into())];
        stored.extend(["$2b$99$", "$2b$03$", "hmac-sha384:7:$2b$08$short"].map(|text| Some(text.to_owned())));
        for cost in 4..=8 {
            stored.push(Some(hasher(cost).hash(&password("right")).unwrap()));
            stored.push(Some(older(cost).hash(&password("right")).unwrap()));
            stored.push(Some(bcrypt::hash("right", cost).unwrap()));
            // Of a cost that bcrypt does not know.
            stored.push(Some(bcrypt::hash("right", cost).unwrap().replacen(&format!("$0{cost}$"), "$03$", 1)));
        }
        for stored in stored {
            let stored = stored.as_deref();
            assert_eq!(measured(&current, "wrong", stored), (Verification::Wrong, 1 << 8), "{stored:?}");
            // An account that is not active is refused although the password is right.
            assert_eq!(measured(&current, "right", stored).1, 1 << 8, "{stored:?}");
        }
    }

    #[test]
    fn a_hash_that_costs_more_than_a_new_one_costs_what_it_does_and_no_more() {
        let stored = hasher(6).hash(&password("right")).unwrap();
        assert_eq!(measured(&hasher(4), "wrong", Some(&stored)), (Verification::Wrong, 1 << 6));
        assert_eq!(measured(&hasher(4), "right", Some(&stored)), (Verification::RightButOutdated, 1 << 6));
    }

    #[test]
    fn no_hash_is_made_from_a_password_that_a_plain_hash_may_not_have_been_made_from() {
        let long = "x".repeat(72);
        for (original, typed, found) in [
            (&*long, format!("{long}y"), Verification::Right),
            (&format!("{long}original"), format!("{long}typo"), Verification::Right),
            // Without its end; from then on, the whole one would be wrong.
            (&format!("{long}original"), long.clone(), Verification::Right),
            ("pass", "pass\0pass".to_owned(), Verification::Right),
            (&long[1..], long[1..].to_owned(), Verification::RightButOutdated),
            ("pass", "pass".to_owned(), Verification::RightButOutdated),
            (&long[1..], long.clone(), Verification::Wrong),
        ] {
            let stored = bcrypt::hash(original, 4).unwrap();
            assert_eq!(hasher(4).verify(&password(&typed), &stored), found, "{original} {typed:?}");
        }
        // One of ours reads every byte, so there is nothing to be unsure of.
        let stored = hasher(5).hash(&password(&long)).unwrap();
        assert_eq!(hasher(4).verify(&password(&long), &stored), Verification::RightButOutdated);
    }
}
