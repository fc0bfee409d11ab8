//! Who a request is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use super::epoch::Epoch;
use crate::crypto::WrittenFormToken;
use crate::domain::access_token::AccessToken;
use crate::domain::event::Theft;
use crate::domain::id::SessionId;
use crate::domain::session::{Session, end_of_minute};
use crate::domain::user::User;

/// A person who is signed in: who, by which session, until when unless renewed.
#[derive(Debug)]
pub struct Identity {
    user: User,
    access: AccessToken,
    kept: bool,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    theft: Option<Box<Theft>>,
    /// In Unix seconds, 0 where there is nothing to tell.
    away_from: AtomicI64,
    /// The end of the last minute in which a use was noted, in Unix seconds.
    noted: AtomicI64,
    form_token: OnceLock<WrittenFormToken>,
    read: Reading,
}

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
            access,
            kept: session.kept,
            created_at: session.created_at,
            expires_at: session.expires_at,
            theft: theft.map(Box::new),
            away_from: AtomicI64::new(away_from.map_or(0, OffsetDateTime::unix_timestamp)),
            noted: AtomicI64::new(session.last_seen_at.unix_timestamp()),
            form_token: OnceLock::new(),
            read,
        }
    }

    /// Makes the same identity for another access token; what no page has told yet goes with it.
    pub(super) fn renewed(&self, access: AccessToken) -> Self {
        Self {
            user: self.user.clone(),
            access,
            kept: self.kept,
            created_at: self.created_at,
            expires_at: self.expires_at,
            theft: self.theft.clone(),
            away_from: AtomicI64::new(self.away_from.swap(0, Ordering::Relaxed)),
            noted: AtomicI64::new(self.noted.load(Ordering::Relaxed)),
            form_token: OnceLock::new(),
            read: self.read,
        }
    }

    /// Makes the same identity for another access token, with the user as they were read just now.
    pub(super) fn reread(&self, user: User, access: AccessToken, read: Reading) -> Self {
        Self { user, read, ..self.renewed(access) }
    }

    /// Returns the user, as the database had them at most a second ago.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Returns the session that signs them in.
    pub fn session(&self) -> SessionId {
        self.access.session
    }

    /// Returns the access token, or the one that is about to be issued.
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// Tells whether "keep me signed in" was checked.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Returns when the session began.
    pub fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// Returns when the session ends for good.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// Returns the theft that this session is the first after: its user is to be warned.
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

    /// Returns when the rows were read.
    pub(super) fn read(&self) -> Reading {
        self.read
    }

    /// Returns the end of the minute of a use at `now`, if no use was noted in that minute yet.
    pub(super) fn note_use(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if now.unix_timestamp() <= self.noted.load(Ordering::Relaxed) {
            return None;
        }
        let minute = end_of_minute(now);
        self.noted.fetch_max(minute.unix_timestamp(), Ordering::Relaxed);
        Some(minute)
    }
}
