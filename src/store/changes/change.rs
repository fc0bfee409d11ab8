//! What the table of changes says.

use crate::domain::id::{SessionId, UserId};

/// Something that a process must forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A user's name, address, role, activity or time zone changed.
    User(UserId),
    /// A session ended, or its end moved.
    Session(SessionId),
    /// Another key signs, or one was dropped.
    Keys,
}

/// Changes told one by one at most, some megabytes: a statement by hand may change millions of rows. Past that, a follower
/// says only that anything may have changed.
pub(super) const TOLD_AT_MOST: usize = 65_536;

/// What a follower has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// These changes, and no others, since it was last asked; none is an answer too.
    Changes(Vec<Change>),
    /// The connection was lost and is there again, and there is no telling what changed meanwhile; or more has changed than
    /// is told one by one.
    Anything,
    /// Nothing was asked of the database, because nothing called for it.
    NotAsked,
}

/// Reads a row; what this version does not know concerns nothing it remembers.
pub(super) fn read(subject: &str, id: &str) -> Option<Change> {
    match subject {
        "user" => id.parse().ok().map(Change::User),
        "key" => Some(Change::Keys),
        _ => id.parse().ok().map(Change::Session),
    }
}
