//! The bounded, concurrent map from access tokens to what they were verified to mean.
//!
//! Every signed-in request looks up its token here, so a hit takes a shared lock on one of many shards and reorders no
//! list. Of the caches that were compared (moka, mini-moka, scc, sieve-cache, quick_cache, and a sharded map of our own)
//! quick_cache is as quick to read as the map, and keeps what is in use through a flood of new tokens. Eviction is S3-FIFO
//! with a clock: an entry that has been read since it was inserted outlives any number of entries that nobody reads, so a
//! flood of new tokens replaces itself rather than the tokens in use.
//!
//! The map keeps no time. Whether an entry may still be used is for the caller to ask on every hit;
//! [`IdentityMap::retain`] only frees memory.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter};
use siphasher::sip128::SipHasher13;

use crate::crypto::{RandomError, random_bytes};

/// Shards, each with its own lock and an equal part of the capacity.
///
/// A hit writes to the lock of its shard, so threads that meet on one wait for a cache line; and [`IdentityMap::retain`]
/// holds one shard at a time, so more shards mean shorter waits. Past 64 neither gets measurably better on a few cores.
const SHARDS: usize = 64;

/// Part of the capacity for entries that have been read again; the rest is for entries that have yet to prove useful.
///
/// This matters only once the map is full. A newcomer then stays for a fifth of the capacity in insertions before its
/// second request must have come. The default of the crate, 0.97, would leave it 3 %.
const HOT: f64 = 0.8;

/// Evicted tags that are remembered, as a part of the capacity: a token that comes back is then kept as one in use.
///
/// The default of the crate, 0.5, makes the tables of a full map twice as large, because they grow by doubling.
const GHOSTS: f64 = 0.1;

/// Stands for an access token: 128 bits of SipHash-1-3 under a key that this process drew and that never leaves it.
///
/// Neither does a tag: someone without the key learns of each text they send only whether it has the tag of a token they
/// do not hold. The best way known to make two texts agree without the key succeeds once in 2^167 tries (Dobraunig,
/// Mendel and Schläffer, "Differential Cryptanalysis of SipHash", 2014), so guessing 128 bits is easier, one request at a
/// time. Equal tags therefore stand for equal tokens, and the token itself is not kept. SipHash-2-4 would take 70 ns more
/// of the 10 µs that a page takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenTag([u64; 2]);

impl fmt::Debug for TokenTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenTag")
    }
}

impl Hash for TokenTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, _] = self.0;
        state.write_u64(first);
    }
}

/// Uses half of a tag as its hash; it is already as random as any hash of it.
#[derive(Debug, Clone, Copy, Default)]
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

    fn write_u64(&mut self, first: u64) {
        self.0 = first;
    }
}

type TagHashers = BuildHasherDefault<TagHasher>;

/// The map; `V` is what a verified token means.
pub(super) struct IdentityMap<V> {
    hasher: SipHasher13,
    entries: Cache<TokenTag, Arc<V>, UnitWeighter, TagHashers>,
}

impl<V> fmt::Debug for IdentityMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityMap")
    }
}

impl<V> IdentityMap<V> {
    /// Creates an empty map for about `capacity` entries at most, with a key of its own.
    ///
    /// The key comes from the operating system rather than from `RandomState`: the standard library asks Linux for bytes
    /// that need not be fit for cryptography (`GRND_INSECURE`).
    ///
    /// # Errors
    /// If there are no random bytes.
    pub(super) fn new(capacity: usize) -> Result<Self, RandomError> {
        let options = OptionsBuilder::new()
            .weight_capacity(capacity as u64)
            .estimated_items_capacity(capacity)
            .shards(SHARDS)
            .hot_allocation(HOT)
            .ghost_allocation(GHOSTS)
            .build();
        let (weighter, hashers, lifecycle) = (UnitWeighter, TagHashers::default(), DefaultLifecycle::default());
        let entries = match options {
            Ok(options) => Cache::with_options(options, weighter, hashers, lifecycle),
            // Only for want of an option that is set above.
            Err(_) => Cache::with(capacity, capacity as u64, weighter, hashers, lifecycle),
        };
        Ok(Self { hasher: SipHasher13::new_with_key(&random_bytes()?), entries })
    }

    /// Returns what stands for a token in this map; in another map it is different.
    ///
    /// It takes bytes, so that a cookie need not be checked for UTF-8 first: only a verified token is ever inserted.
    pub(super) fn tag(&self, token: impl AsRef<[u8]>) -> TokenTag {
        let (first, second) = self.hasher.hash(token.as_ref()).as_u64();
        TokenTag([first, second])
    }

    /// Returns the entry of a token, and marks it as used.
    pub(super) fn get(&self, tag: TokenTag) -> Option<Arc<V>> {
        self.entries.get(&tag)
    }

    /// Inserts or replaces the entry of a token, evicting another if there is no room.
    pub(super) fn insert(&self, tag: TokenTag, value: Arc<V>) {
        self.entries.insert(tag, value);
    }

    /// Keeps only the entries for which `keep` returns true; for a periodic sweep of expired ones.
    ///
    /// It visits every entry: about 3 ms for 100,000. One shard is locked at a time, for about 50 µs, and `keep` runs
    /// under that lock, so it must be quick and must not use the map. The memory of dropped values is freed; the tables
    /// keep their size.
    pub(super) fn retain(&self, keep: impl Fn(&V) -> bool) {
        self.entries.retain(|_, value| keep(value));
    }

    /// Returns how many entries there are, expired ones included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 6_400;

    fn map() -> IdentityMap<usize> {
        IdentityMap::new(CAPACITY).unwrap()
    }

    fn insert(map: &IdentityMap<usize>, token: &str, value: usize) {
        map.insert(map.tag(token), Arc::new(value));
    }

    fn get(map: &IdentityMap<usize>, token: &str) -> Option<usize> {
        map.get(map.tag(token)).map(|value| *value)
    }

    /// Inserts tokens that nobody reads, and reads those `in_use` once every 500 insertions.
    fn flood(map: &IdentityMap<usize>, name: &str, count: usize, in_use: &[String]) {
        for number in 0..count {
            insert(map, &format!("{name} {number}"), number);
            if number % 500 == 0 {
                in_use.iter().for_each(|token| drop(map.get(map.tag(token))));
            }
        }
    }

    #[test]
    fn a_token_finds_its_own_entry_and_no_other_text_does() {
        let (map, token) = (map(), "head.claims.signature");
        insert(&map, token, 1);
        assert_eq!(get(&map, token), Some(1));
        for index in 0..token.len() {
            let mut other = token.as_bytes().to_vec();
            other[index] ^= 1;
            assert!(map.get(map.tag(&other)).is_none(), "{index}");
        }
        for text in ["", "head.claims.signature ", "head.claims.signature\0", "head.claims.signatur", "signature"] {
            assert_eq!(get(&map, text), None, "{text}");
        }
    }

    #[test]
    fn all_128_bits_of_a_tag_must_agree() {
        let map = map();
        let tag = map.tag("token");
        map.insert(tag, Arc::new(1));
        for bit in 0..128 {
            let TokenTag(mut words) = tag;
            words[bit / 64] ^= 1 << (bit % 64);
            assert!(map.get(TokenTag(words)).is_none(), "{bit}");
        }
    }

    #[test]
    fn two_maps_give_a_token_different_tags() {
        assert_ne!(map().tag("token"), map().tag("token"));
    }

    #[test]
    fn a_tag_tells_a_log_nothing() {
        assert_eq!(format!("{:?}", map().tag("token")), "TokenTag");
    }

    #[test]
    fn an_entry_is_replaced() {
        let map = map();
        insert(&map, "token", 1);
        insert(&map, "token", 2);
        assert_eq!((get(&map, "token"), map.len()), (Some(2), 1));
    }

    #[test]
    fn a_sweep_drops_what_it_is_told_to_and_nothing_else() {
        let map = map();
        flood(&map, "token", 3_000, &[]);
        map.retain(|value| value % 15 != 0);
        assert_eq!(map.len(), 2_800);
        assert!((0..3_000).all(|number| get(&map, &format!("token {number}")).is_some() == (number % 15 != 0)));
    }

    #[test]
    fn half_the_capacity_is_held_without_any_loss() {
        let map = map();
        flood(&map, "token", CAPACITY / 2, &[]);
        assert_eq!(map.len(), CAPACITY / 2);
    }

    #[test]
    fn a_flood_stays_within_bounds_and_leaves_the_tokens_in_use() {
        let map = map();
        let in_use: Vec<_> = (0..CAPACITY / 4).map(|number| format!("used {number}")).collect();
        in_use.iter().for_each(|token| insert(&map, token, 1));
        flood(&map, "flood", 50_000, &in_use);
        assert!(map.len() <= CAPACITY, "{}", map.len());
        let lost = in_use.iter().filter(|token| get(&map, token).is_none()).count();
        assert_eq!(lost, 0);
    }

    #[test]
    fn in_a_full_map_a_newcomer_has_time_for_its_second_request_and_then_stays() {
        let map = map();
        flood(&map, "earlier", 20_000, &[]);
        let newcomers: Vec<_> = (0..64).map(|number| format!("new {number}")).collect();
        newcomers.iter().for_each(|token| insert(&map, token, 1));
        let lost = || newcomers.iter().filter(|token| get(&map, token).is_none()).count();
        flood(&map, "soon", CAPACITY / 20, &[]);
        assert_eq!(lost(), 0);
        flood(&map, "later", 20_000, &[]);
        assert_eq!(lost(), 0);
    }

    #[test]
    fn a_map_full_of_tokens_in_use_still_takes_another() {
        let map = IdentityMap::new(640).unwrap();
        for number in 0..2_000 {
            let token = format!("token {number}");
            insert(&map, &token, number);
            assert_eq!(get(&map, &token), Some(number));
        }
        assert!(map.len() <= 640, "{}", map.len());
    }

    #[test]
    fn threads_never_find_each_others_entries() {
        let map = IdentityMap::new(640).unwrap();
        let found: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let map = &map;
                    scope.spawn(move || {
                        let mut found = 0;
                        for number in 0..20_000 {
                            let token = format!("token {}", (number * 7 + thread) % 2_000);
                            let tag = map.tag(&token);
                            match map.get(tag) {
                                Some(value) => {
                                    assert_eq!(*value, token);
                                    found += 1;
                                }
                                None => map.insert(tag, Arc::new(token)),
                            }
                            if number % 1_000 == 0 {
                                map.retain(|value| !value.ends_with('7'));
                            }
                        }
                        found
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(found > 0);
        assert!(map.len() <= 640, "{}", map.len());
    }
}
