//! Values that only we can have written, in cookies.

use cookie::{Cookie, CookieJar, Key};
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};

/// Bytes of a signed value at most; ours are about 140, and a longer one is not worth a hash.
const MAX_BYTES: usize = 512;

/// Signs and verifies the values of one cookie, by the `cookie` crate's signed jar (HMAC-SHA256).
#[derive(Clone)]
pub struct SignedValues {
    keys: PerKey<Key>,
}

/// Characters of the signature in front of a value: 32 bytes in padded base64.
pub(super) const SIGNATURE_CHARACTERS: usize = 44;

/// The name under which values pass through the crate's jar; the jar signs the value alone.
const SLOT: &str = "value";

impl SignedValues {
    /// Prepares the keys of the refresh cookie.
    pub fn for_refresh_cookie(keys: &KeyRing, state: &KeyState) -> Self {
        Self::new(keys, state, Purpose::RefreshCookie)
    }

    /// Prepares the keys of the form cookie.
    pub fn for_form_cookie(keys: &KeyRing, state: &KeyState) -> Self {
        Self::new(keys, state, Purpose::FormCookie)
    }

    /// Prepares the keys of the cookie that names a device to the lockout.
    pub fn for_known_device_cookie(keys: &KeyRing, state: &KeyState) -> Self {
        Self::new(keys, state, Purpose::KnownDevice)
    }

    /// Prepares the keys of the API's refresh tokens.
    pub(super) fn for_api_refresh_tokens(keys: &KeyRing, state: &KeyState) -> Self {
        Self::new(keys, state, Purpose::ApiRefreshToken)
    }

    /// Prepares the keys of the cookie that names a try to open a bound sign-in without a proof.
    pub fn for_unproven_try_cookie(keys: &KeyRing, state: &KeyState) -> Self {
        Self::new(keys, state, Purpose::UnprovenTry)
    }

    fn new(keys: &KeyRing, state: &KeyState, purpose: Purpose) -> Self {
        Self { keys: PerKey::new::<64>(keys, state, purpose, |_, key| Key::from(key.as_slice())) }
    }

    /// Signs a value.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn sign(&self, value: &str) -> Result<Zeroizing<String>, NoSigningKey> {
        let mut jar = CookieJar::new();
        jar.signed_mut(self.keys.signing()?).add(Cookie::new(SLOT, value.to_owned()));
        Ok(Zeroizing::new(jar.get(SLOT).map(|cookie| cookie.value().to_owned()).unwrap_or_default()))
    }

    /// Returns what a signed value claims to hold, unverified: good for nothing but deciding whether to verify it.
    pub fn claimed(signed: &[u8]) -> &[u8] {
        signed.get(SIGNATURE_CHARACTERS..).unwrap_or_default()
    }

    /// Returns the value that was signed, if a key signed it that was not dropped.
    pub fn verify(&self, signed: &str) -> Option<Zeroizing<String>> {
        if signed.len() > MAX_BYTES {
            return None;
        }
        let cookie = Cookie::new(SLOT, signed.to_owned());
        let jar = CookieJar::new();
        let verified = self.keys.verifying().find_map(|key| jar.signed(key).verify(cookie.clone()));
        verified.map(|cookie| Zeroizing::new(cookie.value().to_owned()))
    }
}

impl std::fmt::Debug for SignedValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedValues")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_state::tests::{ring, say};

    fn refresh_cookie(letters: &str) -> (SignedValues, KeyState) {
        let (keys, state) = ring(letters);
        (SignedValues::for_refresh_cookie(&keys, &state), state)
    }

    #[test]
    fn any_key_of_the_ring_verifies_and_no_other() {
        let signed = refresh_cookie("a").0.sign("1.2.3").unwrap();
        let verified = |letters| refresh_cookie(letters).0.verify(&signed).map(|value| value.to_string());
        assert_eq!(verified("a").as_deref(), Some("1.2.3"));
        assert_eq!(verified("ba").as_deref(), Some("1.2.3"));
        assert_eq!(verified("b"), None);
        assert_eq!(SignedValues::claimed(signed.as_bytes()), b"1.2.3");
        let (keys, state) = ring("a");
        assert!(SignedValues::for_form_cookie(&keys, &state).verify(&signed).is_none());
        assert!(SignedValues::for_known_device_cookie(&keys, &state).verify(&signed).is_none());
    }

    #[test]
    fn the_key_that_the_database_names_signs_and_a_dropped_one_opens_nothing() {
        let (values, state) = refresh_cookie("ab");
        say(&state, "b", "");
        let signed = values.sign("1.2.3").unwrap();
        assert!(refresh_cookie("b").0.verify(&signed).is_some() && refresh_cookie("a").0.verify(&signed).is_none());
        say(&state, "a", "b");
        assert!(values.verify(&signed).is_none());
        assert!(values.verify(&values.sign("1.2.3").unwrap()).is_some());
        say(&state, "c", "b");
        assert_eq!(values.sign("1.2.3"), Err(NoSigningKey));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (values, _) = refresh_cookie("a");
        let signed = values.sign("session.1.secret").unwrap().to_string();
        for index in 0..signed.len() {
            assert!(values.verify(&signed[..index]).is_none());
            for bit in 0..7 {
                let mut bytes = signed.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                if let Ok(flipped) = String::from_utf8(bytes) {
                    assert!(values.verify(&flipped).is_none(), "{flipped}");
                }
            }
        }
        assert!(values.verify(&"x".repeat(600)).is_none());
    }
}
