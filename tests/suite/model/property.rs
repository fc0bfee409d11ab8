//! The properties, and one that is too strong.

use perennial::domain::rotation::Circumstances;

use super::protocol::{Protocol, Row, Secret, Token};

/// What the protocol promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Property {
    /// (1) Without a thief nobody is ever signed out early.
    NobodyIsSignedOutEarly,
    /// (2) After a copy both parties never both rotate twice: once one of them was given something for what it was
    /// given, the other opens nothing any more.
    NeverBothRotateTwice,
    /// (3) After a revoke nothing opens anything, and nothing changes the row.
    NothingFollowsARevoke,
    /// (4) Past the window at most one refresh secret opens the session: whichever is used first, every other one that
    /// was handed out before is dead from then on.
    OneSecretPastTheWindow,
    /// (5) Generations only grow.
    GenerationsOnlyGrow,
    /// (6) Once a request was turned away by a judgement on its token, nothing opens the sign-in.
    AJudgementIsForEverybody,
    /// (2) with swaps counted one by one, whether or not their answers were kept. It does not hold.
    NeverBothSwapTwice,
}

impl Property {
    /// Those that hold.
    pub const PROMISED: [Self; 6] = [
        Self::NobodyIsSignedOutEarly,
        Self::NeverBothRotateTwice,
        Self::NothingFollowsARevoke,
        Self::OneSecretPastTheWindow,
        Self::GenerationsOnlyGrow,
        Self::AJudgementIsForEverybody,
    ];

    /// Those that hold beside a thief: the first is about a sign-in that nobody copied.
    pub const BESIDE_A_THIEF: [Self; 5] = {
        let [_, rest @ ..] = Self::PROMISED;
        rest
    };
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

/// Tells whether, of all these tokens, only one opens the session past the window, whichever is used first.
///
/// It tries every pair: the first is presented when the window is over, the answer is given, and once the next window is
/// over the second is presented.
pub fn one_opens_past_the_window(protocol: &Protocol, row: &Row, handed_out: &[Token], now: &Circumstances) -> bool {
    let pause = now.lifetimes.window() + time::Duration::SECOND;
    let then = Circumstances { now: now.now + pause, ..*now };
    let later = Circumstances { now: then.now + pause, ..*now };
    let fresh = Secret(u32::MAX);
    handed_out.iter().all(|first| {
        let plan = protocol.decide(row, *first, &then);
        if !plan.decision.opens() {
            return true;
        }
        let after = protocol.row_after(plan, row, fresh, super::protocol::seconds(then.now));
        let after = after.as_ref().unwrap_or(row);
        let mut others = handed_out.iter().filter(|second| *second != first);
        others.all(|second| !protocol.decide(after, *second, &later).decision.opens())
    })
}
