//! The refresh token: what the browser keeps, and what of it the database knows.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::id::SessionId;

/// Bytes of a refresh token's secret: 256 bits, twice what ASVS 5.0 V7.2.3 asks of a session token.
pub const SECRET_BYTES: usize = 32;

/// The part of a refresh token that nobody can guess; wiped from memory when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl RefreshSecret {
    /// Wraps fresh random bytes.
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns what the database keeps of this secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_slice()).into())
    }
}

impl fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshSecret")
    }
}

/// SHA-256 of a [`RefreshSecret`].
///
/// A fast hash is enough: the secret is 256 random bits, so there is nothing to guess.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Wraps a hash read from the database.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the hash as bytes, for the database.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

/// A refresh token: which sign-in, which generation of it, and the secret that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The sign-in it continues.
    pub session: SessionId,
    /// How often the sign-in had been rotated when this token was made; the first is 0.
    pub generation: i64,
    /// The proof.
    pub secret: RefreshSecret,
}

impl RefreshToken {
    /// Writes the token as `session.generation.secret`, for the signed cookie.
    ///
    /// This is the only way out: a token has no `Display`, so it cannot slip into a log or a page.
    pub fn reveal(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.0.as_slice()));
        Zeroizing::new(format!("{}.{}.{}", self.session, self.generation, secret.as_str()))
    }

    /// Tells whether a text claims to be a token of `session`; the rest of it is not looked at.
    pub fn claims(text: &[u8], session: SessionId) -> bool {
        session.strip_from(text).is_some_and(|rest| rest.starts_with(b"."))
    }
}

/// Says that a text is not a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct InvalidRefreshToken;

impl FromStr for RefreshToken {
    type Err = InvalidRefreshToken;

    fn from_str(text: &str) -> Result<Self, InvalidRefreshToken> {
        let mut parts = text.split('.');
        let (Some(session), Some(generation), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRefreshToken);
        };
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        match URL_SAFE_NO_PAD.decode_slice(secret, bytes.as_mut_slice()) {
            Ok(SECRET_BYTES) => {}
            _ => return Err(InvalidRefreshToken),
        }
        let generation = generation.parse().map_err(|_| InvalidRefreshToken)?;
        if generation < 0 {
            return Err(InvalidRefreshToken);
        }
        Ok(Self {
            session: session.parse().map_err(|_| InvalidRefreshToken)?,
            generation,
            secret: RefreshSecret(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RefreshToken {
        RefreshToken {
            session: SessionId::from_bytes([7; 16]),
            generation: 41,
            secret: RefreshSecret::from_bytes([9; SECRET_BYTES]),
        }
    }

    #[test]
    fn a_token_survives_the_way_through_the_cookie() {
        assert_eq!(token().reveal().parse(), Ok(token()));
    }

    #[test]
    fn a_text_claims_to_be_of_the_session_that_it_begins_with() {
        let good = token().reveal();
        let session = token().session;
        assert!(RefreshToken::claims(good.as_bytes(), session));
        assert!(RefreshToken::claims(&[session.to_string().as_bytes(), b".\xFF"].concat(), session));
        let longer = format!("{session}0.41.x");
        for text in
            [&b""[..], b".41.x", &good.as_bytes()[1..], b"\xFF", longer.as_bytes(), session.to_string().as_bytes()]
        {
            assert!(!RefreshToken::claims(text, session), "{}", text.escape_ascii());
        }
        for other in [session.compact(), SessionId::from_bytes([9; 16])] {
            assert!(!RefreshToken::claims(good.as_bytes(), other), "{other}");
            assert!(RefreshToken::claims(format!("{other}.41.x").as_bytes(), other), "{other}");
        }
    }

    #[test]
    fn malformed_tokens_are_refused() {
        let good = token().reveal().to_string();
        let mut cases: Vec<String> = (0..good.len()).filter_map(|end| good.get(..end).map(str::to_owned)).collect();
        cases.push(format!("{good}.x"));
        cases.push(format!("{good}A"));
        cases.push(good.replace(".41.", ".-1."));
        cases.push(good.replace(".41.", ".99999999999999999999."));
        for case in cases {
            assert_eq!(case.parse::<RefreshToken>(), Err(InvalidRefreshToken), "{case}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", token(), token().secret.hash());
        assert!(shown.ends_with("secret: RefreshSecret } SecretHash"), "{shown}");
    }
}
