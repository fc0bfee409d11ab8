//! Which key signs, and who may join: the rules by which keys rotate without a sign-out, in any order.
//!
//! A process that signs with a key which another lacks would sign people out there. So there is one key that signs, and
//! **every live process has it**: whoever lacks it may not join, and it moves only to a key that all of them have. Who
//! puts a new secret in front, process by process, has nothing else to do: with the last of them, the key moves.

use crate::domain::key_id::KeyId;
use crate::domain::node::Node;

/// What the database says of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyStanding {
    /// The key that was named to sign; it may have been dropped since.
    pub named: Option<KeyId>,
    /// Keys that open nothing any more.
    pub dropped: Vec<KeyId>,
    /// How often the two above have changed.
    pub revision: i64,
}

impl KeyStanding {
    /// Returns the key that signs.
    pub fn signing(&self) -> Option<KeyId> {
        self.named.filter(|key| !self.is_dropped(*key))
    }

    /// Tells whether a key opens nothing any more.
    pub fn is_dropped(&self, key: KeyId) -> bool {
        self.dropped.contains(&key)
    }
}

/// Why a process may not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// It would open nothing that the key which signs has signed.
    #[error(
        "the sign-ins here are signed with the key {signing}, and this process has {} alone: give it the secrets that the \
         others have (JWT_SECRET_KEY or perennial.key), or give those sign-ins up with perennial secret drop {signing}",
        list(own)
    )]
    Lacks {
        /// The key that signs.
        signing: KeyId,
        /// The keys it has.
        own: Vec<KeyId>,
    },
    /// Every key it has was dropped.
    #[error(
        "{} was dropped, and this process has no other key: put a fresh secret in its place (perennial secret prints one)",
        list(own)
    )]
    Dropped {
        /// The keys it has.
        own: Vec<KeyId>,
    },
    /// It has no key that every other process has too.
    #[error("{other} has none of the keys {} of this process: every process on a database needs the same", list(own))]
    Strange {
        /// One of the others.
        other: String,
        /// The keys it has.
        own: Vec<KeyId>,
    },
}

/// Why a key may not be dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DropRefusal {
    /// It signs, and nothing could take its place.
    #[error(
        "{key} signs, and there is no other key that every process has: put a fresh secret in front of it on each of them \
         first (perennial node list shows who has which), or stop them all"
    )]
    Signs {
        /// The key.
        key: KeyId,
    },
}

/// Tells whether a process with these keys may join `others`, who are live, and why not.
///
/// Where nobody is signed in and nobody would be left without a key, its own key takes the place of one that it lacks.
///
/// # Errors
/// The reason, for people.
pub fn admit(
    keys: &[KeyId],
    others: &[Node],
    standing: &KeyStanding,
    anybody_signed_in: bool,
) -> Result<(), KeyRefusal> {
    let own = || keys.to_vec();
    let usable: Vec<_> = keys.iter().copied().filter(|key| !standing.is_dropped(*key)).collect();
    if usable.is_empty() {
        return Err(KeyRefusal::Dropped { own: own() });
    }
    let signing = standing.signing();
    if signing.is_some_and(|signing| usable.contains(&signing)) {
        return Ok(());
    }
    match signing {
        Some(signing) if anybody_signed_in => return Err(KeyRefusal::Lacks { signing, own: own() }),
        _ => {}
    }
    if usable.iter().any(|key| others.iter().all(|other| other.announced.knows(*key))) {
        return Ok(());
    }
    match (signing, others.first()) {
        (Some(signing), _) => Err(KeyRefusal::Lacks { signing, own: own() }),
        (None, Some(other)) => Err(KeyRefusal::Strange { other: other.announced.to_string(), own: own() }),
        (None, None) => Ok(()),
    }
}

/// Returns the key that is to sign for these processes from now on; `None` where there is none that all of them have.
///
/// It is the first key of the process that started last, if all have it; else, of the one that started before that, and
/// so on. Why not simply the first key of whoever asks: two processes that have the same keys in different orders
/// would take it from each other for ever. What is decided here depends on nothing but who is live, so all come to the
/// same, and it changes only when one of them starts or ends.
///
/// Where `may_move` is false, the key that signs stays as long as everybody has it.
pub fn key_that_signs(nodes: &[Node], standing: &KeyStanding, may_move: bool) -> Option<KeyId> {
    let usable = |key: &KeyId| !standing.is_dropped(*key) && nodes.iter().all(|node| node.announced.knows(*key));
    let signing = standing.signing();
    if !may_move && signing.as_ref().is_some_and(usable) {
        return signing;
    }
    let mut latest: Vec<_> = nodes.iter().collect();
    latest.sort_by_key(|node| std::cmp::Reverse((node.started_at, node.announced.id.to_string())));
    let wanted = |node: &&Node| node.announced.keys.iter().copied().find(|key| !standing.is_dropped(*key));
    let first = latest.iter().filter_map(wanted).find(usable);
    let any = || latest.iter().flat_map(|node| &node.announced.keys).copied().find(usable);
    first.or(signing).or_else(any)
}

/// Returns the key that signs once `key` is dropped, as far as `nodes`, who are live, are concerned.
///
/// # Errors
/// If they would be left without one. Where no process is live, every key may be dropped, also one that nobody has:
/// that is how an operator gives up the sign-ins of a key file that is lost.
pub fn key_after_drop(key: KeyId, nodes: &[Node], standing: &KeyStanding) -> Result<Option<KeyId>, DropRefusal> {
    let mut after = standing.clone();
    after.dropped.push(key);
    if standing.signing() != Some(key) {
        return Ok(after.signing());
    }
    match key_that_signs(nodes, &after, true) {
        None if !nodes.is_empty() => Err(DropRefusal::Signs { key }),
        next => Ok(next),
    }
}

/// Names keys one after the other.
pub fn list(keys: &[KeyId]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::node::tests::{key, node};

    fn standing(signing: &str, dropped: &str) -> KeyStanding {
        KeyStanding { named: signing.bytes().next().map(key), dropped: dropped.bytes().map(key).collect(), revision: 0 }
    }

    /// Decides for processes that started `(seconds ago, with these keys)`.
    fn decide(nodes: &[(i64, &str)], signing: &str, dropped: &str, may_move: bool) -> Option<KeyId> {
        let nodes: Vec<_> = nodes.iter().map(|(age, letters)| node(*age, letters)).collect();
        key_that_signs(&nodes, &standing(signing, dropped), may_move)
    }

    #[test]
    fn a_new_key_in_front_signs_once_every_process_has_it() {
        for (nodes, signs) in [
            (&[(30, "a"), (20, "a"), (10, "a")][..], b'a'),
            (&[(20, "a"), (10, "a"), (9, "ba")], b'a'),
            (&[(10, "a"), (9, "ba"), (8, "ba")], b'a'),
            (&[(9, "ba"), (8, "ba"), (7, "ba")], b'b'),
        ] {
            assert_eq!(decide(nodes, "a", "", true), Some(key(signs)), "{nodes:?}");
        }
        // The old one is taken away, one after the other, and one that lags behind holds nobody up.
        assert_eq!(decide(&[(9, "ba"), (8, "ba"), (7, "b")], "b", "", true), Some(key(b'b')));
        assert_eq!(decide(&[(9, "ba"), (8, "ab"), (7, "xba")], "b", "", true), Some(key(b'a')));
        assert_eq!(decide(&[(9, "ab"), (8, "ba"), (7, "xba")], "a", "", true), Some(key(b'b')));
    }

    #[test]
    fn two_orders_of_two_keys_come_to_rest_at_the_one_that_started_last() {
        let nodes = [(20, "ab"), (10, "ba")];
        for signing in ["a", "b", ""] {
            assert_eq!(decide(&nodes, signing, "", true), Some(key(b'b')), "{signing}");
        }
        // Two that started in the same second agree all the same.
        let mut twins = [node(10, "ab"), node(10, "ba")];
        twins[1].announced.id = crate::domain::id::NodeId::from_bytes([99; 16]);
        let one = key_that_signs(&twins, &standing("a", ""), true);
        twins.reverse();
        assert_eq!(key_that_signs(&twins, &standing("b", ""), true), one);
    }

    #[test]
    fn nothing_moves_while_it_may_not_unless_it_must() {
        assert_eq!(decide(&[(2, "ba"), (1, "ba")], "a", "", false), Some(key(b'a')));
        assert_eq!(decide(&[(2, "ba"), (1, "ba")], "a", "a", false), Some(key(b'b')));
        assert_eq!(decide(&[(2, "ba"), (1, "ba")], "", "", false), Some(key(b'b')));
    }

    #[test]
    fn a_dropped_key_never_signs() {
        assert_eq!(decide(&[(2, "abc"), (1, "abc")], "b", "a", true), Some(key(b'b')));
        assert_eq!(decide(&[(2, "ab"), (1, "ac")], "a", "a", true), None);
        assert_eq!(decide(&[(2, "abc"), (1, "acb")], "a", "ac", true), Some(key(b'b')));
    }

    #[test]
    fn who_lacks_the_key_that_signs_may_not_join_where_anybody_is_signed_in() {
        let others = [node(9, "a")];
        let admitted = |letters: &str, others: &[Node], standing: &KeyStanding, signed_in| {
            admit(&node(1, letters).announced.keys, others, standing, signed_in)
        };
        let lacks = KeyRefusal::Lacks { signing: key(b'a'), own: vec![key(b'b')] };
        for (others, signed_in) in [(&others[..], true), (&others, false), (&[], true)] {
            assert_eq!(admitted("b", others, &standing("a", ""), signed_in), Err(lacks.clone()));
            assert_eq!(admitted("ba", others, &standing("a", ""), signed_in), Ok(()));
        }
        assert_eq!(admitted("b", &[], &standing("a", ""), false), Ok(()), "nobody loses anything");
        assert_eq!(admitted("b", &[], &standing("", ""), true), Ok(()), "nothing was ever signed under these rules");
        assert_eq!(admitted("b", &[], &standing("a", "a"), true), Ok(()), "it was given up");
        assert!(matches!(admitted("b", &others, &standing("", ""), true), Err(KeyRefusal::Strange { .. })));
        assert!(matches!(admitted("b", &[], &standing("a", "b"), false), Err(KeyRefusal::Dropped { .. })));
        let words = lacks.to_string();
        assert!(words.contains(&key(b'a').to_string()) && words.contains(&key(b'b').to_string()), "{words}");
    }

    #[test]
    fn a_key_is_dropped_only_where_another_can_sign() {
        let after = |letter, nodes: &[Node], standing: &KeyStanding| key_after_drop(key(letter), nodes, standing);
        let both = [node(2, "ab"), node(1, "ab")];
        assert_eq!(after(b'a', &both, &standing("a", "")), Ok(Some(key(b'b'))));
        assert_eq!(after(b'b', &both, &standing("a", "")), Ok(Some(key(b'a'))));
        assert_eq!(after(b'a', &both, &standing("a", "b")), Err(DropRefusal::Signs { key: key(b'a') }));
        let apart = [node(2, "a"), node(1, "ab")];
        assert_eq!(after(b'a', &apart, &standing("a", "")), Err(DropRefusal::Signs { key: key(b'a') }));
        assert_eq!(after(b'a', &[], &standing("a", "")), Ok(None));
        assert_eq!(after(b'x', &[], &standing("a", "")), Ok(Some(key(b'a'))));
    }
}
