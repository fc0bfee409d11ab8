//! The secrets, and the keys that are derived from them: each purpose has one of its own.

use std::fmt;

use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::key_id::KeyId;

/// The secrets of one installation, the one that is wanted to sign first.
///
/// It never changes; which of them signs at this moment is in [`KeyState`](super::KeyState).
///
/// No secret is used as it is: for each purpose a key is derived from it (HKDF, RFC 5869), so that a token of one kind can
/// never stand for another (RFC 8725 section 3.12).
#[derive(Clone)]
pub struct KeyRing {
    secrets: Vec<SecretString>,
}

/// What a key is for; the label goes into the derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    AccessToken,
    AccessTokenKeyId,
    RefreshCookie,
    FormCookie,
    FormToken,
    FirstSecret,
    FirstAccount,
    KnownDevice,
    KeptForm,
    ApiAccessToken,
    ApiRefreshToken,
    DeviceChallenge,
    UnprovenTry,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::AccessToken => b"perennial access token v1",
            Self::AccessTokenKeyId => b"perennial access token key id v1",
            Self::RefreshCookie => b"perennial refresh cookie v1",
            Self::FormCookie => b"perennial form cookie v1",
            Self::FormToken => b"perennial form token v1",
            Self::FirstSecret => b"perennial first secret v1",
            Self::FirstAccount => b"perennial first account v1",
            Self::KnownDevice => b"perennial known device v1",
            Self::KeptForm => b"perennial kept form v1",
            Self::ApiAccessToken => b"perennial api access token v1",
            Self::ApiRefreshToken => b"perennial api refresh token v1",
            Self::DeviceChallenge => b"perennial device challenge v1",
            Self::UnprovenTry => b"perennial unproven try v1",
        }
    }
}

impl KeyRing {
    /// Makes a ring of one or more secrets; the first signs.
    #[cfg(any(test, feature = "internals"))]
    pub fn new(first: SecretString, others: impl IntoIterator<Item = SecretString>) -> Self {
        Self { secrets: std::iter::once(first).chain(others).collect() }
    }

    /// Makes a ring of a list of secrets; `None` if it is empty.
    pub fn from_list(secrets: Vec<SecretString>) -> Option<Self> {
        (!secrets.is_empty()).then_some(Self { secrets })
    }

    /// Returns the public names of the keys, in the order of the ring: what access tokens carry as `kid`.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.derive(Purpose::AccessTokenKeyId).map(|id| KeyId::from_bytes(*id)).collect()
    }

    /// Derives one key of `N` bytes a secret, for one purpose, in the order of the ring.
    pub(super) fn derive<const N: usize>(&self, purpose: Purpose) -> impl Iterator<Item = Zeroizing<[u8; N]>> {
        self.secrets.iter().map(move |secret| {
            let mut key = Zeroizing::new([0; N]);
            let source = Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes());
            // HKDF over SHA-256 fails only past 8,160 bytes, and no key here is longer than 64.
            let derived = source.expand(purpose.label(), key.as_mut_slice());
            debug_assert!(derived.is_ok(), "a derived key is too long");
            key
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        KeyRing::new("a".repeat(32).into(), ["b".repeat(32).into()])
    }

    #[test]
    fn every_purpose_and_every_secret_has_a_key_of_its_own() {
        let purposes = [
            Purpose::AccessToken,
            Purpose::AccessTokenKeyId,
            Purpose::RefreshCookie,
            Purpose::FormCookie,
            Purpose::FormToken,
            Purpose::FirstSecret,
            Purpose::FirstAccount,
            Purpose::KnownDevice,
            Purpose::KeptForm,
            Purpose::ApiAccessToken,
            Purpose::ApiRefreshToken,
            Purpose::DeviceChallenge,
            Purpose::UnprovenTry,
        ];
        let mut keys: Vec<_> = purposes
            .into_iter()
            .flat_map(|purpose| ring().derive::<32>(purpose).map(|key| *key).collect::<Vec<_>>())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 26);
        assert!(keys.iter().all(|key| *key != [0; 32]));
    }

    #[test]
    fn the_derivation_never_changes() {
        // Computed by an independent HKDF. A change here signs every user of every installation out.
        let ids: Vec<_> = ring().key_ids().iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["Pfw7yqDtLkQVSn3T", "tiKWSD2BaIH6KJt8"]);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", ring()), "KeyRing");
    }
}
