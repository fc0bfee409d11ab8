//! Bound rows: the owner's browser proves itself, and the two first limits of the protocol are gone.
//!
//! Every secret has a generation of its own, so a token is its generation. What the thief holds is no part of a state: it
//! opens nothing in any of them and changes none, which is asked in each. A network loses, delays, reorders and repeats
//! whatever it likes, for as long as it likes; a crash brings back any jar and any challenge that ever was.

use std::collections::{HashSet, VecDeque};

use perennial::domain::device_key::DeviceKey;
use perennial::domain::rotation::{Circumstances, Decision, Effect, Proof, Transition, decide, decide_proof};
use perennial::domain::session::Session;
use perennial::domain::token::RefreshToken;

use super::protocol::{Row, Secret, Token, moment};
use super::settings::LIFETIMES;

/// Messages under way at once.
const UNDER_WAY: usize = 2;

/// Differences of generations past which nothing turns on how large they are.
const FAR: i32 = 4;

/// The generation of every row, to which all others are told.
const GENERATION: i32 = 100;

/// The two functions that decide: the real ones, or broken ones.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) decide: fn(Option<&Session>, &RefreshToken, &Circumstances) -> Transition,
    pub(super) decide_proof: fn(Option<&Session>, &Proof<'_>, &Circumstances) -> Transition,
}

impl Rules {
    pub(super) const REAL: Self = Self { decide, decide_proof };
}

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A token without a proof opens a bound row.
    OpensWithoutProof,
    /// A token without a proof changes a bound row.
    ChangesWithoutProof,
    /// A proof ends the sign-in.
    ProofEnds,
    /// A proof over the current challenge opens nothing.
    ProofRefused,
    /// A proof over a challenge that is over opens something past the window.
    OldProofOpens,
    /// A proof leaves the row unbound, or takes a generation back.
    ProofUnbinds,
    /// The owner's browser is out although everything arrives.
    OwnerOut,
}

/// A message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Message {
    /// A proof over the challenge of a generation, with the cookie of one.
    Proof { challenge: i32, cookie: Option<i32> },
    /// Cookies and the next challenge.
    Answer { cookie: Option<i32>, challenge: i32 },
}

/// The row, the owner's browser, and what is under way; a token is its generation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    generation: i32,
    previous: Option<i32>,
    proved: bool,
    /// Whether the last rotation is within the window.
    recent: bool,
    cookie: Option<i32>,
    challenge: i32,
    under_way: Vec<Message>,
}

impl State {
    fn begun() -> Self {
        Self {
            generation: GENERATION,
            previous: None,
            proved: false,
            recent: true,
            cookie: Some(GENERATION),
            challenge: GENERATION,
            under_way: Vec::new(),
        }
    }

    fn secret(generation: i32) -> Secret {
        Secret(u32::try_from(generation).unwrap())
    }

    fn session(&self) -> Session {
        let row = Row {
            generation: self.generation,
            active: Self::secret(self.generation),
            previous: self.previous.map(Self::secret),
            rotated_at: if self.recent { 0 } else { -121 },
            ..Row::begun(0, &LIFETIMES)
        };
        Session {
            device_key: Some(DeviceKey::from_bytes([7; 64])),
            proved_generation: self.proved.then_some(self.generation.into()),
            ..row.session()
        }
    }

    fn token(generation: i32) -> Token {
        Token { generation, secret: Self::secret(generation) }
    }

    /// Tells everything from the generation of the row, and forgets what nothing turns on.
    fn canonical(mut self) -> Self {
        let shift = GENERATION - self.generation;
        let tell = |generation: i32| (generation + shift).max(GENERATION - FAR);
        self.generation = GENERATION;
        self.previous = self.previous.map(tell);
        self.cookie = self.cookie.map(tell);
        self.challenge = tell(self.challenge);
        for message in &mut self.under_way {
            match message {
                Message::Proof { challenge, cookie } | Message::Answer { cookie, challenge } => {
                    (*challenge, *cookie) = (tell(*challenge), cookie.map(tell));
                }
            }
        }
        self.under_way.sort_unstable();
        self
    }

    /// The process answers a proof; the answer is under way.
    fn answer(&mut self, rules: Rules, challenge: i32, cookie: Option<i32>) -> Result<(), Broken> {
        let before = self.session();
        let tokens: Vec<_> = cookie.map(|generation| Self::token(generation).plain()).into_iter().collect();
        let proof = Proof { generation: challenge.into(), tokens: &tokens };
        let transition = (rules.decide_proof)(Some(&before), &proof, &circumstances());
        let opens = transition.decision.opens();
        if matches!(transition.effect, Effect::Ends(_)) {
            return Err(Broken::ProofEnds);
        }
        if challenge == self.generation && !opens {
            return Err(Broken::ProofRefused);
        }
        if challenge != self.generation && opens && !self.recent {
            return Err(Broken::OldProofOpens);
        }
        let fresh = self.generation + 1;
        if let Some(after) = transition.row(&before, Self::secret(fresh).hash(), moment(0)) {
            if after.generation < before.generation || !after.is_bound() {
                return Err(Broken::ProofUnbinds);
            }
            let replaced = after.generation > before.generation;
            let of = |generation: i32| Some(Self::secret(generation).hash()) == after.previous_hash;
            let known = [Some(self.generation), self.previous].into_iter().flatten();
            self.previous = known.into_iter().find(|generation| of(*generation));
            (self.generation, self.proved) = (i32::try_from(after.generation).unwrap(), true);
            self.recent |= replaced;
        }
        let cookie = (transition.decision == Decision::Rotate).then_some(self.generation);
        self.under_way.push(Message::Answer { cookie, challenge: self.generation });
        Ok(())
    }

    fn next(&self, rules: Rules) -> Result<Vec<Self>, Broken> {
        let (mut next, mut broken) = (Vec::new(), Ok(()));
        let mut add = |change: &mut dyn FnMut(&mut Self)| {
            let mut state = self.clone();
            change(&mut state);
            next.push(state.canonical());
        };
        add(&mut |state| state.recent = false);
        if self.under_way.len() < UNDER_WAY {
            add(&mut |state| state.under_way.push(Message::Proof { challenge: state.challenge, cookie: state.cookie }));
        }
        for index in 0..self.under_way.len() {
            add(&mut |state| {
                state.under_way.remove(index);
            });
            for repeats in [false, true] {
                add(&mut |state| {
                    let message = if repeats { state.under_way[index] } else { state.under_way.remove(index) };
                    match message {
                        Message::Proof { challenge, cookie } if state.under_way.len() < UNDER_WAY => {
                            broken = broken.and(state.answer(rules, challenge, cookie));
                        }
                        Message::Proof { .. } => {}
                        Message::Answer { cookie, challenge } => {
                            (state.cookie, state.challenge) = (cookie.or(state.cookie), challenge);
                        }
                    }
                });
            }
        }
        // A crash, or a jar that was put back: any cookie or none, and any challenge.
        for back in 0..FAR {
            add(&mut |state| state.cookie = Some(GENERATION - back));
            add(&mut |state| state.challenge = GENERATION - back);
        }
        add(&mut |state| state.cookie = None);
        broken.map(|()| next)
    }

    /// Asks whether any token, whoever has it, opens the row or touches it without a proof.
    fn stays_closed(&self, rules: Rules) -> Result<(), Broken> {
        let session = self.session();
        let tokens = (GENERATION - FAR - 1..GENERATION + 3).map(|generation| Self::token(generation).plain());
        let meant: Vec<_> = tokens.map(|token| (rules.decide)(Some(&session), &token, &circumstances())).collect();
        if self.proved && meant.iter().any(|transition| transition.decision.opens()) {
            return Err(Broken::OpensWithoutProof);
        }
        if self.proved && meant.iter().any(|transition| transition.effect != Effect::Stays) {
            return Err(Broken::ChangesWithoutProof);
        }
        Ok(())
    }

    /// Asks whether a browser whose messages arrive from now on is signed in by its second request at the latest.
    fn comes_back(&self, rules: Rules) -> Result<(), Broken> {
        let mut state = Self { under_way: Vec::new(), ..self.clone() };
        for _ in 0..2 {
            let before = state.session();
            let tokens: Vec<_> = state.cookie.map(|generation| Self::token(generation).plain()).into_iter().collect();
            let proof = Proof { generation: state.challenge.into(), tokens: &tokens };
            if (rules.decide_proof)(Some(&before), &proof, &circumstances()).decision.opens() {
                return Ok(());
            }
            state.challenge = state.generation;
        }
        Err(Broken::OwnerOut)
    }
}

fn circumstances() -> Circumstances {
    Circumstances { lifetimes: LIFETIMES, now: moment(0), steady: true, reissue_in_place: false, binds: true }
}

/// Looks at every state that can be reached.
pub(super) fn explore(rules: Rules) -> Result<HashSet<State>, Broken> {
    let begun = State::begun().canonical();
    let (mut seen, mut open) = (HashSet::from([begun.clone()]), VecDeque::from([begun]));
    while let Some(state) = open.pop_front() {
        state.stays_closed(rules)?;
        state.comes_back(rules)?;
        for next in state.next(rules)? {
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    Ok(seen)
}

/// Whatever is lost, late, repeated, forgotten or stolen: the owner is in with the next proof, and nobody else ever.
#[test]
fn a_bound_sign_in_is_its_owners_in_every_state_that_can_be_reached() {
    let seen = explore(Rules::REAL).unwrap();
    println!("{} states", seen.len());
    assert!(seen.len() > 1_000, "{}", seen.len());
    assert!(seen.iter().any(|state| state.proved && !state.recent && state.cookie.is_none()));
}
