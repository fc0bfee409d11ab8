//! One sign-in on one device.

use time::{Duration, OffsetDateTime};

use crate::domain::device_key::DeviceKey;
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
    /// How long a message may be under way; see [`Lifetimes::window`].
    pub reuse_grace: Duration,
}

/// How long past [`Lifetimes::idle`] a kept sign-in still lives: a use is noted with the end of its minute, and written
/// down some seconds later, so a sign-in that ended to the second would at times end early.
const IDLE_MARGIN: Duration = Duration::minutes(2);

/// How long a sign-in on a shared computer may be unused: whoever walks away from one forgets to sign out, and half an hour
/// is the longest that OWASP's Session Management Cheat Sheet ("Idle Timeout") allows an application of low risk.
pub const SHARED_IDLE: Duration = Duration::minutes(30);

impl Lifetimes {
    /// Returns the time around a rotation in which nothing rotates again and the replaced token still signs in.
    ///
    /// It is four times the grace: one for the request and one for the answer under way, a third for clocks that are
    /// apart, a half for a process that sleeps, and what is left, which a crashed browser forgets (Chromium writes its
    /// cookies every 30 seconds, so a grace below that protects no crash).
    pub fn window(&self) -> Duration {
        self.reuse_grace * 4
    }

    /// Returns when a sign-in that starts at `now` ends for good.
    pub fn sign_in_ends(&self, now: OffsetDateTime, kept: bool) -> OffsetDateTime {
        now + if kept { self.kept } else { self.browser_session }
    }

    /// Returns the moment after which a kept sign-in must have been used to be alive at `now`; see `Session::idle_end`.
    pub fn idle_since(&self, now: OffsetDateTime) -> OffsetDateTime {
        now.saturating_sub(self.idle).saturating_sub(IDLE_MARGIN)
    }

    /// Returns for how long nothing that is alive can have been signed by a key that does not sign any more.
    ///
    /// A kept sign-in that lives was used within its idle life, and then signed anew; another one lives no longer than the
    /// browser session may. The hour is for whatever was under way.
    pub fn key_outlived(&self) -> Duration {
        self.idle.max(self.browser_session).saturating_add(Duration::HOUR)
    }

    /// Returns the moment after which a sign-in on a shared computer must have been used to be alive at `now`.
    pub fn shared_idle_since(&self, now: OffsetDateTime) -> OffsetDateTime {
        now.saturating_sub(SHARED_IDLE).saturating_sub(IDLE_MARGIN)
    }

    /// Returns when an access token issued at `now` expires: never after its sign-in, and never so late that the sign-in
    /// could idle away unnoticed behind it.
    pub fn access_expires(&self, now: OffsetDateTime, session: &Session) -> OffsetDateTime {
        let life = session.idle_life(self).map_or(self.access, |idle| self.access.min(idle));
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
    /// It was not used for half an hour, on a computer that others use too.
    LeftAlone,
    /// A refresh token of it was used a second time: two parties held it.
    Replayed,
    /// Whoever runs the site ended it.
    RevokedByOperator,
    /// The account was deactivated.
    Deactivated,
    /// The password was changed.
    PasswordChanged,
    /// Eight renewals in a row did not arrive: somebody else may have taken them.
    RenewalsLost,
    /// The database is older than the token: it was restored from a backup.
    Restored,
    /// Its user signed in again in the same browser.
    Replaced,
}

impl EndReason {
    /// Every reason, for tests and for reading it back.
    pub const ALL: [Self; 13] = [
        Self::SignedOut,
        Self::SignedOutEverywhere,
        Self::RevokedOnAnotherDevice,
        Self::Expired,
        Self::Idle,
        Self::LeftAlone,
        Self::Replayed,
        Self::RevokedByOperator,
        Self::Deactivated,
        Self::PasswordChanged,
        Self::RenewalsLost,
        Self::Restored,
        Self::Replaced,
    ];

    /// Returns the reason as the column `revoked_because` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::RevokedOnAnotherDevice => "revoked",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::LeftAlone => "left_alone",
            Self::Replayed => "replayed",
            Self::RevokedByOperator => "revoked_by_operator",
            Self::Deactivated => "deactivated",
            Self::PasswordChanged => "password_changed",
            Self::RenewalsLost => "renewals_lost",
            Self::Restored => "restored",
            Self::Replaced => "replaced",
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
    /// The end of the minute in which it was last used; it never moves back.
    pub last_seen_at: OffsetDateTime,
    /// When it ends for good.
    pub expires_at: OffsetDateTime,
    /// Whether "keep me signed in" was checked.
    pub kept: bool,
    /// Whether it was begun on a computer that others use too; it is not kept then, and may be unused for [`SHARED_IDLE`].
    pub shared_computer: bool,
    /// Set once it was ended before its time; the row is then a tombstone.
    pub revoked: Option<Revocation>,
    /// The browser it was begun in, as it named itself.
    pub user_agent: String,
    /// The address it was last used from.
    pub address: String,
    /// The key of the device that its browser registered right after the password.
    pub device_key: Option<DeviceKey>,
    /// The generation at which that device last proved that it holds the key; none before the first proof.
    pub proved_generation: Option<i64>,
}

impl Session {
    /// Tells why this sign-in is over at `now`, or `None` while it lives.
    ///
    /// Expiry is computed from the time passed in and never written down, so a clock that was wrong for a while ends
    /// nothing for good. The absolute end is exclusive: at that very second it is over. Idleness is never found early:
    /// see [`Session::idle_end`].
    pub fn ended(&self, lifetimes: &Lifetimes, now: OffsetDateTime) -> Option<EndReason> {
        if let Some(revocation) = self.revoked {
            Some(revocation.because)
        } else if now >= self.expires_at {
            Some(EndReason::Expired)
        } else if self.idle_end(lifetimes).is_some_and(|end| now >= end) {
            Some(if self.shared_computer { EndReason::LeftAlone } else { EndReason::Idle })
        } else {
            None
        }
    }

    /// Returns the key that proofs are verified with; none where a rotation without a proof came after one.
    ///
    /// A process of a version that knows no keys rotates without a proof, and leaves the columns as they are.
    pub fn proving_key(&self) -> Option<&DeviceKey> {
        let proved = self.proved_generation.is_none_or(|proved| proved == self.generation);
        self.device_key.as_ref().filter(|_| proved)
    }

    /// Tells whether it is bound to its device: the one that holds the key has proved that at this generation. A key alone
    /// binds nothing: the answer to its registration may have been lost.
    pub fn is_bound(&self) -> bool {
        self.proving_key().is_some() && self.proved_generation.is_some()
    }

    /// Returns for how long the sign-in may be unused; nothing where that does not matter.
    fn idle_life(&self, lifetimes: &Lifetimes) -> Option<Duration> {
        if self.shared_computer { Some(SHARED_IDLE) } else { self.kept.then_some(lifetimes.idle) }
    }

    /// Returns when the sign-in ends if it is not used any more, if it does: two minutes past its idle life.
    pub fn idle_end(&self, lifetimes: &Lifetimes) -> Option<OffsetDateTime> {
        let life = self.idle_life(lifetimes)?;
        Some(self.last_seen_at.saturating_add(life).saturating_add(IDLE_MARGIN))
    }

    /// Returns what `last_seen_at` becomes when the sign-in is used at `now`: the end of that minute, and never earlier
    /// than it was, so that a clock that is behind for a while makes nobody idle.
    pub fn seen(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.last_seen_at.max(end_of_minute(now))
    }

    /// Returns when it ended or will end, for a page that says so.
    pub fn end(&self, lifetimes: &Lifetimes, now: OffsetDateTime) -> OffsetDateTime {
        match (self.revoked, self.ended(lifetimes, now)) {
            (Some(revocation), _) => revocation.at,
            (None, Some(EndReason::Idle | EndReason::LeftAlone)) => self.idle_end(lifetimes).unwrap_or(self.expires_at),
            _ => self.expires_at,
        }
    }
}

/// Rounds up to a whole minute.
pub fn end_of_minute(moment: OffsetDateTime) -> OffsetDateTime {
    let past = Duration::seconds(moment.second().into()) + Duration::nanoseconds(moment.nanosecond().into());
    if past.is_zero() { moment } else { moment.saturating_add(Duration::MINUTE - past) }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    const LIFETIMES: Lifetimes = Lifetimes {
        access: Duration::minutes(15),
        kept: Duration::days(30),
        idle: Duration::days(14),
        browser_session: Duration::hours(24),
        reuse_grace: Duration::seconds(30),
    };

    /// A kept sign-in that has just begun.
    fn session() -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId(1),
            generation: 0,
            token_hash: SecretHash::from_bytes([0; 32]),
            previous_hash: None,
            rotated_at: NOW,
            created_at: NOW,
            authenticated_at: NOW,
            last_seen_at: NOW,
            expires_at: NOW + LIFETIMES.kept,
            kept: true,
            shared_computer: false,
            revoked: None,
            user_agent: String::new(),
            address: String::new(),
            device_key: None,
            proved_generation: None,
        }
    }

    #[test]
    fn every_reason_survives_the_way_through_the_database() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_stored(reason.as_str()), reason);
        }
        assert_eq!(EndReason::from_stored("from the future"), EndReason::RevokedOnAnotherDevice);
    }

    #[test]
    fn the_window_is_four_times_the_grace() {
        assert_eq!(LIFETIMES.window(), Duration::minutes(2));
        assert_eq!(Lifetimes { reuse_grace: Duration::ZERO, ..LIFETIMES }.window(), Duration::ZERO);
    }

    #[test]
    fn the_end_of_a_minute_is_never_before_and_less_than_a_minute_after() {
        assert_eq!(end_of_minute(NOW), NOW);
        assert_eq!(end_of_minute(NOW + Duration::SECOND), NOW + Duration::MINUTE);
        assert_eq!(end_of_minute(NOW + Duration::seconds(59)), NOW + Duration::MINUTE);
        assert_eq!(end_of_minute(NOW + Duration::MINUTE), NOW + Duration::MINUTE);
        let before_midnight = datetime!(2026-12-31 23:59:59 UTC);
        assert_eq!(end_of_minute(before_midnight), datetime!(2027-01-01 0:00 UTC));
        for odd in [Duration::milliseconds(500), Duration::milliseconds(59_500)] {
            assert_eq!(end_of_minute(NOW + odd), NOW + Duration::MINUTE);
        }
    }

    #[test]
    fn a_use_is_noted_with_the_end_of_its_minute_and_never_taken_back() {
        let row = session();
        assert_eq!(row.seen(NOW + Duration::seconds(61)), NOW + Duration::minutes(2));
        for earlier in [Duration::ZERO, Duration::SECOND, Duration::days(365)] {
            assert_eq!(row.seen(NOW - earlier), NOW);
        }
    }

    #[test]
    fn a_use_at_the_end_of_time_is_no_panic() {
        let row = Session { last_seen_at: datetime!(9999-12-31 23:59:59 UTC), ..session() };
        assert!(row.seen(row.last_seen_at) >= row.last_seen_at);
        assert!(row.idle_end(&LIFETIMES) >= Some(row.last_seen_at));
    }

    #[test]
    fn idleness_is_found_two_minutes_late_and_never_early() {
        let row = session();
        let end = NOW + LIFETIMES.idle + Duration::minutes(2);
        assert_eq!(row.idle_end(&LIFETIMES), Some(end));
        assert_eq!(row.ended(&LIFETIMES, end - Duration::SECOND), None);
        assert_eq!(row.ended(&LIFETIMES, end), Some(EndReason::Idle));
        assert_eq!(row.end(&LIFETIMES, end), end);
        let unkept = Session { kept: false, ..row };
        assert_eq!(unkept.ended(&LIFETIMES, end), None);
    }

    #[test]
    fn a_shared_computer_is_left_alone_for_half_an_hour_at_most() {
        let row = Session { kept: false, shared_computer: true, ..session() };
        let end = NOW + Duration::minutes(32);
        assert_eq!(row.idle_end(&LIFETIMES), Some(end));
        assert_eq!(row.ended(&LIFETIMES, end - Duration::SECOND), None);
        assert_eq!(row.ended(&LIFETIMES, end), Some(EndReason::LeftAlone));
        assert_eq!(row.end(&LIFETIMES, end), end);
        assert!(LIFETIMES.shared_idle_since(end) >= row.last_seen_at, "the store finds it as early");
        assert!(LIFETIMES.shared_idle_since(end - Duration::SECOND) < row.last_seen_at);
        let long = Lifetimes { access: Duration::hours(12), ..LIFETIMES };
        assert_eq!(long.access_expires(NOW, &row), NOW + SHARED_IDLE, "no access token hides that it idles away");
    }

    #[test]
    fn a_page_says_when_it_ended_or_will() {
        let row = session();
        assert_eq!(row.end(&LIFETIMES, NOW), row.expires_at);
        assert_eq!(row.ended(&LIFETIMES, row.expires_at), Some(EndReason::Expired), "rather than idle");
        assert_eq!(row.end(&LIFETIMES, row.expires_at), row.expires_at);
        let revoked = Some(Revocation { at: NOW + Duration::HOUR, because: EndReason::RenewalsLost });
        let row = Session { revoked, ..row };
        assert_eq!(row.ended(&LIFETIMES, NOW), Some(EndReason::RenewalsLost));
        assert_eq!(row.end(&LIFETIMES, row.expires_at), NOW + Duration::HOUR);
    }
}
