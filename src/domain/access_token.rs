//! What an access token says once it is verified.

use time::OffsetDateTime;

use crate::domain::audience::Audience;
use crate::domain::id::{SessionId, UserId};

/// How far in the future `iat` or `nbf` may lie, in seconds: the clocks of nodes differ a little.
///
/// `exp` gets no leeway: it is compared with the clock of a server, and a token that expires a second early costs one
/// renewal that nobody notices.
pub const LEEWAY_SECONDS: i64 = 5;

/// How long past `exp` an access token of a bound sign-in still counts, in seconds: its browser renews beside the requests
/// for pages, and what was on its way when the token ran out must not be turned away. A copy is worth as much more.
pub const BOUND_LEEWAY_SECONDS: i64 = 10;

/// A verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// What it is for.
    pub audience: Audience,
    /// The user it was issued for.
    pub user: UserId,
    /// The session it belongs to.
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
        is_current(self.issued_at.unix_timestamp(), self.expires_at.unix_timestamp(), now)
    }

    /// Tells whether the token is in force at `now` if its sign-in is bound to a device.
    pub fn is_current_if_bound(&self, now: OffsetDateTime) -> bool {
        let expires_at = self.expires_at.unix_timestamp().saturating_add(BOUND_LEEWAY_SECONDS);
        is_current(self.issued_at.unix_timestamp(), expires_at, now)
    }
}

/// Tells whether a token of these times, in Unix seconds, is in force at `now`.
pub fn is_current(issued_at: i64, expires_at: i64, now: OffsetDateTime) -> bool {
    let now = now.unix_timestamp();
    now < expires_at && issued_at - now <= LEEWAY_SECONDS
}
