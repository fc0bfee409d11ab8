//! The token of a link that travels by mail.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use time::Duration;
use zeroize::Zeroizing;

use crate::domain::token::SecretHash;

/// How long a link to set a new password works: long enough for slow mail, short enough that a mailbox that is opened
/// later holds nothing of use.
pub const RESET_LIFE: Duration = Duration::minutes(30);

/// How long a link that confirms an address works: mail may be held back for hours, and people read it the next morning.
pub const CONFIRMATION_LIFE: Duration = Duration::hours(24);

/// How long the links in notices to an owner work, which undo a change of address or end a sign-in: longer than most
/// people are away from their mail.
pub const NOTICE_LINK_LIFE: Duration = Duration::days(7);

/// Bytes of a token: 256 bits, so that there is nothing to guess (ASVS 5.0 V7.2.3 asks for half of that).
const TOKEN_BYTES: usize = 32;

/// The secret in a mailed link; wiped from memory when it goes.
#[derive(Clone)]
pub struct MailToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl MailToken {
    /// Wraps fresh random bytes.
    pub fn from_bytes(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns what the database keeps of this token.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(Sha256::digest(self.0.as_slice()).into())
    }

    /// Writes the token as base64url, for the link and for the cookie that it is moved to.
    ///
    /// This is the only way out: a token has no `Display`, so it cannot slip into a log or a page.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailToken")
    }
}

/// Says that a text is not the token of a mailed link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the token of a mailed link")]
pub struct InvalidMailToken;

impl FromStr for MailToken {
    type Err = InvalidMailToken;

    fn from_str(text: &str) -> Result<Self, InvalidMailToken> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        match URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) {
            Ok(TOKEN_BYTES) => Ok(Self(bytes)),
            _ => Err(InvalidMailToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_way_through_a_link_and_shows_itself_nowhere_else() {
        let token = MailToken::from_bytes([7; TOKEN_BYTES]);
        let read: MailToken = token.reveal().parse().unwrap();
        assert_eq!(read.hash(), token.hash());
        assert_ne!(token.hash(), MailToken::from_bytes([8; TOKEN_BYTES]).hash());
        assert_eq!(format!("{token:?}"), "MailToken");
    }

    #[test]
    fn what_is_garbled_is_no_token() {
        let good = MailToken::from_bytes([7; TOKEN_BYTES]).reveal().to_string();
        let cut = (0..good.len()).map(|end| good[..end].to_owned());
        let garbled = [format!("{good}A"), format!("{good}="), format!("{good}."), good.replace('B', "+"), " ".into()];
        for text in cut.chain(garbled) {
            assert!(text.parse::<MailToken>().is_err(), "{text}");
        }
    }
}
