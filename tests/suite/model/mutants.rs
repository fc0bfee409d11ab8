//! Broken protocols, and the property that notices: a model that lets one of these pass would prove nothing.

use perennial::domain::rotation::{Decision, decide};
use perennial::domain::session::{Lifetimes, Session};
use perennial::domain::token::RefreshToken;
use time::OffsetDateTime;

use super::explorer::explore;
use super::property::Property::{
    self, NeverBothRotateTwice, NobodyIsSignedOutEarly, NothingOpensAfterARevoke, OneSecretBeyondTheGrace,
};
use super::protocol::Protocol;
use super::settings::{honest, stolen};
use super::world::Setting;

/// Returns every property that a protocol breaks.
fn broken(protocol: Protocol) -> Vec<Property> {
    let breaks = |property: &Property| {
        let setting = match property {
            NobodyIsSignedOutEarly => honest(2),
            _ => stolen(1, 1),
        };
        explore(&Setting { protocol, ..setting }, &[*property], usize::MAX).counterexample.is_some()
    };
    Property::PROMISED.into_iter().filter(breaks).collect()
}

#[test]
fn the_real_protocol_breaks_nothing() {
    assert_eq!(broken(Protocol::REAL), []);
}

#[test]
fn dropping_the_grace_signs_people_out() {
    fn mutant(row: Option<&Session>, token: &RefreshToken, lifetimes: &Lifetimes, now: OffsetDateTime) -> Decision {
        match decide(row, token, lifetimes, now) {
            Decision::Overlap => Decision::Reissue,
            decision => decision,
        }
    }
    assert_eq!(broken(Protocol { decide: mutant, ..Protocol::REAL }), [NobodyIsSignedOutEarly]);
}

#[test]
fn accepting_the_predecessor_for_ever_leaves_two_secrets() {
    fn mutant(row: Option<&Session>, token: &RefreshToken, lifetimes: &Lifetimes, now: OffsetDateTime) -> Decision {
        match decide(row, token, lifetimes, now) {
            Decision::Reissue => Decision::Overlap,
            decision => decision,
        }
    }
    assert_eq!(broken(Protocol { decide: mutant, ..Protocol::REAL }), [OneSecretBeyondTheGrace]);
}

/// It signs people out besides: the branch that is not presented is dead, and here that is the wrong one.
#[test]
fn keeping_the_lost_branch_alive_lets_both_rotate_for_ever() {
    let mutant = Protocol { reissue: |row| (row.generation + 1, Some(row.active)), ..Protocol::REAL };
    assert_eq!(broken(mutant), [NobodyIsSignedOutEarly, NeverBothRotateTwice, OneSecretBeyondTheGrace]);
}

#[test]
fn revoking_on_overlap_signs_people_out() {
    fn mutant(row: Option<&Session>, token: &RefreshToken, lifetimes: &Lifetimes, now: OffsetDateTime) -> Decision {
        match decide(row, token, lifetimes, now) {
            Decision::Overlap => Decision::Replayed,
            decision => decision,
        }
    }
    assert_eq!(broken(Protocol { decide: mutant, ..Protocol::REAL }), [NobodyIsSignedOutEarly]);
}

#[test]
fn ignoring_the_revocation_opens_what_was_closed() {
    fn mutant(row: Option<&Session>, token: &RefreshToken, lifetimes: &Lifetimes, now: OffsetDateTime) -> Decision {
        let live = row.map(|row| Session { revoked: None, ..row.clone() });
        decide(live.as_ref(), token, lifetimes, now)
    }
    assert_eq!(broken(Protocol { decide: mutant, ..Protocol::REAL }), [NothingOpensAfterARevoke]);
}

/// A sixth, of the act: a page that took longer than the grace and lost its swap to a parallel one is no lost answer.
#[test]
fn reissuing_after_a_lost_swap_signs_people_out() {
    let mutant = Protocol { after_a_lost_swap: |decision| decision, ..Protocol::REAL };
    assert_eq!(broken(mutant), [NobodyIsSignedOutEarly]);
}
