//! The promise as a pure function: what a presented refresh token means, and the row that this leads to.
//!
//! *Never signed out by accident, never kept in by theft.* An answer can be lost at any time, so the predecessor of the
//! active token must go on working until its successor was used (FAPI 2.0 Security Profile section 5.3.2.1 asks this of
//! anyone who rotates). If it worked without a trace, thief and owner could both go on for ever; so whoever presents the
//! predecessor after the window gets a *new* branch, and the branch not presented dies. Its holder is caught at its next
//! use, and the sign-in ends for both.
//!
//! [`decide`] says what is to be done, [`Transition::row`] is the one place that says what the row becomes: the
//! middleware, the second look after a lost swap, the model and the benches all use these two.
//!
//! # Devices that prove themselves
//! A browser that holds a key of its device proves that whenever it renews (W3C Device Bound Session Credentials). On a
//! row that is bound to such a key, [`decide_proof`] decides and [`decide`] opens nothing: no message that is lost or late
//! can look like a theft, and a copy of the cookies is worthless. A proof is over a challenge that names a generation.
//!
//! # Limits
//! Each of these can cost one password entry, and nothing else may: a message that is under way for longer than the
//! grace; eight renewals in a row that are lost or forgotten; a sign-in whose own answer was lost; a browser profile that
//! was cloned or put back from a copy; a sign-in that was begun under a wrong clock. For a bound sign-in the first two are
//! gone.

use time::{Duration, OffsetDateTime};

use crate::domain::session::{EndReason, Lifetimes, Revocation, Session};
use crate::domain::token::{RefreshToken, SecretHash};

/// Renewals in a row that may be lost before an audit event says so.
pub const NOTED_LOSSES: i64 = 3;

/// Renewals in a row after which the sign-in ends. Without this bound, a thief who polls with the predecessor, always just
/// before the window ends, would live on for ever beside an owner who gets nothing but overlaps.
pub const MOST_LOSSES: i64 = 8;

/// What a presented refresh token means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// No such sign-in: the sign-in page.
    Unknown,
    /// The sign-in is over: the sign-in page says why. Nothing is written, for the clock may be wrong.
    Ended(EndReason),
    /// The active token, within the window of the last rotation: signed in, and nothing rotates.
    Fresh,
    /// The active token, later: swap in the next generation.
    Rotate,
    /// The predecessor, within the window: a parallel request. Signed in; the winner's refresh token is in the jar or on
    /// its way there.
    Overlap,
    /// The predecessor, later: the answer that carried its successor was lost. Swap in a new secret; the lost one is dead.
    Reissue,
    /// The predecessor, after [`MOST_LOSSES`] renewals that nobody used: end the sign-in, without an alarm.
    RenewalsLost,
    /// Two parties hold this sign-in: end it, and tell its owner.
    Replayed,
    /// A token of a later generation than the row: the database was restored from a backup. End the sign-in, without an
    /// alarm, or an older copy of it would live on.
    Restored,
    /// The token would end the sign-in, but this process cannot tell: it slept, or its clock was set. Try again.
    Unsure,
    /// The sign-in is bound to a device, and nothing proves that this is it: it opens nothing, and ends nothing.
    NotProven,
    /// A proof over a challenge that is over: ask for one over the current challenge.
    Stale,
}

impl Decision {
    /// Tells whether the request is signed in.
    pub fn opens(self) -> bool {
        matches!(self, Self::Fresh | Self::Rotate | Self::Overlap | Self::Reissue)
    }

    /// Orders decisions on several tokens of one sign-in: the greatest counts.
    ///
    /// A browser that holds an old and the current token is one browser, not two parties, so an alarm comes after
    /// whatever opens. A token from after the backup comes before it: going on with an older one beside it would lead to
    /// the generations that the browser has seen already, and its next request would look like a replay.
    pub fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Ended(_) => 1,
            // Of one row at one moment, these two come alone.
            Self::NotProven | Self::Stale => 2,
            Self::Replayed => 3,
            Self::RenewalsLost => 4,
            Self::Unsure => 5,
            Self::Reissue => 6,
            Self::Overlap => 7,
            Self::Rotate => 8,
            Self::Fresh => 9,
            Self::Restored => 10,
        }
    }
}

/// What a decision turns on besides the row and the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// How long everything lives.
    pub lifetimes: Lifetimes,
    /// When the request arrived.
    pub now: OffsetDateTime,
    /// Whether this process has run, and its clock gone, without a break for the length of the window.
    ///
    /// A process that slept finds requests that were sent long ago, and whose retries others have answered: it must judge
    /// nobody by what it sees.
    pub steady: bool,
    /// Whether a process of the version before may run on the same database. It takes a reissue at another generation for
    /// a replay, so a reissue stays at the generation it has.
    pub reissue_in_place: bool,
    /// Whether every process on the database verifies proofs: as long as one does not, a refresh token opens a bound
    /// sign-in too, and its rotation unbinds it.
    pub binds: bool,
}

/// A proof by the device of a sign-in, its signature verified with the key of the row.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The generation that its challenge names.
    pub generation: i64,
    /// The refresh tokens of the sign-in that came with it.
    pub tokens: &'a [RefreshToken],
}

/// What is decided, and what carrying it out does to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What the token means.
    pub decision: Decision,
    /// What becomes of the row.
    pub effect: Effect,
    /// Renewals in a row that nobody used, where the predecessor was presented.
    pub losses: i64,
}

/// What becomes of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Stays,
    /// A new secret takes the place of the active one: by compare-and-swap, right before the answer goes.
    Replaced {
        /// Its generation.
        generation: i64,
        /// The hash of the token that goes on working beside it.
        previous: Option<SecretHash>,
        /// Whether the device proved itself; if not, the row is bound to it no more.
        proven: bool,
    },
    /// It is noted that the device proved itself at this generation; the secrets stay.
    Proved,
    /// It ends, at once.
    Ends(EndReason),
}

impl Transition {
    fn new(decision: Decision, effect: Effect) -> Self {
        Self { decision, effect, losses: 0 }
    }

    fn signs_in(decision: Decision) -> Self {
        Self::new(decision, Effect::Stays)
    }

    fn ends(decision: Decision, reason: EndReason) -> Self {
        Self::new(decision, Effect::Ends(reason))
    }

    /// Returns the row that carrying this out at `at` leads to, with `fresh` as the hash of the new secret; nothing where
    /// the row stays as it is.
    pub fn row(&self, before: &Session, fresh: SecretHash, at: OffsetDateTime) -> Option<Session> {
        match self.effect {
            Effect::Stays => None,
            Effect::Replaced { generation, previous, proven } => Some(Session {
                generation,
                token_hash: fresh,
                previous_hash: previous,
                rotated_at: at,
                last_seen_at: before.seen(at),
                device_key: before.device_key.filter(|_| proven),
                proved_generation: proven.then_some(generation),
                ..before.clone()
            }),
            Effect::Proved => Some(Session {
                proved_generation: Some(before.generation),
                last_seen_at: before.seen(at),
                ..before.clone()
            }),
            Effect::Ends(because) => Some(Session { revoked: Some(Revocation { at, because }), ..before.clone() }),
        }
    }

    /// Returns what to do on the way out after the swap was lost to another request, given what was decided on the new row
    /// as of the arrival of this one.
    ///
    /// Whoever moved the row did so while this request was under way. A reissue would kill the branch that the winner has
    /// just delivered to the same jar, so it is an overlap; and nothing is ended by an answer that is ready to go.
    #[must_use]
    pub fn after_lost_swap(self) -> Self {
        match self.decision {
            Decision::Reissue => Self::signs_in(Decision::Overlap),
            _ => match self.effect {
                Effect::Ends(_) => Self::new(Decision::Unsure, Effect::Stays),
                _ => self,
            },
        }
    }
}

/// Decides what `presented` means, given the row of its sign-in.
///
/// Pure: no clock and no database. The caller carries the transition out by compare-and-swap, and decides again with the
/// new row if it lost the race.
pub fn decide(session: Option<&Session>, presented: &RefreshToken, circumstances: &Circumstances) -> Transition {
    let Circumstances { lifetimes, now, steady, reissue_in_place, binds } = circumstances;
    let session = match live(session, circumstances) {
        Ok(session) => session,
        Err(over) => return over,
    };
    if *binds && session.is_bound() {
        return Transition::new(Decision::NotProven, Effect::Stays);
    }
    let secret = presented.secret.hash();
    let within = is_within(session.rotated_at, lifetimes.window(), *now);
    if secret == session.token_hash {
        return if within || !steady {
            Transition::signs_in(Decision::Fresh)
        } else {
            let (generation, previous) = (session.generation.saturating_add(1), Some(session.token_hash));
            Transition::new(Decision::Rotate, Effect::Replaced { generation, previous, proven: false })
        };
    }
    if session.previous_hash == Some(secret) {
        if within || !steady {
            return Transition::signs_in(Decision::Overlap);
        }
        let losses = session.generation.saturating_sub(presented.generation);
        let transition = if losses >= MOST_LOSSES {
            Transition::ends(Decision::RenewalsLost, EndReason::RenewalsLost)
        } else {
            let generation = session.generation.saturating_add(i64::from(!reissue_in_place));
            let previous = session.previous_hash;
            Transition::new(Decision::Reissue, Effect::Replaced { generation, previous, proven: false })
        };
        return Transition { losses, ..transition };
    }
    if !steady {
        return Transition::new(Decision::Unsure, Effect::Stays);
    }
    if presented.generation > session.generation {
        return Transition::ends(Decision::Restored, EndReason::Restored);
    }
    Transition::ends(Decision::Replayed, EndReason::Replayed)
}

/// Decides what a proof means, given the row of its sign-in.
///
/// The proof decides, whatever cookies came with it: they may be lost, old or of somebody's making. They matter for one
/// thing: the predecessor moves on only if the active token has reached the browser, so that a browser whose sign-in is
/// bound no more one day goes on by the token that it has.
pub fn decide_proof(session: Option<&Session>, proof: &Proof<'_>, circumstances: &Circumstances) -> Transition {
    let Circumstances { lifetimes, now, steady, .. } = circumstances;
    let session = match live(session, circumstances) {
        Ok(session) => session,
        Err(over) => return over,
    };
    if session.proving_key().is_none() {
        return Transition::new(Decision::Unknown, Effect::Stays);
    }
    let within = is_within(session.rotated_at, lifetimes.window(), *now);
    if proof.generation == session.generation {
        if !steady || within && session.is_bound() {
            return Transition::signs_in(Decision::Fresh);
        }
        if within {
            return Transition::new(Decision::Fresh, Effect::Proved);
        }
        let stored = proof.tokens.iter().any(|token| token.secret.hash() == session.token_hash);
        let previous = if stored { Some(session.token_hash) } else { session.previous_hash };
        let generation = session.generation.saturating_add(1);
        return Transition::new(Decision::Rotate, Effect::Replaced { generation, previous, proven: true });
    }
    let is_previous = proof.generation.checked_add(1) == Some(session.generation);
    if is_previous && (within || !steady) {
        return Transition::signs_in(Decision::Overlap);
    }
    Transition::new(Decision::Stale, Effect::Stays)
}

/// Returns the row of a sign-in that is alive, or what the end of it means.
fn live<'a>(session: Option<&'a Session>, circumstances: &Circumstances) -> Result<&'a Session, Transition> {
    let session = session.ok_or(Transition::new(Decision::Unknown, Effect::Stays))?;
    match session.ended(&circumstances.lifetimes, circumstances.now) {
        Some(reason) => Err(Transition::new(Decision::Ended(reason), Effect::Stays)),
        None => Ok(session),
    }
}

/// Tells whether `now` is at most `window` away from the rotation, in either direction.
///
/// In either direction, because the clocks of two nodes differ a little, and so that a clock that was set back stretches
/// nothing.
fn is_within(rotated_at: OffsetDateTime, window: Duration, now: OffsetDateTime) -> bool {
    (now - rotated_at).abs() <= window
}

#[cfg(test)]
mod tests;
