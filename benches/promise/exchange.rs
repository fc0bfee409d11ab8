//! A request on its way, who sent it, and a theft under way.

use perennial::domain::rotation::{Circumstances, Transition};
use perennial::domain::session::Session;
use perennial::domain::token::RefreshToken;
use time::OffsetDateTime;

/// Who holds a copy of the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Owner,
    Thief,
}

/// A request on its way through the server.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) party: Party,
    pub(crate) presented: RefreshToken,
    /// The generation of the challenge that its proof is over, where the browser holds a key.
    pub(crate) proved: Option<i64>,
    pub(crate) line: u64,
    pub(crate) read: Option<(Session, Transition, Circumstances)>,
    pub(crate) answer: Option<Answer>,
}

/// What an answer sets.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The new refresh token, with its line; missing where nothing was renewed.
    pub(crate) refresh: Option<(RefreshToken, u64)>,
    pub(crate) access_until: OffsetDateTime,
    pub(crate) challenge: i64,
}

/// A theft under way.
#[derive(Debug)]
pub(crate) struct Theft {
    pub(crate) at: OffsetDateTime,
    pub(crate) rotations: u64,
    pub(crate) thiefs_rotations: u64,
    pub(crate) rotated_twice: (bool, bool),
    /// Whether the sign-in was bound to its device when its jar was copied.
    pub(crate) bound: bool,
    /// When the copy last opened a page.
    pub(crate) last_use: OffsetDateTime,
}
