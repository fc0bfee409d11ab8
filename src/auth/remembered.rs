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
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::domain::access::AccessToken;
use crate::domain::event::Theft;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::changes::Change;

/// Tokens remembered at most; past that the least used are verified anew.
const CAPACITY: u64 = 200_000;

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
    pub(super) fn new(user: User, session: &Session, access: AccessToken, news: News, tick: u64) -> Self {
        let noted = AtomicI64::new(session.last_seen_at.unix_timestamp());
        let away = AtomicI64::new(news.away.whole_seconds());
        Self { user, session: session.into(), access, theft: news.theft.map(Box::new), tick, noted, away }
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

/// The key under which a token is remembered: as good as the whole token, and a tenth of its size.
pub(super) type TokenDigest = [u8; 32];

/// The memory of one process.
pub(super) struct Remembered {
    grants: Cache<TokenDigest, Arc<Grant>>,
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
            grants: Cache::builder().max_capacity(CAPACITY).time_to_live(life).build(),
            tick: AtomicU64::new(0),
            doubted: AtomicU64::new(0),
            changes: RwLock::default(),
            heard: AtomicU64::new(0),
            seen: Mutex::default(),
            keep: life + MARGIN,
        }
    }

    pub(super) fn digest(token: &str) -> TokenDigest {
        Sha256::digest(token.as_bytes()).into()
    }

    /// Returns the current tick; take it before reading the rows of a grant.
    pub(super) fn tick(&self) -> u64 {
        self.tick.load(Ordering::SeqCst)
    }

    pub(super) fn insert(&self, digest: TokenDigest, grant: Arc<Grant>) {
        self.grants.insert(digest, grant);
    }

    /// Returns the grant of a token that was verified before, if it is in force and nothing is known against it.
    pub(super) fn get(&self, digest: &TokenDigest, now: OffsetDateTime, elapsed: Duration) -> Option<Arc<Grant>> {
        let grant = self.grants.get(digest)?;
        (grant.access.is_current(now) && self.trusts(elapsed) && !self.is_outdated(&grant)).then_some(grant)
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
