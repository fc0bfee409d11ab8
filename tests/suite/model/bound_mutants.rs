//! Broken decisions on bound rows, and what of the model notices: a model that lets one of these pass would prove nothing.

use perennial::domain::rotation::{Circumstances, Decision, Effect, Proof, Transition, decide, decide_proof};
use perennial::domain::session::{EndReason, Session};
use perennial::domain::token::RefreshToken;

use super::bound::{Broken, Rules, explore};

type Row<'a> = Option<&'a Session>;

/// Asserts that rules break something.
fn breaks(broken: Broken, rules: Rules) {
    assert_eq!(explore(rules).map(|seen| seen.len()), Err(broken));
}

/// The real decision, but for what a change makes of one kind of it.
fn changed(transition: Transition, from: Decision, to: Decision, effect: Effect) -> Transition {
    if transition.decision == from { Transition { decision: to, effect, ..transition } } else { transition }
}

#[test]
fn taking_a_refresh_token_without_a_proof_lets_the_thief_in() {
    let decide = |row: Row<'_>, token: &RefreshToken, now: &Circumstances| {
        decide(row, token, &Circumstances { binds: false, ..*now })
    };
    breaks(Broken::OpensWithoutProof, Rules { decide, ..Rules::REAL });
}

#[test]
fn taking_a_token_without_a_proof_for_a_replay_lets_the_thief_end_the_sign_in() {
    let decide = |row: Row<'_>, token: &RefreshToken, now: &Circumstances| {
        changed(decide(row, token, now), Decision::NotProven, Decision::Replayed, Effect::Ends(EndReason::Replayed))
    };
    breaks(Broken::ChangesWithoutProof, Rules { decide, ..Rules::REAL });
}

#[test]
fn taking_an_old_challenge_for_a_replay_ends_the_sign_in_of_a_late_message() {
    let decide_proof = |row: Row<'_>, proof: &Proof<'_>, now: &Circumstances| {
        changed(decide_proof(row, proof, now), Decision::Stale, Decision::Replayed, Effect::Ends(EndReason::Replayed))
    };
    breaks(Broken::ProofEnds, Rules { decide_proof, ..Rules::REAL });
}

#[test]
fn asking_for_the_cookie_beside_the_proof_signs_out_who_lost_it() {
    let decide_proof = |row: Row<'_>, proof: &Proof<'_>, now: &Circumstances| {
        let transition = decide_proof(row, proof, now);
        if proof.tokens.is_empty() {
            changed(transition, Decision::Rotate, Decision::Stale, Effect::Stays)
        } else {
            transition
        }
    };
    breaks(Broken::OwnerOut, Rules { decide_proof, ..Rules::REAL });
}

#[test]
fn rotating_without_a_note_of_the_proof_unbinds() {
    let decide_proof = |row: Row<'_>, proof: &Proof<'_>, now: &Circumstances| {
        let transition = decide_proof(row, proof, now);
        match transition.effect {
            Effect::Replaced { generation, previous, .. } => {
                Transition { effect: Effect::Replaced { generation, previous, proven: false }, ..transition }
            }
            _ => transition,
        }
    };
    breaks(Broken::ProofUnbinds, Rules { decide_proof, ..Rules::REAL });
}

#[test]
fn taking_the_challenge_before_for_ever_lets_an_old_proof_in() {
    let decide_proof = |row: Row<'_>, proof: &Proof<'_>, now: &Circumstances| {
        changed(decide_proof(row, proof, now), Decision::Stale, Decision::Overlap, Effect::Stays)
    };
    breaks(Broken::OldProofOpens, Rules { decide_proof, ..Rules::REAL });
}
