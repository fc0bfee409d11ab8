//! What this process remembers of verified access tokens, and when it must ask again.
//!
//! A signed-in page costs no database call: an access token that was verified, together with its user and the facts of
//! its sign-in, is remembered for one access life. Whatever changes in the database (a revocation, a rename, a
//! deactivation, by this process, another one, or by hand) is told by the `changes` table; a remembered token that it
//! concerns is looked up anew, so the database has the last word.
//!
//! The order that makes this right: a grant carries the tick that was current *before* its rows were read. A change is
//! given a later tick when it is noticed, and it was committed before it was noticed; so a grant whose rows were read
//! before the change has an earlier tick than the change, and is asked about again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use time::OffsetDateTime;

use super::grants::{Grants, TokenTag};
use crate::crypto::WrittenFormToken;
use crate::domain::access::AccessToken;
use crate::domain::event::Theft;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::changes::Change;

/// Tokens remembered at most; past that those not used lately are verified anew.
const CAPACITY: usize = 200_000;

/// How long this process trusts its memory without having heard from the database.
const TRUST: Duration = Duration::from_secs(5);

/// How often the last use of a sign-in is noted.
const SEEN_INTERVAL: time::Duration = time::Duration::MINUTE;

/// A longer life than any access token's, after which a change is forgotten: nothing remembered is older.
const MARGIN: Duration = Duration::from_secs(60);

/// What never changes about a sign-in, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it ends for good.
    pub expires_at: OffsetDateTime,
    /// Whether "keep me signed in" was checked.
    pub kept: bool,
}

impl From<&Session> for SessionFacts {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id,
            user: session.user_id,
            created_at: session.created_at,
            expires_at: session.expires_at,
            kept: session.kept,
        }
    }
}

/// A person is signed in: who, by which sign-in, until when unless renewed.
#[derive(Debug)]
pub struct Grant {
    /// The user, as the database knows them.
    pub user: User,
    /// The sign-in.
    pub session: SessionFacts,
    /// The access token, or the one that is about to be issued.
    pub access: AccessToken,
    /// The theft that this sign-in is the first after: its user is to be warned.
    pub theft: Option<Box<Theft>>,
    tick: u64,
    noted: AtomicI64,
    away: AtomicI64,
    form: OnceLock<WrittenFormToken>,
    since: u32,
}

/// What the user of a grant is to be told.
#[derive(Debug, Clone, Default)]
pub(super) struct News {
    /// The theft that the sign-in is the first after.
    pub(super) theft: Option<Theft>,
    /// How long the user had been away before this device signed them in by itself.
    pub(super) away: time::Duration,
}

impl Grant {
    /// Makes the grant of a sign-in that was read at `tick`, at the monotonic time `elapsed`.
    pub(super) fn new(
        user: User,
        session: &Session,
        access: AccessToken,
        news: News,
        tick: u64,
        elapsed: Duration,
    ) -> Self {
        let since = seconds(elapsed);
        let noted = AtomicI64::new(session.last_seen_at.unix_timestamp());
        let away = AtomicI64::new(news.away.whole_seconds());
        let (theft, form) = (news.theft.map(Box::new), OnceLock::new());
        Self { user, session: session.into(), access, theft, tick, noted, away, form, since }
    }

    /// Returns the token in the forms of this sign-in's pages, which `make` makes the first time it is asked for.
    pub(crate) fn form_token(&self, make: impl FnOnce() -> WrittenFormToken) -> &str {
        self.form.get_or_init(make).as_str()
    }

    /// Returns when this was made, in whole seconds of the monotonic clock.
    pub(super) fn since(&self) -> u32 {
        self.since
    }

    /// Returns how long the user had been away before this device signed them in by itself; nothing once it was asked.
    pub fn take_away(&self) -> time::Duration {
        time::Duration::seconds(self.away.swap(0, Ordering::Relaxed))
    }

    /// Returns what no page has told yet, for the next grant of the same sign-in.
    pub(super) fn untold(&self) -> News {
        News { theft: self.theft.as_deref().cloned(), away: self.take_away() }
    }
}

/// The memory of one process.
pub(super) struct Remembered {
    grants: Grants,
    tick: AtomicU64,
    /// Grants of an earlier tick are outdated, whatever changed.
    doubted: AtomicU64,
    changes: RwLock<HashMap<Change, (u64, Duration)>>,
    heard: AtomicU64,
    seen: Mutex<HashMap<SessionId, OffsetDateTime>>,
    keep: Duration,
}

impl Remembered {
    pub(super) fn new(access_life: time::Duration) -> Self {
        let life = Duration::from_secs(access_life.whole_seconds().unsigned_abs());
        Self {
            grants: Grants::new(CAPACITY, life),
            tick: AtomicU64::new(0),
            doubted: AtomicU64::new(0),
            changes: RwLock::default(),
            heard: AtomicU64::new(0),
            seen: Mutex::default(),
            keep: life + MARGIN,
        }
    }

    /// Returns what stands for a token here.
    pub(super) fn tag(&self, token: &str) -> TokenTag {
        self.grants.tag(token)
    }

    /// Returns the current tick; take it before reading the rows of a grant.
    pub(super) fn tick(&self) -> u64 {
        self.tick.load(Ordering::SeqCst)
    }

    pub(super) fn insert(&self, tag: TokenTag, grant: Arc<Grant>, elapsed: Duration) {
        self.grants.insert(tag, grant, elapsed);
    }

    /// Returns the grant of a token that was verified before, if it still stands.
    pub(super) fn get(&self, tag: TokenTag, now: OffsetDateTime, elapsed: Duration) -> Option<Arc<Grant>> {
        self.grants.get(tag).filter(|grant| self.stands(grant, now, elapsed))
    }

    /// Tells whether a grant is in force and nothing is known against it.
    pub(super) fn stands(&self, grant: &Grant, now: OffsetDateTime, elapsed: Duration) -> bool {
        grant.access.is_current(now)
            && self.grants.is_fresh(grant, elapsed)
            && self.trusts(elapsed)
            && !self.is_outdated(grant)
    }

    /// Forgets tokens that have expired.
    pub(super) fn sweep(&self, now: OffsetDateTime, elapsed: Duration) {
        self.grants.sweep(now, elapsed);
    }

    /// Tells whether the database was heard from lately.
    fn trusts(&self, elapsed: Duration) -> bool {
        elapsed.saturating_sub(Duration::from_millis(self.heard.load(Ordering::SeqCst))) <= TRUST
    }

    fn is_outdated(&self, grant: &Grant) -> bool {
        if self.tick() == grant.tick {
            return false;
        }
        if grant.tick < self.doubted.load(Ordering::SeqCst) {
            return true;
        }
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        [Change::Session(grant.session.id), Change::User(grant.user.id)]
            .iter()
            .any(|change| changes.get(change).is_some_and(|(tick, _)| *tick > grant.tick))
    }

    /// Notes what was committed, by this process or another.
    pub(super) fn apply(&self, found: &[Change], elapsed: Duration) {
        if found.is_empty() {
            return;
        }
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        changes.retain(|_, (_, at)| elapsed.saturating_sub(*at) <= self.keep);
        let tick = self.tick() + 1;
        changes.extend(found.iter().map(|change| (*change, (tick, elapsed))));
        self.tick.store(tick, Ordering::SeqCst);
    }

    /// Notes that anything may have changed, unheard: every grant of before is asked about again.
    pub(super) fn doubt_all(&self) {
        // Under the lock of `apply`, so that the two do not give out one tick.
        let _changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        let tick = self.tick() + 1;
        self.doubted.store(tick, Ordering::SeqCst);
        self.tick.store(tick, Ordering::SeqCst);
    }

    /// Notes that the database was heard from and everything it said is applied.
    pub(super) fn heard(&self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.heard.fetch_max(millis, Ordering::SeqCst);
    }

    /// Notes that a sign-in was used, at most once a minute; the background writes it down.
    pub(super) fn note_seen(&self, grant: &Grant, now: OffsetDateTime) {
        let noted = grant.noted.load(Ordering::Relaxed);
        if now.unix_timestamp() - noted >= SEEN_INTERVAL.whole_seconds() {
            grant.noted.store(now.unix_timestamp(), Ordering::Relaxed);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(grant.session.id, now);
        }
    }

    /// Returns when a sign-in was last used, where that is not written down yet.
    pub(super) fn seen(&self, session: SessionId) -> Option<OffsetDateTime> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied()
    }

    /// Returns what is to be written down.
    pub(super) fn seen_to_write(&self) -> Vec<(SessionId, OffsetDateTime)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(id, at)| (*id, *at)).collect()
    }

    /// Forgets what was written down, unless it is newer by now.
    pub(super) fn seen_written(&self, written: &[(SessionId, OffsetDateTime)]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, at) in written {
            if seen.get(id) == Some(at) {
                seen.remove(id);
            }
        }
    }
}

/// Counts whole seconds; 136 years of them are enough.
pub(super) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::token::SecretHash;
    use crate::domain::user::Role;

    pub(in crate::auth) const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    /// Makes a grant of a user's, whose token expires 15 minutes from `NOW`.
    pub(crate) fn grant(user: i64) -> Arc<Grant> {
        grant_since(user, Duration::ZERO)
    }

    /// Makes one at a monotonic time.
    pub(in crate::auth) fn grant_since(user: i64, elapsed: Duration) -> Arc<Grant> {
        let user = User {
            id: UserId(user),
            email: "ada@example.org".to_owned(),
            full_name: "Ada Lovelace".to_owned(),
            role: Role::User,
            is_active: true,
            last_login_at: None,
            theft_noticed_at: None,
        };
        let session = Session {
            id: SessionId::from_bytes([7; 16]),
            user_id: user.id,
            generation: 0,
            token_hash: SecretHash::from_bytes([0; 32]),
            previous_hash: None,
            rotated_at: NOW,
            created_at: NOW,
            authenticated_at: NOW,
            last_seen_at: NOW,
            expires_at: NOW + time::Duration::DAY,
            kept: true,
            revoked: None,
            user_agent: String::new(),
            address: String::new(),
        };
        let access = AccessToken {
            user: user.id,
            session: session.id,
            issued_at: NOW,
            expires_at: NOW + time::Duration::minutes(15),
            authenticated_at: NOW,
        };
        Arc::new(Grant::new(user, &session, access, News::default(), 0, elapsed))
    }

    #[test]
    fn a_change_of_the_session_or_of_its_user_makes_a_process_ask_again() {
        for change in [Change::Session(SessionId::from_bytes([7; 16])), Change::User(UserId(1))] {
            let remembered = Remembered::new(time::Duration::minutes(15));
            let tag = remembered.tag("token");
            remembered.insert(tag, grant(1), Duration::ZERO);
            remembered.apply(&[Change::User(UserId(2))], Duration::ZERO);
            assert!(remembered.get(tag, NOW, Duration::ZERO).is_some());
            remembered.apply(&[change], Duration::ZERO);
            assert!(remembered.get(tag, NOW, Duration::ZERO).is_none());
        }
    }

    #[test]
    fn memory_is_trusted_for_five_seconds_after_the_database_was_heard() {
        let remembered = Remembered::new(time::Duration::minutes(15));
        let tag = remembered.tag("token");
        remembered.insert(tag, grant(1), Duration::ZERO);
        assert!(remembered.get(tag, NOW, Duration::from_secs(5)).is_some());
        assert!(remembered.get(tag, NOW, Duration::from_secs(6)).is_none());
        remembered.heard(Duration::from_secs(6));
        assert!(remembered.get(tag, NOW, Duration::from_secs(6)).is_some());
    }

    #[test]
    fn no_token_outlives_the_memory_of_what_was_changed_though_the_clock_be_set_back() {
        let remembered = Remembered::new(time::Duration::minutes(15));
        let tag = remembered.tag("token");
        remembered.insert(tag, grant(1), Duration::ZERO);
        remembered.apply(&[Change::User(UserId(1))], Duration::ZERO);
        let later = Duration::from_secs(15 * 60) + MARGIN + Duration::from_secs(1);
        remembered.heard(later);
        // This forgets the change; the token is still in force by the wall clock.
        remembered.apply(&[Change::User(UserId(2))], later);
        assert!(remembered.get(tag, NOW, later).is_none());
    }
}
