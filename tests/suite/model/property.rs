//! The four properties, and the two wordings of them that are too strong.

use perennial::domain::session::Lifetimes;

use super::protocol::{Protocol, Row, Seconds, Token, length, opens};

/// What the protocol promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Property {
    /// (1) Without a thief nobody is ever signed out early.
    NobodyIsSignedOutEarly,
    /// (2) After a copy both parties never both rotate twice: once one of them was given something for what it was
    /// given, the other opens nothing any more.
    NeverBothRotateTwice,
    /// (3) After a revoke nothing opens anything.
    NothingOpensAfterARevoke,
    /// (4) Beyond the grace at most one refresh secret opens the session: whichever is used first, every other one
    /// that was handed out before is dead from then on.
    OneSecretBeyondTheGrace,
    /// (2) with swaps counted one by one, whether or not their answers were kept. It does not hold.
    NeverBothSwapTwice,
}

impl Property {
    /// The four that hold.
    pub const PROMISED: [Self; 4] = [
        Self::NobodyIsSignedOutEarly,
        Self::NeverBothRotateTwice,
        Self::NothingOpensAfterARevoke,
        Self::OneSecretBeyondTheGrace,
    ];
}

/// Properties that one step broke.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Broken(Vec<Property>);

impl Broken {
    /// Notes that `property` is broken unless `holds`.
    pub fn unless(&mut self, holds: bool, property: Property) {
        if !holds && !self.0.contains(&property) {
            self.0.push(property);
        }
    }

    /// Tells whether `property` was broken.
    pub fn contains(&self, property: Property) -> bool {
        self.0.contains(&property)
    }
}

/// Tells whether, of all these tokens, only one opens the session beyond the grace, whichever is used first.
///
/// It tries every pair: the first is presented when the grace is over, the answer is given, and once the next grace is
/// over the second is presented.
pub fn one_opens_beyond_the_grace(
    protocol: &Protocol,
    lifetimes: &Lifetimes,
    row: &Row,
    handed_out: &[Token],
    now: Seconds,
) -> bool {
    let pause = length(lifetimes.reuse_grace) + 1;
    let fresh = super::protocol::Secret(u32::MAX);
    handed_out.iter().all(|first| {
        let decision = protocol.decide(row, *first, lifetimes, now + pause);
        if !opens(decision) {
            return true;
        }
        let after = match protocol.replacement(decision, row, fresh, now + pause) {
            Some(next) => Row {
                generation: next.generation,
                active: next.active,
                previous: next.previous,
                rotated_at: next.at,
                last_seen_at: next.at,
                ..row.clone()
            },
            None => row.clone(),
        };
        handed_out
            .iter()
            .filter(|second| *second != first)
            .all(|second| !opens(protocol.decide(&after, *second, lifetimes, now + pause + pause)))
    })
}
