//! The version before, as it was: while both run on one database, neither may take the other's acts for theft.
//!
//! A frozen copy, because the program itself no longer holds it. It answers with the types of today.

use perennial::domain::rotation::{Circumstances, Decision, Effect, Transition};
use perennial::domain::session::{EndReason, Lifetimes, Revocation, Session};
use perennial::domain::token::{RefreshToken, SecretHash};
use time::OffsetDateTime;

use super::protocol::{Protocol, Swaps};

/// The protocol of version 1: it rotates at any time, allows parallel requests for one grace, and reissues in place.
pub const PROTOCOL: Protocol =
    Protocol { decide, row, after_lost_swap: Transition::after_lost_swap, rank: Decision::rank, swaps: Swaps::Always };

fn transition(decision: Decision, effect: Effect) -> Transition {
    Transition { decision, effect, losses: 0 }
}

fn decide(session: Option<&Session>, presented: &RefreshToken, circumstances: &Circumstances) -> Transition {
    let Circumstances { lifetimes, now, .. } = circumstances;
    let Some(session) = session else { return transition(Decision::Unknown, Effect::Stays) };
    if let Some(reason) = ended(session, lifetimes, *now) {
        return transition(Decision::Ended(reason), Effect::Stays);
    }
    if presented.generation > session.generation {
        return transition(Decision::Unknown, Effect::Stays);
    }
    let secret = presented.secret.hash();
    if presented.generation == session.generation && secret == session.token_hash {
        let (generation, previous) = (session.generation + 1, Some(session.token_hash));
        return transition(Decision::Rotate, Effect::Replaced { generation, previous, proven: false });
    }
    if presented.generation == session.generation - 1 && session.previous_hash == Some(secret) {
        if (*now - session.rotated_at).abs() <= lifetimes.reuse_grace {
            return transition(Decision::Overlap, Effect::Stays);
        }
        let (generation, previous) = (session.generation, session.previous_hash);
        return transition(Decision::Reissue, Effect::Replaced { generation, previous, proven: false });
    }
    transition(Decision::Replayed, Effect::Ends(EndReason::Replayed))
}

fn ended(session: &Session, lifetimes: &Lifetimes, now: OffsetDateTime) -> Option<EndReason> {
    if let Some(revocation) = session.revoked {
        Some(revocation.because)
    } else if now >= session.expires_at {
        Some(EndReason::Expired)
    } else if session.kept && now - session.last_seen_at >= lifetimes.idle {
        Some(EndReason::Idle)
    } else {
        None
    }
}

fn row(transition: &Transition, before: &Session, fresh: SecretHash, at: OffsetDateTime) -> Option<Session> {
    match transition.effect {
        Effect::Stays | Effect::Proved => None,
        Effect::Replaced { generation, previous, .. } => Some(Session {
            generation,
            token_hash: fresh,
            previous_hash: previous,
            rotated_at: at,
            last_seen_at: at,
            ..before.clone()
        }),
        Effect::Ends(because) => Some(Session { revoked: Some(Revocation { at, because }), ..before.clone() }),
    }
}
