//! What the use cases of a session count for metrics.

use crate::domain::count::Count;
use crate::domain::rotation::Decision;

/// The decisions on refresh tokens, in words; [`place`] says which is which.
const DECISIONS: [&str; 11] = [
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
];

/// What came of proofs, in words; [`place_of_proof`] says which is which.
const PROOFS: [&str; 6] = ["fresh", "rotate", "overlap", "stale", "ended", "refused"];

/// What becomes of forms that cannot be carried out when they come, in the order of [`Rescue`].
const RESCUES: [&str; 6] = ["kept", "not_kept", "sent", "expired", "carried", "sent_again"];

/// What becomes of a form that cannot be carried out when it comes.
#[derive(Debug, Clone, Copy)]
pub enum Rescue {
    /// It is kept until its user has signed in.
    Kept,
    /// There was no room for it, or its user may not sign in.
    NotKept,
    /// One that was kept is sent.
    Sent,
    /// The time of one that was kept is over, and it was not sent.
    Expired,
    /// The page that says that the database is away carries it.
    Carried,
    /// One that a page carries is sent.
    SentAgain,
}

/// What this process has decided since its start.
#[derive(Debug, Default)]
pub struct SessionCounts {
    decisions: [Count; DECISIONS.len()],
    proofs: [Count; PROOFS.len()],
    rescues: [Count; RESCUES.len()],
    /// Passwords and forms that were not looked at, because there were too many.
    pub throttled: Count,
}

impl SessionCounts {
    /// Counts what a refresh token meant.
    pub(super) fn decided(&self, decision: Decision) {
        if let Some(count) = self.decisions.get(place(decision)) {
            count.add();
        }
    }

    /// Counts what a proof meant, or that it was none: over no challenge of the session, or signed by another key.
    pub(super) fn proved(&self, decision: Option<Decision>) {
        if let Some(count) = self.proofs.get(place_of_proof(decision)) {
            count.add();
        }
    }

    /// Counts what has become of so many forms.
    pub fn rescued(&self, rescue: Rescue, forms: u64) {
        if let Some(count) = self.rescues.get(rescue as usize) {
            count.add_all(forms);
        }
    }

    /// Returns what has become of forms, in words, with how many there were.
    pub fn rescues(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RESCUES.into_iter().zip(self.rescues.iter().map(Count::get))
    }

    /// Returns what came of proofs, in words, with how many there were.
    pub fn proofs(&self) -> impl Iterator<Item = (&'static str, u64)> {
        PROOFS.into_iter().zip(self.proofs.iter().map(Count::get))
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
        // Proofs alone are stale.
        Decision::NotProven | Decision::Stale => 10,
    }
}

/// Returns where the decision on a proof stands among [`PROOFS`].
fn place_of_proof(decision: Option<Decision>) -> usize {
    match decision {
        Some(Decision::Fresh) => 0,
        Some(Decision::Rotate) => 1,
        Some(Decision::Overlap) => 2,
        Some(Decision::Stale) => 3,
        Some(_) => 4,
        None => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::EndReason;

    #[test]
    fn what_came_of_something_is_counted_under_its_word() {
        let counts = SessionCounts::default();
        let came = [
            (Some(Decision::Fresh), "fresh"),
            (Some(Decision::Rotate), "rotate"),
            (Some(Decision::Overlap), "overlap"),
            (Some(Decision::Stale), "stale"),
            (Some(Decision::Ended(EndReason::SignedOut)), "ended"),
            (None, "refused"),
        ];
        for (times, (decision, word)) in came.into_iter().enumerate() {
            (0..=times).for_each(|_| counts.proved(decision));
            assert!(counts.proofs().any(|counted| counted == (word, times as u64 + 1)), "{word}");
        }
        counts.rescued(Rescue::SentAgain, 3);
        counts.rescued(Rescue::Kept, 1);
        let rescues: Vec<_> = counts.rescues().filter(|(_, count)| *count > 0).collect();
        assert_eq!(rescues, [("kept", 1), ("sent_again", 3)]);
        counts.decided(Decision::NotProven);
        assert!(counts.decisions().any(|counted| counted == ("not_proven", 1)));
    }
}
