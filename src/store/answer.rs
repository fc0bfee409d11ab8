//! Waiting for a database at the start: libpq and SQLite block for as long as it takes, and it may take for ever.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::StoreError;

/// How long the start waits for what a database that is there answers in milliseconds. libpq may need two seconds for each
/// of several hosts that are away, and SQLite two for somebody's lock; whoever starts a server should hear within ten.
const START_TIMEOUT: Duration = Duration::from_secs(8);

/// What to look at where there is no answer.
const NO_ANSWER: &str =
    "it does not answer; see whether it hangs, or whether a pooler in front of it has no connection left";

/// Runs work on the database of a place, on a thread of its own, and waits for it, at most for [`START_TIMEOUT`].
///
/// Work that does not answer cannot be ended: its thread stays until the database answers, or the process ends.
///
/// # Errors
/// Those of the work, and `Open` if there is no answer in time.
pub fn answer_at_start<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    place: &str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    answer_within(START_TIMEOUT, place, work)
}

fn answer_within<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    limit: Duration,
    place: &str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let (answer, answered) = sync_channel(1);
    let working = move || {
        // Whoever waited may have given up, and says so themselves.
        drop(answer.send(work()));
    };
    let spawned = thread::Builder::new().name("perennial-start".to_owned()).spawn(working);
    spawned.map_err(|error| StoreError::Unavailable(error.into()))?;
    answered.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => StoreError::Open { place: place.to_owned(), source: NO_ANSWER.into() },
        RecvTimeoutError::Disconnected => StoreError::Query("looking at the database panicked".into()),
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_passed_on_and_silence_is_said() {
        assert_eq!(answer_at_start("a", || Ok::<_, StoreError>(7)).ok(), Some(7));
        let refused = answer_at_start("a", || Err::<(), _>(StoreError::Taken));
        assert!(matches!(refused, Err(StoreError::Taken)));
        let (never, silence) = sync_channel::<()>(0);
        let waited: Result<(), StoreError> = answer_within(Duration::from_millis(1), "a", move || {
            // Until the test is over.
            silence.recv().map_err(|_| StoreError::Taken)
        });
        let said = waited.err().map(|error| error.to_string());
        assert!(said.is_some_and(|said| said.starts_with("cannot open the database a: it does not answer")));
        drop(never);
    }
}
