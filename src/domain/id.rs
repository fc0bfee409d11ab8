//! Identifiers.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A user's number in the database; the `sub` claim of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says that a text is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId)
    }
}

/// Sixteen random bytes, written as 22 characters of unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Random16([u8; 16]);

/// Characters of a 16-byte identifier in unpadded base64url.
const TEXT_LENGTH: usize = 22;

impl Random16 {
    fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidId);
        }
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self(bytes)),
            _ => Err(InvalidId),
        }
    }
}

impl fmt::Display for Random16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LENGTH];
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(text.get(..length).unwrap_or_default()).map_err(|_| fmt::Error)?)
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(Random16);

        impl $name {
            /// Makes an identifier of sixteen random bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Random16(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Random16::parse(text).map(Self)
            }
        }
    };
}

random_id! {
    /// Names one sign-in on one device; the `sid` claim of an access token.
    ///
    /// It is no secret: knowing it opens nothing.
    SessionId
}

random_id! {
    /// Names one browser that is not signed in, so that a form made for it works in it alone.
    FormId
}

impl FormId {
    /// Names the browser in which a sign-in has just ended.
    ///
    /// Two tabs that learn of the end at once then agree on one name, so that the sign-in form of either works. Nothing
    /// is given away: the name is sent to the browser that held the sign-in, and opens nothing.
    pub fn after(ended: SessionId) -> Self {
        Self(ended.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_survives_the_way_through_text() {
        let id = SessionId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_lengths_alphabets_and_trailing_bits_are_refused() {
        for text in ["", "short", "0123456789012345678901", "MDEyMzQ1Njc4OWFiY2RlZg==", "MDEyMzQ1Njc4OWFiY2RlZ!"] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidId), "{text}");
        }
    }
}
