//! The one cache: from access tokens that were verified to identities.
//!
//! A signed-in page costs no database call: an access token that was verified is remembered with its identity for one
//! access life at most. Whatever changes in the database is told by the `changes` table (by this process, another one, or
//! a hand on SQL); an identity that it concerns is looked up again ([`super::epoch`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use super::ended::Ended;
use super::epoch::Epochs;
use super::identity::{Identity, Reading};
use super::identity_map::IdentityMap;
use crate::crypto::RandomError;
use crate::domain::audience::Audience;
use crate::domain::id::{SessionId, UserId};

/// Tokens remembered at most; past that, those not used lately are verified again.
const CAPACITY: usize = 200_000;

/// How long a session that was revoked is remembered as over.
const ENDED_LIFE: Duration = Duration::from_secs(60);

/// Revoked sessions remembered at most.
const ENDED_CAPACITY: usize = 10_000;

/// How much longer a change is remembered than an identity.
const MARGIN: Duration = Duration::from_secs(60);

/// Identities by access token.
pub(super) struct IdentityCache {
    identities: IdentityMap<Identity>,
    /// Sessions that were revoked, and when that was found.
    ended: Mutex<HashMap<SessionId, (Ended, Duration)>>,
    epochs: Epochs,
    life: Duration,
}

impl IdentityCache {
    /// Makes a cache for access tokens that live for `access_life`.
    ///
    /// # Errors
    /// If there are no random bytes for its key.
    pub(super) fn new(access_life: time::Duration) -> Result<Self, RandomError> {
        let life = access_life.unsigned_abs();
        Ok(Self {
            identities: IdentityMap::new(CAPACITY)?,
            ended: Mutex::default(),
            epochs: Epochs::new(life + MARGIN),
            life,
        })
    }

    /// Returns what outdates an entry.
    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Remembers the identity of an access token.
    pub(super) fn insert(&self, token: &str, identity: Arc<Identity>) {
        self.identities.insert(self.identities.tag(token), identity);
    }

    /// Returns the identity of a token for `audience` that was verified before, if it is still in force and nothing is known
    /// against it.
    pub(super) fn get(
        &self,
        token: &[u8],
        audience: Audience,
        now: OffsetDateTime,
        elapsed: Duration,
    ) -> Option<Arc<Identity>> {
        let found = self.identities.get(self.identities.tag(token));
        found.filter(|identity| identity.audience() == audience && self.is_valid(identity, now, elapsed))
    }

    /// Tells whether an identity is in force and nothing is known against it.
    pub(super) fn is_valid(&self, identity: &Identity, now: OffsetDateTime, elapsed: Duration) -> bool {
        identity.is_current(now) && self.is_up_to_date(identity, elapsed)
    }

    /// Tells whether nothing is known, or may have been forgotten, against what an identity was made from.
    ///
    /// Its rows must not be older than an access life, whatever the wall clock says: so long are changes remembered.
    pub(super) fn is_up_to_date(&self, identity: &Identity, elapsed: Duration) -> bool {
        let read = identity.read();
        if read.age(elapsed) > self.life || !self.epochs.is_in_sync(elapsed) {
            return false;
        }
        let unchanged = self.epochs.unchanged_until(read.epoch, identity.session(), identity.user().id);
        if let Some(epoch) = unchanged {
            identity.note_unchanged_until(epoch);
        }
        unchanged.is_some()
    }

    /// Tells whether something is known against what was read before, or may have been forgotten.
    pub(super) fn may_have_changed(&self, read: Reading, session: SessionId, user: UserId, elapsed: Duration) -> bool {
        read.age(elapsed) > self.life || self.epochs.is_outdated(read.epoch, session, user)
    }

    /// Remembers that a session was revoked.
    pub(super) fn remember_ended(&self, ended: Ended, elapsed: Duration) {
        let mut known = self.ended.lock();
        if known.len() >= ENDED_CAPACITY {
            known.clear();
        }
        known.insert(ended.session, (ended, elapsed));
    }

    /// Returns how a session ended, where that was found within the last minute.
    pub(super) fn ended(&self, session: SessionId, elapsed: Duration) -> Option<Ended> {
        let known = self.ended.lock();
        known.get(&session).filter(|(_, at)| elapsed.saturating_sub(*at) <= ENDED_LIFE).map(|(ended, _)| *ended)
    }

    /// Drops what is over: tokens that have expired, and changes that nobody needs to know of any more.
    pub(super) fn sweep(&self, now: OffsetDateTime, elapsed: Duration) {
        let now = now.unix_timestamp();
        self.identities
            .retain(|identity| now < identity.access_expires_at() && identity.read().age(elapsed) <= self.life);
        self.ended.lock().retain(|_, (_, at)| elapsed.saturating_sub(*at) <= ENDED_LIFE);
        self.epochs.sweep(elapsed);
    }
}
