//! Bound rows: the owner's browser proves itself, and the two first limits of the protocol are gone.
//!
//! Every secret has a generation of its own, so a token is its generation. What the thief holds is no part of a state: it
//! opens nothing in any of them and changes none, which is asked in each. A network loses, delays, reorders and repeats
//! whatever it likes, for as long as it likes; a crash brings back any jar and any challenge that ever was.

use std::collections::{HashSet, VecDeque};

use perennial::domain::device_key::DeviceKey;
use perennial::domain::rotation::{Circumstances, Decision, Effect, Proof, decide, decide_proof};
use perennial::domain::session::Session;

use super::protocol::{Row, Secret, Token, moment};
use super::settings::LIFETIMES;

/// Messages under way at once.
const UNDER_WAY: usize = 2;

/// Differences of generations past which nothing turns on how large they are.
const FAR: i32 = 4;

/// The generation of every row, to which all others are told.
const GENERATION: i32 = 100;

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
struct State {
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
    fn answer(&mut self, challenge: i32, cookie: Option<i32>) {
        let before = self.session();
        let tokens: Vec<_> = cookie.map(|generation| Self::token(generation).plain()).into_iter().collect();
        let proof = Proof { generation: challenge.into(), tokens: &tokens };
        let transition = decide_proof(Some(&before), &proof, &circumstances());
        assert!(!matches!(transition.effect, Effect::Ends(_)), "a proof ends nothing: {self:?}");
        if challenge == self.generation {
            assert!(transition.decision.opens(), "a proof over the current challenge opens: {self:?}");
        } else {
            assert!(matches!(transition.decision, Decision::Overlap | Decision::Stale), "{transition:?} {self:?}");
        }
        let fresh = self.generation + 1;
        if let Some(after) = transition.row(&before, Self::secret(fresh).hash(), moment(0)) {
            assert!(after.generation >= before.generation && after.is_bound());
            let replaced = after.generation > before.generation;
            let of = |generation: i32| Some(Self::secret(generation).hash()) == after.previous_hash;
            let known = [Some(self.generation), self.previous].into_iter().flatten();
            self.previous = known.into_iter().find(|generation| of(*generation));
            (self.generation, self.proved) = (i32::try_from(after.generation).unwrap(), true);
            self.recent |= replaced;
        }
        let cookie = (transition.decision == Decision::Rotate).then_some(self.generation);
        self.under_way.push(Message::Answer { cookie, challenge: self.generation });
    }

    fn next(&self) -> Vec<Self> {
        let mut next = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut state = self.clone();
            change(&mut state);
            next.push(state.canonical());
        };
        add(&|state| state.recent = false);
        if self.under_way.len() < UNDER_WAY {
            add(&|state| state.under_way.push(Message::Proof { challenge: state.challenge, cookie: state.cookie }));
        }
        for index in 0..self.under_way.len() {
            add(&|state| {
                state.under_way.remove(index);
            });
            for repeats in [false, true] {
                add(&|state| {
                    let message = if repeats { state.under_way[index] } else { state.under_way.remove(index) };
                    match message {
                        Message::Proof { challenge, cookie } if state.under_way.len() < UNDER_WAY => {
                            state.answer(challenge, cookie);
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
            add(&|state| state.cookie = Some(GENERATION - back));
            add(&|state| state.challenge = GENERATION - back);
        }
        add(&|state| state.cookie = None);
        next
    }

    /// Asks whether any token, whoever has it, opens the row or touches it without a proof.
    fn assert_closed(&self) {
        let session = self.session();
        for generation in GENERATION - FAR - 1..GENERATION + 3 {
            let transition = decide(Some(&session), &Self::token(generation).plain(), &circumstances());
            if self.proved {
                assert_eq!((transition.decision, transition.effect), (Decision::NotProven, Effect::Stays), "{self:?}");
            }
        }
    }

    /// Asks whether a browser whose messages arrive from now on is signed in by its second request at the latest.
    fn assert_comes_back(&self) {
        let mut state = Self { under_way: Vec::new(), ..self.clone() };
        for _ in 0..2 {
            let before = state.session();
            let proof = Proof { generation: state.challenge.into(), tokens: &[] };
            if decide_proof(Some(&before), &proof, &circumstances()).decision.opens() {
                return;
            }
            state.challenge = state.generation;
        }
        panic!("the owner is out: {self:?}");
    }
}

fn circumstances() -> Circumstances {
    Circumstances { lifetimes: LIFETIMES, now: moment(0), steady: true, reissue_in_place: false, binds: true }
}

/// Whatever is lost, late, repeated, forgotten or stolen: the owner is in with the next proof, and nobody else ever.
#[test]
fn a_bound_sign_in_is_its_owners_in_every_state_that_can_be_reached() {
    let begun = State::begun().canonical();
    let (mut seen, mut open) = (HashSet::from([begun.clone()]), VecDeque::from([begun]));
    while let Some(state) = open.pop_front() {
        state.assert_closed();
        state.assert_comes_back();
        for next in state.next() {
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    println!("{} states", seen.len());
    assert!(seen.len() > 1_000, "{}", seen.len());
    assert!(seen.iter().any(|state| state.proved && !state.recent && state.cookie.is_none()));
}
