//! The map from access tokens to grants that every request looks into: bounded, and quick to read.
//!
//! Why not a cache from elsewhere: those note every read to know what is used least, which costs more than the read, and
//! take several times the memory for it. Here a read takes a shared lock on one of many parts and sets a flag.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use siphasher::sip128::SipHasher24;
use time::OffsetDateTime;

use super::remembered::{Grant, seconds};

/// Parts of the map, each with a lock of its own: far more than there are threads, so that they seldom meet.
const PARTS: usize = 64;

/// What stands for a token in the map.
///
/// It is the SipHash-2-4 of the whole token, 128 bits long, under a key that this process drew at random and that never
/// leaves it. SipHash is made to authenticate short messages (Aumasson and Bernstein, 2012): who does not know the key
/// can make a text with the tag of somebody's token only by guessing 128 bits. It costs a tenth of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenTag(u128);

impl std::hash::Hash for TokenTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// Takes a tag as it is: it is as random as a hash of it would be.
#[derive(Debug, Default)]
struct TagHasher(u64);

impl Hasher for TagHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, tag: u128) {
        self.0 = tag as u64;
    }
}

/// A grant in the map.
struct Entry {
    grant: Arc<Grant>,
    used: AtomicBool,
}

type Entries = HashMap<TokenTag, Entry, BuildHasherDefault<TagHasher>>;

/// A part of the map, alone in its cache lines: its lock is written to by every read.
#[derive(Default)]
#[repr(align(128))]
struct Part(RwLock<Entries>);

impl Part {
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The map.
pub(super) struct Grants {
    hasher: SipHasher24,
    parts: Box<[Part]>,
    room: usize,
    life: u32,
}

impl Grants {
    /// Makes a map of about `capacity` grants at most, each of which stays for `life` at most, whatever becomes of the
    /// wall clock.
    pub(super) fn new(capacity: usize, life: Duration) -> Self {
        // The standard library draws these keys from the operating system's generator.
        let key = || RandomState::new().build_hasher().finish();
        Self {
            hasher: SipHasher24::new_with_keys(key(), key()),
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            room: capacity.div_ceil(PARTS),
            life: seconds(life),
        }
    }

    /// Returns what stands for a token.
    pub(super) fn tag(&self, token: &str) -> TokenTag {
        TokenTag(self.hasher.hash(token.as_bytes()).as_u128())
    }

    /// Returns the grant of a token; it may have stayed too long.
    pub(super) fn get(&self, tag: TokenTag) -> Option<Arc<Grant>> {
        let part = self.part(tag)?.read();
        let entry = part.get(&tag)?;
        // Writing would take the line from the other processors' caches; most of the time there is nothing to write.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.grant))
    }

    /// Puts a grant in.
    pub(super) fn insert(&self, tag: TokenTag, grant: Arc<Grant>, elapsed: Duration) {
        let Some(part) = self.part(tag) else { return };
        let mut part = part.write();
        if part.len() >= self.room {
            self.make_room(&mut part, elapsed);
        }
        part.insert(tag, Entry { grant, used: AtomicBool::new(false) });
    }

    /// Drops what is over: tokens that have expired, and whatever has stayed too long.
    pub(super) fn sweep(&self, now: OffsetDateTime, elapsed: Duration) {
        for part in &self.parts {
            let mut part = part.write();
            part.retain(|_, entry| self.is_fresh(&entry.grant, elapsed) && now < entry.grant.access.expires_at);
            if part.capacity() > 4 * part.len() {
                part.shrink_to_fit();
            }
        }
    }

    /// Drops what was not used since the last time; where everything was, one in two.
    fn make_room(&self, part: &mut Entries, elapsed: Duration) {
        part.retain(|_, entry| self.is_fresh(&entry.grant, elapsed) && entry.used.swap(false, Ordering::Relaxed));
        if part.len() > self.room / 2 {
            let mut keep = false;
            part.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }

    /// Tells whether a grant may stay.
    pub(super) fn is_fresh(&self, grant: &Grant, elapsed: Duration) -> bool {
        seconds(elapsed).saturating_sub(grant.since()) <= self.life
    }

    fn part(&self, tag: TokenTag) -> Option<&Part> {
        // The upper half chooses the part; the lower half, the place in it.
        self.parts.get((tag.0 >> 64) as usize % PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::remembered::tests::{NOW, grant, grant_since};
    use super::*;

    const LIFE: Duration = Duration::from_secs(900);

    fn held(grants: &Grants) -> usize {
        grants.parts.iter().map(|part| part.read().len()).sum()
    }

    #[test]
    fn a_token_finds_its_own_grant_and_no_other_text_does() {
        let grants = Grants::new(1000, LIFE);
        let token = "head.claims.signature";
        grants.insert(grants.tag(token), grant(1), Duration::ZERO);
        assert_eq!(grants.get(grants.tag(token)).map(|grant| grant.user.id.0), Some(1));
        for text in ["", "head.claims.signatura", "head.claims.signature ", "Head.claims.signature", "signature"] {
            assert!(grants.get(grants.tag(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn two_processes_give_a_token_different_tags() {
        assert_ne!(Grants::new(1, LIFE).tag("token"), Grants::new(1, LIFE).tag("token"));
    }

    #[test]
    fn a_grant_stays_for_its_life_on_the_monotonic_clock() {
        let grants = Grants::new(1000, LIFE);
        let [made, last, after] = [100, 1000, 1001].map(Duration::from_secs);
        let grant = grant_since(1, made);
        grants.insert(grants.tag("token"), Arc::clone(&grant), made);
        assert!(grants.is_fresh(&grant, last));
        assert!(!grants.is_fresh(&grant, after));
        // The wall clock stands still or was set back: the sweep takes it all the same.
        grants.sweep(NOW, last);
        assert_eq!(held(&grants), 1);
        grants.sweep(NOW, after);
        assert_eq!(held(&grants), 0);
    }

    #[test]
    fn expired_tokens_are_swept_out() {
        let grants = Grants::new(1000, LIFE);
        grants.insert(grants.tag("token"), grant(1), Duration::ZERO);
        grants.sweep(NOW, Duration::ZERO);
        assert_eq!(held(&grants), 1);
        grants.sweep(NOW + time::Duration::minutes(15), Duration::ZERO);
        assert_eq!(held(&grants), 0);
    }

    #[test]
    fn a_flood_of_tokens_stays_within_bounds_and_leaves_those_in_use() {
        let grants = Grants::new(6400, LIFE);
        let used: Vec<_> = (0..640).map(|number| grants.tag(&format!("used {number}"))).collect();
        for tag in &used {
            grants.insert(*tag, grant(1), Duration::ZERO);
        }
        for number in 0..20_000 {
            grants.insert(grants.tag(&format!("flood {number}")), grant(2), Duration::ZERO);
            if number % 500 == 0 {
                used.iter().for_each(|tag| drop(grants.get(*tag)));
            }
        }
        assert!(held(&grants) <= 6400 + PARTS, "{}", held(&grants));
        assert!(used.iter().all(|tag| grants.get(*tag).is_some()));
    }

    #[test]
    fn a_map_full_of_grants_in_use_still_takes_another() {
        let grants = Grants::new(640, LIFE);
        for number in 0..2000 {
            let tag = grants.tag(&number.to_string());
            grants.insert(tag, grant(1), Duration::ZERO);
            assert!(grants.get(tag).is_some());
        }
        assert!(held(&grants) <= 640);
    }
}
