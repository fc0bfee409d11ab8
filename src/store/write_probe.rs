//! What the last write of a probe came to, and when it is time for the next.

use std::time::Duration;

use parking_lot::Mutex;

use super::error::StoreError;

/// How old an outcome may be. Anybody on the Internet may ask, and each write is one `fsync`: one per second and process is
/// less than a single sign-in costs, and a load balancer asks no more often.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What the last write came to.
#[derive(Debug, Default)]
pub(super) struct WriteProbe(Mutex<Option<Probed>>);

#[derive(Debug)]
struct Probed {
    at: Duration,
    failed: Option<String>,
}

impl WriteProbe {
    /// Returns what is known at the running time `elapsed`; `None` asks the caller to find out, and nobody else meanwhile.
    pub(super) fn known(&self, elapsed: Duration) -> Option<Result<(), StoreError>> {
        let mut last = self.0.lock();
        match &mut *last {
            Some(probed) if elapsed.saturating_sub(probed.at) < PROBE_EVERY => {
                let failed = probed.failed.clone();
                return Some(failed.map_or(Ok(()), |words| Err(StoreError::Unavailable(words.into()))));
            }
            Some(probed) => probed.at = elapsed,
            None => *last = Some(Probed { at: elapsed, failed: None }),
        }
        None
    }

    pub(super) fn note(&self, outcome: &Result<(), StoreError>) {
        if let Some(probed) = &mut *self.0.lock() {
            probed.failed = outcome.as_ref().err().map(ToString::to_string);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_asks_within_a_second_is_told_what_the_last_found() {
        let probe = WriteProbe::default();
        assert!(probe.known(SECOND).is_none(), "the first finds out");
        assert!(probe.known(SECOND).is_some_and(|known| known.is_ok()), "nobody else does meanwhile");
        probe.note(&Err(StoreError::Taken));
        assert!(probe.known(SECOND * 3 / 2).is_some_and(|known| known.is_err()));
        assert!(probe.known(SECOND * 2).is_none());
        assert!(probe.known(SECOND * 2).is_some_and(|known| known.is_err()), "it is as it was until that is known");
        probe.note(&Ok(()));
        assert!(probe.known(SECOND * 2).is_some_and(|known| known.is_ok()));
    }
}
