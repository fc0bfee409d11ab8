//! Why a use case of a sign-in has no outcome.

use crate::crypto::{HashError, IssueError, RandomError};
use crate::store::StoreError;

/// Why a use case of a sign-in has no outcome; whoever asked is as signed in as before.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The store has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password pool has no answer.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// No access token could be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}
