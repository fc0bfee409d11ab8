//! The server's part: the row, what is done to it, and the function under test.

use std::sync::LazyLock;

use perennial::domain::id::{SessionId, UserId};
use perennial::domain::rotation::{self, Decision};
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

/// Reads a moment of the program's back.
pub fn seconds(at: OffsetDateTime) -> Seconds {
    Seconds::try_from((at - BEGINNING).whole_seconds()).expect("a moment near the beginning")
}

/// One secret, by number; different numbers are different secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret(pub u32);

/// Hashing is most of the work of an exploration, and it needs a handful of secrets only.
static HASHES: LazyLock<Vec<SecretHash>> =
    LazyLock::new(|| (0..8).map(|number| Secret(number).plain().hash()).collect());

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
    fn plain(self) -> RefreshToken {
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
            revoked: self.revoked.map(|(at, because)| Revocation { at: moment(at), because }),
            user_agent: String::new(),
            address: String::new(),
        }
    }

    /// Returns the active token and its predecessor: all that may ever open the sign-in.
    pub fn live_tokens(&self) -> impl Iterator<Item = Token> {
        let active = Token { generation: self.generation, secret: self.active };
        let previous = self.previous.map(|secret| Token { generation: self.generation - 1, secret });
        std::iter::once(active).chain(previous)
    }
}

/// Returns a length of time in seconds.
pub fn length(of: Duration) -> Seconds {
    Seconds::try_from(of.whole_seconds()).expect("a length of some years at most")
}

/// What a swap leaves in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replacement {
    pub generation: i32,
    pub active: Secret,
    pub previous: Option<Secret>,
    pub at: Seconds,
}

/// Where the row is: in memory, or in a database that two nodes share.
pub trait Rows {
    /// Reads the row.
    fn find(&mut self) -> Row;

    /// Replaces the secrets if the row is not revoked and stands as it was read; tells whether it did.
    fn swap(&mut self, read: &Row, replacement: Replacement) -> bool;

    /// Ends the sign-in, if it stands as it was read where that matters; tells whether it did.
    fn revoke(&mut self, unmoved: Option<&Row>, because: EndReason, now: Seconds) -> bool;
}

/// The row in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InMemory(pub Row);

impl Rows for InMemory {
    fn find(&mut self) -> Row {
        self.0.clone()
    }

    fn swap(&mut self, read: &Row, replacement: Replacement) -> bool {
        let Replacement { generation, active, previous, at } = replacement;
        if self.0.revoked.is_some() || !stands(&self.0, read) {
            return false;
        }
        self.0 = Row { generation, active, previous, rotated_at: at, last_seen_at: at, ..self.0.clone() };
        true
    }

    fn revoke(&mut self, unmoved: Option<&Row>, because: EndReason, now: Seconds) -> bool {
        if self.0.revoked.is_some() || unmoved.is_some_and(|read| !stands(&self.0, read)) {
            return false;
        }
        self.0.revoked = Some((now, because));
        true
    }
}

/// Tells whether nobody has rotated since `read`.
pub fn stands(row: &Row, read: &Row) -> bool {
    row.generation == read.generation && row.active == read.active
}

/// The signature of [`rotation::decide`].
pub type Decide = fn(Option<&Session>, &RefreshToken, &Lifetimes, OffsetDateTime) -> Decision;

/// What is decided and how it is carried out; the mutants differ from [`Protocol::REAL`] in one of these.
#[derive(Clone, Copy)]
pub struct Protocol {
    /// The decision: for the real protocol, the function that the server runs.
    pub decide: Decide,
    /// The generation and the predecessor that a reissue leaves.
    pub reissue: fn(&Row) -> (i32, Option<Secret>),
    /// What a decision means that was made again after a lost swap.
    pub after_a_lost_swap: fn(Decision) -> Decision,
}

impl Protocol {
    /// The protocol as it is, acting as `auth::settle` does.
    pub const REAL: Self = Self {
        decide: rotation::decide,
        reissue: |row| (row.generation, row.previous),
        after_a_lost_swap: |decision| match decision {
            Decision::Reissue => Decision::Overlap,
            decision => decision,
        },
    };

    /// Decides about a row.
    pub fn decide(&self, row: &Row, presented: Token, lifetimes: &Lifetimes, now: Seconds) -> Decision {
        (self.decide)(Some(&row.session()), &presented.plain(), lifetimes, moment(now))
    }

    /// Returns what a decision leaves in the row; nothing for those that leave it alone.
    pub fn replacement(&self, decision: Decision, row: &Row, fresh: Secret, at: Seconds) -> Option<Replacement> {
        let (generation, previous) = match decision {
            Decision::Rotate => (row.generation + 1, Some(row.active)),
            Decision::Reissue => (self.reissue)(row),
            Decision::Unknown | Decision::Ended(_) | Decision::Overlap | Decision::Replayed => return None,
        };
        Some(Replacement { generation, active: fresh, previous, at })
    }
}

/// Tells whether a decision signs the request in.
pub fn opens(decision: Decision) -> bool {
    matches!(decision, Decision::Rotate | Decision::Overlap | Decision::Reissue)
}
