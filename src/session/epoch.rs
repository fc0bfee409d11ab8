//! What outdates an entry of the identity cache.
//!
//! An identity carries the epoch that was current *before* its rows were read. A change is given a later epoch when it is
//! noticed, and it was committed before it was noticed. So an identity whose rows were read before the change has an
//! earlier epoch than the change, and is looked up again; the database has the last word. Where the later changes concern
//! others alone, the identity is as good as one of the current epoch, and carries that from then on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::domain::id::{SessionId, UserId};
use crate::store::changes::Change;

/// How long this process trusts its memory without having heard from the database.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// Changes remembered at most, some five megabytes; past that, every identity is looked up again.
const CAPACITY: usize = 65_536;

/// Changes that may be left once those that nobody needs any more were looked for: with more, that would be looked for
/// again soon, through all of them, and each revocation would wait for it.
const CAPACITY_AFTER_PRUNING: usize = CAPACITY / 2;

/// A point in the order of the changes that this process knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

/// The epoch up to which somebody knows of no change; it only moves on.
#[derive(Debug)]
pub(super) struct KnownEpoch(AtomicU64);

impl KnownEpoch {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self(AtomicU64::new(epoch.0))
    }

    pub(super) fn get(&self) -> Epoch {
        Epoch(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn raise(&self, epoch: Epoch) {
        // Mostly it is the same one, and what several threads read should not be written without need.
        if self.get() < epoch {
            self.0.fetch_max(epoch.0, Ordering::Relaxed);
        }
    }
}

/// The changes that this process knows of, and when it last heard from the database.
#[derive(Debug)]
pub(super) struct Epochs {
    current: AtomicU64,
    /// Identities of an earlier epoch are outdated, whatever changed.
    oldest_valid: AtomicU64,
    changes: RwLock<HashMap<Change, (u64, Duration)>>,
    /// In milliseconds of running time.
    last_synced: AtomicU64,
    /// How long a change is remembered: longer than any identity is.
    keep: Duration,
}

impl Epochs {
    /// Starts with nothing known; a change is remembered for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            current: AtomicU64::new(0),
            oldest_valid: AtomicU64::new(0),
            changes: RwLock::default(),
            last_synced: AtomicU64::new(0),
            keep,
        }
    }

    /// Returns the current epoch; take it before reading the rows of an identity.
    pub(super) fn current(&self) -> Epoch {
        Epoch(self.current.load(Ordering::SeqCst))
    }

    /// Notes what was committed, by this process or another.
    pub(super) fn invalidate(&self, found: &[Change], elapsed: Duration) {
        if found.is_empty() {
            return;
        }
        let mut changes = self.changes.write();
        let mut limit = CAPACITY;
        if changes.len() + found.len() > limit {
            changes.retain(|_, (_, at)| elapsed.saturating_sub(*at) <= self.keep);
            limit = CAPACITY_AFTER_PRUNING;
        }
        let next = self.current().0 + 1;
        if changes.len() + found.len() > limit {
            changes.clear();
            self.oldest_valid.store(next, Ordering::SeqCst);
        } else {
            changes.extend(found.iter().map(|change| (*change, (next, elapsed))));
        }
        self.current.store(next, Ordering::SeqCst);
    }

    /// Notes that anything may have changed, unheard.
    pub(super) fn invalidate_all(&self) {
        // Under the lock of `invalidate`, so that the two do not give out one epoch.
        let _changes = self.changes.write();
        let next = self.current().0 + 1;
        self.oldest_valid.store(next, Ordering::SeqCst);
        self.current.store(next, Ordering::SeqCst);
    }

    /// Notes that everything the database had to say at `elapsed` is known.
    pub(super) fn synced(&self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.last_synced.fetch_max(millis, Ordering::SeqCst);
    }

    /// Tells whether the database was heard from lately.
    pub(super) fn is_in_sync(&self, elapsed: Duration) -> bool {
        elapsed.saturating_sub(Duration::from_millis(self.last_synced.load(Ordering::SeqCst))) <= SYNC_TIMEOUT
    }

    /// Returns the epoch up to which nothing changed about a session or its user since `epoch`; nothing where something did.
    ///
    /// Whoever keeps that epoch in place of the other need not have the changes looked through again until there are more.
    pub(super) fn unchanged_until(&self, epoch: Epoch, session: SessionId, user: UserId) -> Option<Epoch> {
        // Before the look: whatever has this epoch or an earlier one is among the changes by now.
        let current = self.current();
        if current == epoch {
            return Some(current);
        }
        let changes = self.changes.read();
        if epoch.0 < self.oldest_valid.load(Ordering::SeqCst) {
            return None;
        }
        let known = [Change::Session(session), Change::User(user)];
        let changed = known.iter().any(|change| changes.get(change).is_some_and(|(at, _)| *at > epoch.0));
        (!changed).then_some(current)
    }

    /// Tells whether something changed about a session or its user since `epoch`.
    pub(super) fn is_outdated(&self, epoch: Epoch, session: SessionId, user: UserId) -> bool {
        self.unchanged_until(epoch, session, user).is_none()
    }

    /// Returns how many changes are remembered.
    #[cfg(any(test, feature = "internals"))]
    pub(super) fn count(&self) -> usize {
        self.changes.read().len()
    }

    /// Forgets changes that no identity is old enough to have missed.
    pub(super) fn sweep(&self, elapsed: Duration) {
        let mut changes = self.changes.write();
        changes.retain(|_, (_, at)| elapsed.saturating_sub(*at) <= self.keep);
        if changes.capacity() > 4 * changes.len() {
            changes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: fn(u16) -> SessionId = |number| {
        let [high, low] = number.to_be_bytes();
        SessionId::new(time::OffsetDateTime::UNIX_EPOCH, [high, low, 0, 0, 0, 0, 0, 0, 0, 0])
    };

    #[test]
    fn a_change_outdates_what_was_read_before_it_and_nothing_else() {
        let epochs = Epochs::new(Duration::from_secs(60));
        for (session, user, outdated) in [(1, 9, true), (9, 1, true), (9, 9, false)] {
            let before = epochs.current();
            epochs.invalidate(&[Change::Session(SESSION(1)), Change::User(UserId(1))], Duration::ZERO);
            assert_eq!(epochs.is_outdated(before, SESSION(session), UserId(user)), outdated);
            assert!(!epochs.is_outdated(epochs.current(), SESSION(session), UserId(user)));
        }
    }

    #[test]
    fn what_changes_of_others_are_known_need_not_be_looked_through_again_and_its_own_outdate_it() {
        let epochs = Epochs::new(Duration::from_secs(60));
        let known = KnownEpoch::new(epochs.current());
        let look = || epochs.unchanged_until(known.get(), SESSION(2), UserId(2));
        epochs.invalidate(&[Change::Session(SESSION(1)), Change::User(UserId(1))], Duration::ZERO);
        let first = look().expect("the changes are another's");
        assert_eq!(first, epochs.current());
        known.raise(first);
        known.raise(Epoch(0));
        assert_eq!(known.get(), first, "it only moves on");
        for change in [Change::Session(SESSION(2)), Change::User(UserId(2))] {
            let before = known.get();
            epochs.invalidate(&[change], Duration::ZERO);
            assert_eq!(look(), None);
            assert_eq!(known.get(), before);
            known.raise(epochs.current());
        }
        epochs.invalidate_all();
        assert_eq!(look(), None);
    }

    fn numbered(number: usize) -> Change {
        Change::User(UserId(number as i64))
    }

    #[test]
    fn a_flood_of_changes_stays_within_bounds_and_loses_none() {
        let epochs = Epochs::new(Duration::from_secs(60));
        let before = epochs.current();
        for number in 0..CAPACITY + 10 {
            epochs.invalidate(&[numbered(number)], Duration::ZERO);
            assert!(epochs.is_outdated(before, SESSION(1), UserId(number as i64)));
        }
        assert!(epochs.count() < CAPACITY, "the bound was not reached");
    }

    #[test]
    fn many_changes_at_once_stay_within_bounds_and_outdate_what_was_read_before() {
        let epochs = Epochs::new(Duration::from_secs(60));
        let before = epochs.current();
        let found: Vec<_> = (0..3 * CAPACITY).map(numbered).collect();
        epochs.invalidate(&found, Duration::ZERO);
        assert!(epochs.count() <= CAPACITY);
        assert!(epochs.is_outdated(before, SESSION(1), UserId(1)));
        assert!(!epochs.is_outdated(epochs.current(), SESSION(1), UserId(1)));
    }

    #[test]
    fn changes_that_run_out_one_by_one_are_not_looked_through_for_each_that_comes() {
        let epochs = Epochs::new(Duration::from_secs(60));
        let at = |number: usize| Duration::from_millis(number as u64);
        for number in 0..CAPACITY {
            epochs.invalidate(&[numbered(number)], at(number));
        }
        assert_eq!(epochs.count(), CAPACITY);
        // From here on one runs out with each that comes.
        let before = epochs.current();
        epochs.invalidate(&[numbered(CAPACITY)], at(60_001));
        assert!(epochs.count() <= CAPACITY_AFTER_PRUNING, "{}", epochs.count());
        assert!(epochs.is_outdated(before, SESSION(1), UserId(1)));
    }

    #[test]
    fn memory_is_trusted_for_five_seconds_after_the_database_was_heard() {
        let epochs = Epochs::new(Duration::from_secs(60));
        assert!(epochs.is_in_sync(Duration::from_secs(5)));
        assert!(!epochs.is_in_sync(Duration::from_secs(6)));
        epochs.synced(Duration::from_secs(6));
        assert!(epochs.is_in_sync(Duration::from_secs(6)));
    }
}
