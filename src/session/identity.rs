//! Who a request is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use super::epoch::{Epoch, KnownEpoch};
use crate::crypto::WrittenFormToken;
use crate::domain::access_token::{AccessToken, BOUND_LEEWAY_SECONDS, is_current};
use crate::domain::audience::Audience;
use crate::domain::event::Theft;
use crate::domain::id::SessionId;
use crate::domain::session::{Session, end_of_minute};
use crate::domain::user::User;

/// A person who is signed in: who, by which session, until when unless renewed.
///
/// There is one for everybody who is active, so it is small: times are in Unix seconds, and the allocator rounds what is
/// larger up to 320 bytes.
#[derive(Debug)]
pub struct Identity {
    user: User,
    session: SessionId,
    audience: Audience,
    kept: bool,
    shared_computer: bool,
    bound: bool,
    beside_refresh: bool,
    access_issued_at: i64,
    access_expires_at: i64,
    authenticated_at: i64,
    created_at: i64,
    expires_at: i64,
    theft: Option<Box<Theft>>,
    /// 0 where there is nothing to tell.
    away_from: AtomicI64,
    /// The last minute in which a use was noted, in minutes since 1970.
    noted: AtomicU32,
    form_token: OnceLock<WrittenFormToken>,
    epoch: KnownEpoch,
    read_at: u32,
}

// What the allocator has a size of its own for, less the two counts of an `Arc`.
const _: () = assert!(size_of::<Identity>() <= 256 - 2 * size_of::<usize>(), "an identity has grown");

/// When the rows of an identity were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// The epoch that was current before.
    pub(super) epoch: Epoch,
    /// The running time, in whole seconds; 136 years of them are enough.
    elapsed: u32,
}

impl Reading {
    /// Notes that rows are about to be read.
    pub(super) fn at(epoch: Epoch, elapsed: Duration) -> Self {
        Self { epoch, elapsed: seconds(elapsed) }
    }

    /// Returns how long ago that was.
    pub(super) fn age(&self, elapsed: Duration) -> Duration {
        Duration::from_secs(seconds(elapsed).saturating_sub(self.elapsed).into())
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

impl Identity {
    /// Makes the identity of a session and its user, as they were read.
    pub(super) fn new(
        user: User,
        session: &Session,
        access: AccessToken,
        theft: Option<Theft>,
        away_from: Option<OffsetDateTime>,
        read: Reading,
    ) -> Self {
        Self {
            user,
            session: access.session,
            audience: access.audience,
            kept: session.kept,
            shared_computer: session.shared_computer,
            bound: session.is_bound(),
            beside_refresh: counts_beside_refresh(session),
            access_issued_at: access.issued_at.unix_timestamp(),
            access_expires_at: access.expires_at.unix_timestamp(),
            authenticated_at: access.authenticated_at.unix_timestamp(),
            created_at: session.created_at.unix_timestamp(),
            expires_at: session.expires_at.unix_timestamp(),
            theft: theft.map(Box::new),
            away_from: AtomicI64::new(away_from.map_or(0, OffsetDateTime::unix_timestamp)),
            noted: AtomicU32::new(minute(session.last_seen_at)),
            form_token: OnceLock::new(),
            epoch: KnownEpoch::new(read.epoch),
            read_at: read.elapsed,
        }
    }

    /// Makes the same identity for another access token of its session; what no page has told yet goes with it.
    pub(super) fn renewed(&self, session: &Session, access: AccessToken) -> Self {
        self.with(session, self.user.clone(), self.theft.clone(), access, self.read())
    }

    /// Makes the same identity for another access token, with the user, and what they are to be warned of, as they were
    /// read just now.
    pub(super) fn reread(
        &self,
        session: &Session,
        user: User,
        theft: Option<Theft>,
        access: AccessToken,
        read: Reading,
    ) -> Self {
        self.with(session, user, theft.map(Box::new), access, read)
    }

    fn with(
        &self,
        session: &Session,
        user: User,
        theft: Option<Box<Theft>>,
        access: AccessToken,
        read: Reading,
    ) -> Self {
        Self {
            user,
            session: access.session,
            bound: session.is_bound(),
            beside_refresh: counts_beside_refresh(session),
            access_issued_at: access.issued_at.unix_timestamp(),
            access_expires_at: access.expires_at.unix_timestamp(),
            authenticated_at: access.authenticated_at.unix_timestamp(),
            theft,
            away_from: AtomicI64::new(self.away_from.swap(0, Ordering::Relaxed)),
            noted: AtomicU32::new(self.noted.load(Ordering::Relaxed)),
            form_token: OnceLock::new(),
            epoch: KnownEpoch::new(read.epoch),
            read_at: read.elapsed,
            ..*self
        }
    }

    /// Returns the user, as the database had them at most a second ago.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Returns the session that signs them in.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Returns what the tokens of the session are for.
    pub(crate) fn audience(&self) -> Audience {
        self.audience
    }

    /// Returns the access token, or the one that is about to be issued.
    pub fn access(&self) -> AccessToken {
        AccessToken {
            audience: self.audience,
            user: self.user.id,
            session: self.session,
            issued_at: moment(self.access_issued_at),
            expires_at: moment(self.access_expires_at),
            authenticated_at: moment(self.authenticated_at),
        }
    }

    /// Returns when the access token expires, in Unix seconds.
    pub(super) fn access_expires_at(&self) -> i64 {
        self.access_expires_at
    }

    /// Tells whether the access token is in force at `now`.
    pub(super) fn is_current(&self, now: OffsetDateTime) -> bool {
        let leeway = if self.bound { BOUND_LEEWAY_SECONDS } else { 0 };
        is_current(self.access_issued_at, self.access_expires_at.saturating_add(leeway), now)
    }

    /// Tells whether the access token counts only beside a refresh token of its session.
    pub(super) fn counts_beside_refresh(&self) -> bool {
        self.beside_refresh
    }

    /// Tells whether the session was bound to its device when the access token was issued.
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// Tells whether "keep me signed in" was checked.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Tells whether others use the computer too.
    pub fn is_on_shared_computer(&self) -> bool {
        self.shared_computer
    }

    /// Returns when the session began.
    pub fn created_at(&self) -> OffsetDateTime {
        moment(self.created_at)
    }

    /// Returns when the session ends for good.
    pub fn expires_at(&self) -> OffsetDateTime {
        moment(self.expires_at)
    }

    /// Returns the theft that every page of the user warns of, until they have taken note of it.
    pub fn theft(&self) -> Option<&Theft> {
        self.theft.as_deref()
    }

    /// Returns when the user was last here, where they come back after a pause and have not been greeted; nothing once it
    /// was asked.
    pub(super) fn take_away_from(&self) -> Option<OffsetDateTime> {
        // Most requests only look.
        if self.away_from.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let taken = self.away_from.swap(0, Ordering::Relaxed);
        OffsetDateTime::from_unix_timestamp(taken).ok().filter(|_| taken != 0)
    }

    /// Returns the token in the forms of this session's pages, which `make` makes the first time it is asked for; empty as
    /// long as it cannot.
    pub fn form_token(&self, make: impl FnOnce() -> Option<WrittenFormToken>) -> &str {
        if self.form_token.get().is_none()
            && let Some(made) = make()
        {
            return self.form_token.get_or_init(|| made).as_str();
        }
        self.form_token.get().map_or("", WrittenFormToken::as_str)
    }

    /// Returns when the rows were read, or up to which epoch they are known to be unchanged.
    pub(super) fn read(&self) -> Reading {
        Reading { epoch: self.epoch.get(), elapsed: self.read_at }
    }

    /// Notes that nothing changed about the rows until `epoch`.
    pub(super) fn note_unchanged_until(&self, epoch: Epoch) {
        self.epoch.raise(epoch);
    }

    /// Returns the end of the minute of a use at `now`, if no use was noted in that minute yet.
    pub(super) fn note_use(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if now.unix_timestamp() <= i64::from(self.noted.load(Ordering::Relaxed)) * 60 {
            return None;
        }
        self.noted.fetch_max(minute(now), Ordering::Relaxed);
        Some(end_of_minute(now))
    }
}

/// Tells whether access tokens of a session count only beside a refresh token: where the session ends with the browser, and
/// the access cookie has an end of its own, because nothing else would make the browser renew it by a proof.
fn counts_beside_refresh(session: &Session) -> bool {
    !session.kept && session.proving_key().is_some()
}

/// Counts the minutes that have begun since 1970, as [`end_of_minute`] rounds.
fn minute(at: OffsetDateTime) -> u32 {
    u32::try_from(end_of_minute(at).unix_timestamp() / 60).unwrap_or_default()
}

/// Returns the moment of a time that was taken from one.
fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
