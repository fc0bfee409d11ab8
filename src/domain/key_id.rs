//! The public name of a signing key.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::id::InvalidId;

/// Bytes of a name: enough that no two keys ever share one.
const BYTES: usize = 12;

/// Characters of a name in unpadded base64url.
const TEXT_LENGTH: usize = 16;

/// The public name of a signing key: what access tokens carry as `kid`, and what operators call the key by.
///
/// It is derived from the secret, one way, so it may be shown, logged and stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; BYTES]);

impl KeyId {
    /// Makes a name of the bytes that were derived for it.
    pub fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidId);
        }
        let mut bytes = [0; BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(BYTES) => Ok(Self(bytes)),
            _ => Err(InvalidId),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LENGTH];
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.pad(std::str::from_utf8(text.get(..length).unwrap_or_default()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_and_read_back() {
        let name = "Pfw7yqDtLkQVSn3T";
        assert_eq!(name.parse::<KeyId>().unwrap().to_string(), name);
    }

    #[test]
    fn no_other_text_is_a_name() {
        for text in
            ["", "Pfw7yqDtLkQVSn3", "Pfw7yqDtLkQVSn3TA", "Pfw7yqDtLkQVSn3=", "Pfw7yqDtLkQVSn3 ", "Pfw7yqDtLkQVSn3/"]
        {
            assert!(text.parse::<KeyId>().is_err(), "{text:?}");
        }
    }
}
