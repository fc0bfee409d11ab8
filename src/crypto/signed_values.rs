//! Values that only we can have written, in cookies.

use cookie::{Cookie, CookieJar, Key};
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};

/// Bytes of a signed value at most; ours are about 140, and a longer one is not worth a hash.
const MAX_BYTES: usize = 512;

/// Signs and verifies the values of one cookie with a key ring, by the `cookie` crate's signed jar (HMAC-SHA256).
#[derive(Clone)]
pub struct SignedValues {
    keys: Vec<Key>,
}

/// Characters of the signature in front of a value: 32 bytes in padded base64.
const SIGNATURE_CHARACTERS: usize = 44;

/// The name under which values pass through the crate's jar; the jar signs the value alone.
const SLOT: &str = "value";

impl SignedValues {
    /// Prepares the keys of the refresh cookie.
    pub fn for_refresh_cookie(keys: &KeyRing) -> Self {
        Self::new(keys, Purpose::RefreshCookie)
    }

    /// Prepares the keys of the form cookie.
    pub fn for_form_cookie(keys: &KeyRing) -> Self {
        Self::new(keys, Purpose::FormCookie)
    }

    fn new(keys: &KeyRing, purpose: Purpose) -> Self {
        Self { keys: keys.derive::<64>(purpose).map(|key| Key::from(key.as_slice())).collect() }
    }

    /// Signs a value with the first key.
    pub fn sign(&self, value: &str) -> Zeroizing<String> {
        let mut jar = CookieJar::new();
        if let Some(key) = self.keys.first() {
            jar.signed_mut(key).add(Cookie::new(SLOT, value.to_owned()));
        }
        Zeroizing::new(jar.get(SLOT).map(|cookie| cookie.value().to_owned()).unwrap_or_default())
    }

    /// Returns what a signed value claims to hold, unverified: good for nothing but deciding whether to verify it.
    pub fn claimed(signed: &str) -> &str {
        signed.get(SIGNATURE_CHARACTERS..).unwrap_or_default()
    }

    /// Returns the value that was signed, if one of the keys signed it.
    pub fn verify(&self, signed: &str) -> Option<Zeroizing<String>> {
        if signed.len() > MAX_BYTES {
            return None;
        }
        let cookie = Cookie::new(SLOT, signed.to_owned());
        let jar = CookieJar::new();
        let verified = self.keys.iter().find_map(|key| jar.signed(key).verify(cookie.clone()));
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

    fn ring(secrets: &[&str]) -> KeyRing {
        let mut secrets = secrets.iter().map(|secret| secret.repeat(32).into());
        KeyRing::new(secrets.next().unwrap(), secrets)
    }

    #[test]
    fn any_key_of_the_ring_verifies_and_no_other() {
        let signed = SignedValues::for_refresh_cookie(&ring(&["a"])).sign("1.2.3");
        let verified = |ring| SignedValues::for_refresh_cookie(&ring).verify(&signed).map(|value| value.to_string());
        assert_eq!(verified(ring(&["a"])).as_deref(), Some("1.2.3"));
        assert_eq!(verified(ring(&["b", "a"])).as_deref(), Some("1.2.3"));
        assert_eq!(verified(ring(&["b"])), None);
        assert_eq!(SignedValues::claimed(&signed), "1.2.3");
        assert!(SignedValues::for_form_cookie(&ring(&["a"])).verify(&signed).is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let values = SignedValues::for_refresh_cookie(&ring(&["a"]));
        let signed = values.sign("session.1.secret").to_string();
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
