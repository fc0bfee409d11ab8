//! One sign-in on one device.

use time::{Duration, OffsetDateTime};

use crate::domain::id::{SessionId, UserId};
use crate::domain::token::SecretHash;

/// How long the parts of a sign-in live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Life of an access token.
    pub access: Duration,
    /// Absolute life of a kept sign-in; it is never extended.
    pub kept: Duration,
    /// A kept sign-in that is not used for this long ends.
    pub idle: Duration,
    /// Absolute life of a sign-in that ends with the browser session.
    pub browser_session: Duration,
    /// How long the token just replaced still signs parallel requests in.
    pub reuse_grace: Duration,
}

impl Lifetimes {
    /// Returns when a sign-in that starts at `now` ends for good.
    pub fn sign_in_ends(&self, now: OffsetDateTime, kept: bool) -> OffsetDateTime {
        now + if kept { self.kept } else { self.browser_session }
    }

    /// Returns when an access token issued at `now` expires: never after its sign-in, and never so late that a kept
    /// sign-in could idle away unnoticed behind it.
    pub fn access_expires(&self, now: OffsetDateTime, session: &Session) -> OffsetDateTime {
        let life = if session.kept { self.access.min(self.idle) } else { self.access };
        (now + life).min(session.expires_at)
    }
}

/// Why a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Its user signed out.
    SignedOut,
    /// Its user signed out everywhere.
    SignedOutEverywhere,
    /// Its user ended it from another device.
    RevokedOnAnotherDevice,
    /// Its absolute life was over.
    Expired,
    /// It was not used for too long.
    Idle,
    /// A refresh token of it was used a second time: two parties held it.
    Replayed,
    /// The account was deactivated.
    Deactivated,
    /// The password was changed.
    PasswordChanged,
}

impl EndReason {
    /// Every reason, for tests and for reading it back.
    pub const ALL: [Self; 8] = [
        Self::SignedOut,
        Self::SignedOutEverywhere,
        Self::RevokedOnAnotherDevice,
        Self::Expired,
        Self::Idle,
        Self::Replayed,
        Self::Deactivated,
        Self::PasswordChanged,
    ];

    /// Returns the reason as the column `revoked_because` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::RevokedOnAnotherDevice => "revoked",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Replayed => "replayed",
            Self::Deactivated => "deactivated",
            Self::PasswordChanged => "password_changed",
        }
    }

    /// Reads the reason back; one that this version does not know was still a revocation.
    pub fn from_stored(text: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::RevokedOnAnotherDevice)
    }
}

/// A revocation: when, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When it was written.
    pub at: OffsetDateTime,
    /// Why.
    pub because: EndReason,
}

/// The row of one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// How often its refresh token was rotated.
    pub generation: i64,
    /// The hash of the secret that is active.
    pub token_hash: SecretHash,
    /// The hash of the secret before it; none before the first rotation.
    pub previous_hash: Option<SecretHash>,
    /// When the active secret was put in place.
    pub rotated_at: OffsetDateTime,
    /// When the sign-in began.
    pub created_at: OffsetDateTime,
    /// When the password was last entered.
    pub authenticated_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_seen_at: OffsetDateTime,
    /// When it ends for good.
    pub expires_at: OffsetDateTime,
    /// Whether "keep me signed in" was checked.
    pub kept: bool,
    /// Set once it was ended before its time; the row is then a tombstone.
    pub revoked: Option<Revocation>,
    /// The browser it was begun in, as it named itself.
    pub user_agent: String,
    /// The address it was last used from.
    pub address: String,
}

impl Session {
    /// Tells why this sign-in is over at `now`, or `None` while it lives.
    ///
    /// Expiry is computed from the time passed in and never written down, so a clock that was wrong for a while ends
    /// nothing for good. The absolute end and the idle limit are exclusive: at that very second it is over.
    pub fn ended(&self, lifetimes: &Lifetimes, now: OffsetDateTime) -> Option<EndReason> {
        if let Some(revocation) = self.revoked {
            Some(revocation.because)
        } else if now >= self.expires_at {
            Some(EndReason::Expired)
        } else if self.kept && now - self.last_seen_at >= lifetimes.idle {
            Some(EndReason::Idle)
        } else {
            None
        }
    }

    /// Returns when it ended or will end, for a page that says so.
    pub fn end(&self, lifetimes: &Lifetimes, now: OffsetDateTime) -> OffsetDateTime {
        match (self.revoked, self.ended(lifetimes, now)) {
            (Some(revocation), _) => revocation.at,
            (None, Some(EndReason::Idle)) => self.last_seen_at + lifetimes.idle,
            _ => self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_way_through_the_database() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_stored(reason.as_str()), reason);
        }
        assert_eq!(EndReason::from_stored("from the future"), EndReason::RevokedOnAnotherDevice);
    }
}
