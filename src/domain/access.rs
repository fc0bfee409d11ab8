//! The claims of an access token.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::id::{SessionId, UserId};

/// How far in the future `iat` or `nbf` may lie, in seconds: nodes' clocks differ a little.
///
/// `exp` gets no leeway at all: it is compared with the clock of a server, and a token that expired a second too
/// early costs one rotation that nobody sees.
pub const LEEWAY_SECONDS: i64 = 5;

/// The claims as they stand in the token: RFC 9068's set without anything personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the public URL.
    pub iss: String,
    /// Whom it is for: the pages of the public URL.
    pub aud: String,
    /// The user.
    pub sub: String,
    /// The sign-in.
    pub sid: String,
    /// When it was issued, in Unix seconds.
    pub iat: u32,
    /// When it expires, in Unix seconds.
    pub exp: u32,
    /// Its own name, so that no two tokens are alike.
    pub jti: String,
    /// When the password was last entered, in Unix seconds.
    pub auth_time: u32,
    /// Not issued by us, but obeyed where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u32>,
}

/// A verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The user it was issued for.
    pub user: UserId,
    /// The sign-in it belongs to.
    pub session: SessionId,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
    /// When it expires.
    pub expires_at: OffsetDateTime,
    /// When the password was last entered.
    pub authenticated_at: OffsetDateTime,
}

impl AccessToken {
    /// Tells whether the token is in force at `now`.
    pub fn is_current(&self, now: OffsetDateTime) -> bool {
        now < self.expires_at && self.issued_at.unix_timestamp() - now.unix_timestamp() <= LEEWAY_SECONDS
    }
}
