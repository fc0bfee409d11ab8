//! What the use cases of a session count for metrics.

use crate::domain::count::Count;
use crate::domain::rotation::Decision;

/// The decisions on refresh tokens and proofs, in words; [`place`] says which is which.
const DECISIONS: [&str; 12] = [
    "unknown",
    "ended",
    "fresh",
    "rotate",
    "overlap",
    "reissue",
    "renewals_lost",
    "replayed",
    "restored",
    "unsure",
    "not_proven",
    "stale",
];

/// What this process has decided since its start.
#[derive(Debug, Default)]
pub struct SessionCounts {
    decisions: [Count; DECISIONS.len()],
    /// Passwords and forms that were not looked at, because there were too many.
    pub throttled: Count,
}

impl SessionCounts {
    /// Counts what a refresh token or a proof meant.
    pub(super) fn decided(&self, decision: Decision) {
        if let Some(count) = self.decisions.get(place(decision)) {
            count.add();
        }
    }

    /// Returns each kind of decision in words, with how many there were.
    pub fn decisions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        DECISIONS.into_iter().zip(self.decisions.iter().map(Count::get))
    }
}

/// Returns where a decision stands among [`DECISIONS`].
fn place(decision: Decision) -> usize {
    match decision {
        Decision::Unknown => 0,
        Decision::Ended(_) => 1,
        Decision::Fresh => 2,
        Decision::Rotate => 3,
        Decision::Overlap => 4,
        Decision::Reissue => 5,
        Decision::RenewalsLost => 6,
        Decision::Replayed => 7,
        Decision::Restored => 8,
        Decision::Unsure => 9,
        Decision::NotProven => 10,
        Decision::Stale => 11,
    }
}
