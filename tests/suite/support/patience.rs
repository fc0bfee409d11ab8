//! Waiting: for something, with a deadline; or, where real time itself is the subject, for time to pass.

use std::thread;
use std::time::Duration;

use perennial::domain::clock::{Clock, SystemClock};

/// How long anything may take that should take an instant; a loaded machine is slow and still right.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How long to rest between two looks.
const REST: Duration = Duration::from_millis(5);

/// Measures how long something takes.
pub(crate) struct Stopwatch(SystemClock);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(SystemClock::start())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Looks again and again until there is something to see, and fails with `what` if there is nothing by the deadline.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(stopwatch.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        thread::park_timeout(REST);
    }
}

/// Lets real time pass: for what happens by the clock alone, such as an access life running out, or for a random
/// moment; never for something that can be looked for with [`until`].
pub(crate) fn let_pass(time: Duration) {
    let stopwatch = Stopwatch::start();
    while let Some(left) = time.checked_sub(stopwatch.elapsed()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}

/// Waits until the wall clock shows another second: the server counts in whole ones.
pub(crate) fn next_second() {
    let clock = SystemClock::start();
    let now = clock.now();
    until("another second", || (clock.now() > now).then_some(()));
}

/// Returns a random number below `bound`.
pub(crate) fn random_below(bound: u64) -> u64 {
    getrandom::u64().unwrap() % bound
}
