//! Tries at one account wait for each other, so that those with the right password do not lock each other out.
//!
//! A try counts as a failure until its password was looked at. Where a crowd signs in to one account at the same moment,
//! as a double click or a shared account does, the fifth would find it locked although nobody failed. So each process
//! looks at no more of them at a time than are allowed to fail; whoever guesses gains nothing, and waits as well.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::crypto::HashError;
use crate::domain::user::Email;

/// Tries at an account at a time: one less than lock it.
const AT_ONCE: usize = 4;

/// Queues, each of many accounts: enough that a crowd at one account is hardly ever in another's way. Nobody knows whose
/// queue is whose.
const QUEUES: usize = 256;

/// How long a try waits for its turn, as it does for room in the pool of passwords.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);

/// The queues of all accounts.
pub(super) struct Turns {
    queues: Vec<Arc<Semaphore>>,
    hasher: RandomState,
}

/// A turn, which ends when this is dropped: once the counters say what came of the try.
pub(super) type Turn = Option<Arc<OwnedSemaphorePermit>>;

impl Default for Turns {
    fn default() -> Self {
        let queues = (0..QUEUES).map(|_| Arc::new(Semaphore::new(AT_ONCE))).collect();
        Self { queues, hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for a turn at an account, for a second at most; what is no address has no account, and need not wait.
    ///
    /// # Errors
    /// `Busy` if none came; then come back in a few seconds.
    pub(super) async fn take(&self, email: Option<&Email>) -> Result<Turn, HashError> {
        let Some(email) = email else { return Ok(None) };
        let place = usize::try_from(self.hasher.hash_one(email) % QUEUES as u64).unwrap_or_default();
        let Some(queue) = self.queues.get(place) else { return Ok(None) };
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(queue).acquire_owned()).await;
        Ok(Some(Arc::new(turn.map_err(|_| HashError::Busy)?.map_err(|_| HashError::Stopped)?)))
    }
}
