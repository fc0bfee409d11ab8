//! The faults that last at the moment, and what each has cost so far.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::error::{RETRY_SECONDS, WebError};

/// For how long nothing may have failed before an outage is over: whoever was told to come back has done so.
const QUIET: Duration = Duration::from_secs(RETRY_SECONDS as u64);

/// For how long an internal error must not have come back: it may belong to a page that is opened now and then.
const QUIET_INTERNAL: Duration = Duration::from_secs(60);

/// How many faults are remembered at once: the words of an internal error may differ each time, and then each is logged.
const CAPACITY: usize = 16;

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database, or the password pool, has no answer, or this process lacks the key that signs.
    Outage,
    /// The password pool's queue is full.
    Overload,
    /// An error of ours, in its own words.
    Internal(String),
}

/// The faults that last at the moment; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<Lasting>>>);

/// A fault that has begun.
#[derive(Debug)]
pub(crate) struct Lasting {
    fault: Fault,
    /// The name under which its beginning stands in the log.
    pub(crate) reference: String,
    /// When it began and when it was last seen, by the clock's running time.
    pub(crate) began: Duration,
    /// See `began`.
    pub(crate) last: Duration,
    /// How many answers it has cost.
    pub(crate) answers: u64,
}

/// What a failure is part of.
#[derive(Debug)]
pub(crate) enum Noted {
    /// A fault that has begun before.
    GoesOn {
        /// The name of its line.
        reference: String,
    },
    /// A fault that begins.
    Begins {
        /// The name for its line.
        reference: String,
        /// Whether it is remembered, so that somebody has to wait for its end.
        remembered: bool,
    },
}

impl Fault {
    /// Returns what an error is, with its words.
    pub(crate) fn of(error: Option<&WebError>, words: &str) -> Self {
        match error {
            Some(WebError::Unavailable(_)) => Self::Outage,
            Some(WebError::Busy) => Self::Overload,
            _ => Self::Internal(words.to_owned()),
        }
    }

    fn quiet(&self) -> Duration {
        if matches!(self, Self::Internal(_)) { QUIET_INTERNAL } else { QUIET }
    }
}

impl Faults {
    /// Adds to a fault, or begins it with the reference that `fresh` makes.
    pub(crate) fn note(&self, fault: &Fault, answers: u64, now: Duration, fresh: impl FnOnce() -> String) -> Noted {
        let mut lasting = self.0.lock();
        if let Some(known) = lasting.iter_mut().find(|known| known.fault == *fault) {
            known.answers += answers;
            known.last = now;
            return Noted::GoesOn { reference: known.reference.clone() };
        }
        let reference = fresh();
        let remembered = lasting.len() < CAPACITY;
        if remembered {
            lasting.push(Lasting {
                fault: fault.clone(),
                reference: reference.clone(),
                began: now,
                last: now,
                answers,
            });
        }
        Noted::Begins { reference, remembered }
    }

    /// Takes a fault out that has not been seen for long enough.
    pub(crate) fn take_quiet(&self, fault: &Fault, now: Duration) -> Option<Lasting> {
        let mut lasting = self.0.lock();
        let place = lasting.iter().position(|known| known.fault == *fault)?;
        let quiet = lasting.get(place).is_some_and(|known| now.saturating_sub(known.last) >= fault.quiet());
        quiet.then(|| lasting.swap_remove(place))
    }
}
