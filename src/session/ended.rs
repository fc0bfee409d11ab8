//! What is left of a session that is over.

use time::OffsetDateTime;

use crate::domain::id::SessionId;
use crate::domain::session::EndReason;

/// A session that is over, as far as a request could show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The session.
    pub session: SessionId,
    /// Why it ended.
    pub reason: EndReason,
    /// When.
    pub at: OffsetDateTime,
}

/// What is left of a session that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Why it ended.
    pub reason: EndReason,
    /// When.
    pub at: OffsetDateTime,
}
