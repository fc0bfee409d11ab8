//! Why a use case of a session has no outcome.

use crate::crypto::{HashError, IssueError, NoSigningKey, RandomError};
use crate::store::StoreError;

/// Why a use case of a session has no outcome; whoever asked is as signed in as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The store has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password pool has no answer.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// No access token could be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// This process lacks the key that signs; another can do what was asked for.
    #[error(transparent)]
    Key(#[from] NoSigningKey),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// This process slept, or its clock was set, and it judges nobody until the window has passed.
    #[error("this process was asleep, or its clock was set; the next try is judged")]
    Unsure,
    /// The session that the request came with has ended since: what it asked for was not done.
    #[error("the session of this request has ended")]
    SignedOut,
}
