//! The server's part: the row, the shipped functions that decide about it and carry that out, and where it is kept.

use std::sync::LazyLock;

use perennial::domain::id::{SessionId, UserId};
use perennial::domain::rotation::{self, Circumstances, Decision, Effect, Transition};
use perennial::domain::session::{EndReason, Lifetimes, Revocation, Session};
use perennial::domain::token::{RefreshSecret, RefreshToken, SECRET_BYTES, SecretHash};
use time::{Duration, OffsetDateTime};

/// A moment or a length of time, in seconds; the model begins at 0.
pub type Seconds = i32;

/// The moment that the model calls 0.
const BEGINNING: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

/// Returns the moment as the program knows it.
pub fn moment(at: Seconds) -> OffsetDateTime {
    BEGINNING + Duration::seconds(at.into())
}

/// Converts a moment of the program back.
pub fn seconds(at: OffsetDateTime) -> Seconds {
    Seconds::try_from((at - BEGINNING).whole_seconds()).expect("a moment near the beginning")
}

/// Returns a length of time in seconds.
pub fn length(of: Duration) -> Seconds {
    Seconds::try_from(of.whole_seconds()).expect("a length of some years at most")
}

/// One secret, by number; different numbers are different secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret(pub u32);

/// A secret that no row holds.
pub const DEAD: Secret = Secret(8);

/// Numbers below this one are given by [`super::world::World::canonical`]; new secrets start here.
pub const FIRST_NEW: u32 = 16;

/// Hashing is most of the work of an exploration, and it needs a handful of secrets only.
static HASHES: LazyLock<Vec<SecretHash>> =
    LazyLock::new(|| (0..FIRST_NEW + 2).map(|number| Secret(number).plain().hash()).collect());

impl Secret {
    fn plain(self) -> RefreshSecret {
        let mut bytes = [0xA5; SECRET_BYTES];
        bytes[..4].copy_from_slice(&self.0.to_le_bytes());
        RefreshSecret::from_bytes(bytes)
    }

    /// Returns what the database holds of it.
    pub fn hash(self) -> SecretHash {
        HASHES.get(self.0 as usize).copied().unwrap_or_else(|| self.plain().hash())
    }
}

/// What a browser holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub generation: i32,
    pub secret: Secret,
}

impl Token {
    /// Returns the token as the program knows it.
    pub fn plain(self) -> RefreshToken {
        RefreshToken { session: session_id(), generation: self.generation.into(), secret: self.secret.plain() }
    }
}

/// The one sign-in that is looked at.
pub fn session_id() -> SessionId {
    SessionId::from_bytes([7; 16])
}

/// The columns of a row that the protocol turns on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    pub generation: i32,
    pub active: Secret,
    pub previous: Option<Secret>,
    pub rotated_at: Seconds,
    pub last_seen_at: Seconds,
    pub expires_at: Seconds,
    pub revoked: Option<(Seconds, EndReason)>,
}

impl Row {
    /// Begins a sign-in with secret 0.
    pub fn begun(now: Seconds, lifetimes: &Lifetimes) -> Self {
        Self {
            generation: 0,
            active: Secret(0),
            previous: None,
            rotated_at: now,
            last_seen_at: now,
            expires_at: now + length(lifetimes.kept),
            revoked: None,
        }
    }

    /// Returns the row as the program knows it.
    pub fn session(&self) -> Session {
        Session {
            id: session_id(),
            user_id: UserId(1),
            generation: self.generation.into(),
            token_hash: self.active.hash(),
            previous_hash: self.previous.map(Secret::hash),
            rotated_at: moment(self.rotated_at),
            created_at: moment(0),
            authenticated_at: moment(0),
            last_seen_at: moment(self.last_seen_at),
            expires_at: moment(self.expires_at),
            kept: true,
            shared_computer: false,
            revoked: self.revoked.map(|(at, because)| Revocation { at: moment(at), because }),
            user_agent: String::new(),
            address: String::new(),
            device_key: None,
            proved_generation: None,
        }
    }

    /// Converts a row of the program back, given which secret a hash is of.
    pub fn of(session: &Session, secret: impl Fn(SecretHash) -> Secret) -> Self {
        Self {
            generation: session.generation.try_into().expect("a few rotations"),
            active: secret(session.token_hash),
            previous: session.previous_hash.map(secret),
            rotated_at: seconds(session.rotated_at),
            last_seen_at: seconds(session.last_seen_at),
            expires_at: seconds(session.expires_at),
            revoked: session.revoked.map(|revocation| (seconds(revocation.at), revocation.because)),
        }
    }

    /// Tells whether nobody has rotated since `read`.
    pub fn stands(&self, read: &Self) -> bool {
        self.generation == read.generation && self.active == read.active
    }

    /// Tells whether a token is the active one or its predecessor: no other opens the sign-in.
    pub fn knows(&self, token: Token) -> bool {
        token.secret == self.active || Some(token.secret) == self.previous
    }
}

/// A [`Transition`] with secrets by number, so that states that hold one can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan {
    pub decision: Decision,
    pub change: Change,
}

/// An [`Effect`], with secrets by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Stays,
    Replaced { generation: i32, previous: Option<Secret> },
    Ends(EndReason),
}

impl Plan {
    fn of(transition: Transition, row: &Row) -> Self {
        let change = match transition.effect {
            Effect::Stays => Change::Stays,
            Effect::Ends(because) => Change::Ends(because),
            Effect::Proved => unreachable!("a refresh token proves nothing"),
            Effect::Replaced { generation, previous, .. } => Change::Replaced {
                generation: generation.try_into().expect("a few rotations"),
                previous: previous.map(|hash| name(hash, &[row.active, row.previous.unwrap_or(row.active)])),
            },
        };
        Self { decision: transition.decision, change }
    }

    fn transition(self) -> Transition {
        let effect = match self.change {
            Change::Stays => Effect::Stays,
            Change::Ends(because) => Effect::Ends(because),
            Change::Replaced { generation, previous } => {
                Effect::Replaced { generation: generation.into(), previous: previous.map(Secret::hash), proven: false }
            }
        };
        Transition { decision: self.decision, effect, losses: 0 }
    }
}

/// Returns which of a few secrets a hash is of.
fn name(hash: SecretHash, of: &[Secret]) -> Secret {
    let found = of.iter().find(|secret| secret.hash().as_bytes() == hash.as_bytes());
    *found.expect("a transition makes up no hash")
}

/// Where the row is: in memory, or in a database that two nodes share.
pub trait Rows {
    /// Reads the row.
    fn find(&mut self) -> Row;

    /// Replaces the secrets if the row is not revoked and stands as it was read; tells whether it did.
    fn swap(&mut self, before: &Row, after: &Row) -> bool;

    /// Ends the sign-in if it is not revoked and stands as it was read; tells whether it did.
    fn end_unmoved(&mut self, before: &Row, because: EndReason, now: Seconds) -> bool;

    /// Ends the sign-in, unless it is revoked.
    fn revoke(&mut self, because: EndReason, now: Seconds);

    /// Writes down a use.
    fn touch(&mut self, seen: Seconds);

    /// Puts an older row back.
    fn restore(&mut self, row: &Row);
}

/// The row in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InMemory(pub Row);

impl Rows for InMemory {
    fn find(&mut self) -> Row {
        self.0.clone()
    }

    fn swap(&mut self, before: &Row, after: &Row) -> bool {
        let swaps = self.0.revoked.is_none() && self.0.stands(before);
        if swaps {
            let Row { generation, active, previous, rotated_at, last_seen_at, .. } = *after;
            self.0 = Row { generation, active, previous, rotated_at, last_seen_at, ..self.0.clone() };
        }
        swaps
    }

    fn end_unmoved(&mut self, before: &Row, because: EndReason, now: Seconds) -> bool {
        let ends = self.0.revoked.is_none() && self.0.stands(before);
        if ends {
            self.0.revoked = Some((now, because));
        }
        ends
    }

    fn revoke(&mut self, because: EndReason, now: Seconds) {
        self.0.revoked.get_or_insert((now, because));
    }

    fn touch(&mut self, seen: Seconds) {
        self.0.last_seen_at = self.0.last_seen_at.max(seen);
    }

    fn restore(&mut self, row: &Row) {
        self.0 = row.clone();
    }
}

/// What is decided and how it is carried out; the mutants differ from [`Protocol::REAL`] in one of these.
#[derive(Clone, Copy)]
pub struct Protocol {
    /// The decision.
    pub decide: fn(Option<&Session>, &RefreshToken, &Circumstances) -> Transition,
    /// The row that it leads to.
    pub row: fn(&Transition, &Session, SecretHash, OffsetDateTime) -> Option<Session>,
    /// What a decision means that was made again after a lost swap.
    pub after_lost_swap: fn(Transition) -> Transition,
    /// Which decision counts, where a request brought several tokens.
    pub rank: fn(Decision) -> u8,
    /// When a swap that was decided on the way in is carried out on the way out.
    pub swaps: Swaps,
}

/// When a swap is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swaps {
    /// If the process neither slept nor had its clock set since the request arrived.
    Uninterrupted,
    /// If the process can judge.
    WhenSteady,
    Always,
}

impl Protocol {
    /// The protocol as the server runs it.
    pub const REAL: Self = Self {
        decide: rotation::decide,
        row: Transition::row,
        after_lost_swap: Transition::after_lost_swap,
        rank: Decision::rank,
        swaps: Swaps::Uninterrupted,
    };

    /// Decides about a row.
    pub fn decide(&self, row: &Row, presented: Token, circumstances: &Circumstances) -> Plan {
        Plan::of((self.decide)(Some(&row.session()), &presented.plain(), circumstances), row)
    }

    /// Decides about a row that somebody else has just moved.
    pub fn decide_again(&self, row: &Row, presented: Token, circumstances: &Circumstances) -> Plan {
        let transition = (self.decide)(Some(&row.session()), &presented.plain(), circumstances);
        Plan::of((self.after_lost_swap)(transition), row)
    }

    /// Returns the row that carrying a plan out leads to; nothing where it leaves the row alone.
    pub fn row_after(&self, plan: Plan, before: &Row, fresh: Secret, at: Seconds) -> Option<Row> {
        let after = (self.row)(&plan.transition(), &before.session(), fresh.hash(), moment(at))?;
        Some(Row::of(&after, |hash| name(hash, &[fresh, before.active, before.previous.unwrap_or(fresh)])))
    }
}
