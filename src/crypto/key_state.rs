//! Which keys of the ring sign and verify at this moment: what processes on one database agree on, and what changes
//! while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use crate::domain::key_id::KeyId;
use crate::domain::signing_key::KeyStanding;

/// Stands for a signing key that this process lacks.
const NONE: usize = usize::MAX;

/// Says that this process lacks the key that signs, so that nothing it signed would open anything elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process lacks the key that signs")]
pub struct NoSigningKey;

/// Which keys of a ring sign and verify at this moment; clones share it.
///
/// The ring itself never changes. Until the database was heard, its first key signs and all verify. To ask costs an
/// atomic load.
#[derive(Clone)]
pub struct KeyState(Arc<Inner>);

struct Inner {
    ids: Box<[KeyId]>,
    signing: AtomicUsize,
    dropped: Box<[AtomicBool]>,
    taken_in: Mutex<TakenIn>,
}

/// What was last taken in.
#[derive(Default)]
struct TakenIn {
    readings: u64,
    revision: i64,
}

/// A look into the database that has begun; see [`KeyState::take_in`].
#[derive(Debug, Clone, Copy)]
pub struct Reading(u64);

impl KeyState {
    /// Starts with the first key of the ring.
    pub fn new(keys: &KeyRing) -> Self {
        let ids: Box<[KeyId]> = keys.key_ids().into();
        let dropped = ids.iter().map(|_| AtomicBool::new(false)).collect();
        Self(Arc::new(Inner { ids, signing: AtomicUsize::new(0), dropped, taken_in: Mutex::default() }))
    }

    /// Returns the names of all keys of the ring, in its order.
    pub fn ids(&self) -> &[KeyId] {
        &self.0.ids
    }

    /// Returns the key that signs, if this process has it.
    #[cfg(any(test, feature = "internals"))]
    pub fn signing(&self) -> Option<KeyId> {
        self.signing_index().ok().and_then(|index| self.0.ids.get(index)).copied()
    }

    /// Returns those of its keys that were dropped.
    pub fn dropped(&self) -> Vec<KeyId> {
        let numbered = self.0.ids.iter().enumerate();
        numbered.filter(|(index, _)| !self.is_live(*index)).map(|(_, id)| *id).collect()
    }

    /// Makes sure that this process can sign.
    ///
    /// # Errors
    /// If it lacks the key that signs. Then it must decide about nobody: what it cannot open, another process can.
    pub fn require(&self) -> Result<(), NoSigningKey> {
        self.signing_index().map(drop)
    }

    /// Begins a look into the database; call it before the rows are read.
    pub fn reading(&self) -> Reading {
        Reading(self.0.taken_in.lock().readings)
    }

    /// Takes in what that look found; returns whether a key of the ring has been dropped that was not before. Whoever
    /// remembers anything of what it signed must then forget it.
    ///
    /// Two threads may look at the same time, and the one that saw the older rows may be the last to say so: where
    /// another look was taken in meanwhile, the higher revision counts. A key that was dropped stays so for as long as
    /// the process runs.
    pub fn take_in(&self, reading: Reading, standing: &KeyStanding) -> bool {
        let mut taken_in = self.0.taken_in.lock();
        if taken_in.readings == reading.0 || standing.revision >= taken_in.revision {
            taken_in.revision = standing.revision;
            let index = standing.signing().and_then(|key| self.0.ids.iter().position(|id| *id == key));
            let index = match standing.named {
                None => 0,
                Some(_) => index.unwrap_or(NONE),
            };
            // Before the old one is dropped, so that there is no moment without a key that signs.
            self.0.signing.store(index, Ordering::SeqCst);
        }
        taken_in.readings += 1;
        let mut news = false;
        for (id, dropped) in self.0.ids.iter().zip(&self.0.dropped) {
            news |= standing.is_dropped(*id) && !dropped.swap(true, Ordering::SeqCst);
        }
        news
    }

    fn signing_index(&self) -> Result<usize, NoSigningKey> {
        let index = self.0.signing.load(Ordering::SeqCst);
        if self.is_live(index) { Ok(index) } else { Err(NoSigningKey) }
    }

    /// Tells whether there is such a key and it was not dropped.
    fn is_live(&self, index: usize) -> bool {
        self.0.dropped.get(index).is_some_and(|dropped| !dropped.load(Ordering::SeqCst))
    }
}

impl std::fmt::Debug for KeyState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyState")
    }
}

/// What is prepared once for each key of a ring, for one purpose.
#[derive(Clone)]
pub(super) struct PerKey<T> {
    prepared: Vec<T>,
    state: KeyState,
}

impl<T> PerKey<T> {
    /// Prepares each key, which is derived for `purpose`.
    pub(super) fn new<const N: usize>(
        keys: &KeyRing,
        state: &KeyState,
        purpose: Purpose,
        prepare: impl Fn(KeyId, Zeroizing<[u8; N]>) -> T,
    ) -> Self {
        debug_assert_eq!(state.ids(), keys.key_ids(), "the state of another ring");
        let derived = state.ids().iter().zip(keys.derive::<N>(purpose));
        Self { prepared: derived.map(|(id, key)| prepare(*id, key)).collect(), state: state.clone() }
    }

    /// Returns what signs.
    pub(super) fn signing(&self) -> Result<&T, NoSigningKey> {
        self.state.signing_index().and_then(|index| self.prepared.get(index).ok_or(NoSigningKey))
    }

    /// Returns all that verify.
    pub(super) fn verifying(&self) -> impl Iterator<Item = &T> {
        let numbered = self.prepared.iter().enumerate();
        numbered.filter(|(index, _)| self.state.is_live(*index)).map(|(_, prepared)| prepared)
    }

    /// Returns what verifies by the name of its key.
    pub(super) fn named(&self, key: KeyId) -> Option<&T> {
        let index = self.state.ids().iter().position(|id| *id == key)?;
        if self.state.is_live(index) { self.prepared.get(index) } else { None }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes a ring of the keys of these letters, with its state.
    pub(in crate::crypto) fn ring(letters: &str) -> (KeyRing, KeyState) {
        let mut secrets = letters.chars().map(|letter| letter.to_string().repeat(32).into());
        let keys = KeyRing::new(secrets.next().unwrap(), secrets);
        let state = KeyState::new(&keys);
        (keys, state)
    }

    /// Lets the database say which key signs and which were dropped.
    pub(in crate::crypto) fn say(state: &KeyState, signing: &str, dropped: &str) -> bool {
        state.take_in(state.reading(), &standing(signing, dropped, 1))
    }

    fn standing(signing: &str, dropped: &str, revision: i64) -> KeyStanding {
        let ids = |letters: &str| if letters.is_empty() { Vec::new() } else { ring(letters).0.key_ids() };
        KeyStanding { named: ids(signing).first().copied(), dropped: ids(dropped), revision }
    }

    fn signs(state: &KeyState) -> Option<usize> {
        state.signing_index().ok()
    }

    #[test]
    fn the_first_key_signs_until_the_database_names_another() {
        let (_, state) = ring("ab");
        assert_eq!(signs(&state), Some(0));
        assert!(!say(&state, "", ""));
        assert_eq!(signs(&state), Some(0));
        assert!(!say(&state, "b", ""));
        assert_eq!((signs(&state), state.signing()), (Some(1), Some(state.ids()[1])));
        assert!(!say(&state, "c", ""), "none of ours was dropped");
        assert_eq!((signs(&state), state.require()), (None, Err(NoSigningKey)));
    }

    #[test]
    fn a_dropped_key_neither_signs_nor_verifies_and_is_told_once() {
        let (keys, state) = ring("ab");
        let letters = PerKey::new::<32>(&keys, &state, Purpose::FormToken, |id, _| id);
        assert_eq!(letters.verifying().count(), 2);
        assert!(say(&state, "b", "a"));
        assert!(!say(&state, "b", "a"));
        assert_eq!(letters.verifying().collect::<Vec<_>>(), [&state.ids()[1]]);
        assert!(letters.named(state.ids()[0]).is_none() && letters.named(state.ids()[1]).is_some());
        assert!(say(&state, "b", "ab"));
        assert_eq!((signs(&state), letters.verifying().count()), (None, 0));
        say(&state, "a", "");
        assert_eq!(signs(&state), None, "what was dropped stays so");
    }

    #[test]
    fn of_two_looks_at_once_the_newer_rows_count() {
        let (_, state) = ring("ab");
        let (slow, quick) = (state.reading(), state.reading());
        state.take_in(quick, &standing("b", "", 2));
        state.take_in(slow, &standing("a", "", 1));
        assert_eq!(signs(&state), Some(1));
        // A server that lost its last seconds in a failover has the last word all the same.
        state.take_in(state.reading(), &standing("a", "", 1));
        assert_eq!(signs(&state), Some(0));
    }
}
