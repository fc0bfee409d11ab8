//! How a commit of this process wakes a worker of this process, before its next look at the database.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How often something was announced; a waiter names the number that it knows, so that none is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wakes(u64);

/// Wakes whoever waits; nobody needs to.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    wakes: Mutex<Wakes>,
    changed: Condvar,
}

impl Wakeup {
    /// Announces that there is something to do.
    pub(super) fn wake(&self) {
        let mut wakes = self.wakes.lock();
        wakes.0 = wakes.0.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Waits for an announcement after `known`, at most for `timeout`; returns what to wait after the next time.
    pub(super) fn wait(&self, known: Wakes, timeout: Duration) -> Wakes {
        let mut wakes = self.wakes.lock();
        self.changed.wait_while_for(&mut wakes, |wakes| *wakes == known, timeout);
        *wakes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// Longer than this test takes when it passes.
    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn an_announcement_is_heard_before_and_while_somebody_waits() {
        let wakeup = Arc::new(Wakeup::default());
        let start = Wakes::default();
        assert_eq!(wakeup.wait(start, Duration::ZERO), start);
        wakeup.wake();
        let first = wakeup.wait(start, DEADLINE);
        assert_ne!(first, start, "it came while nobody waited");
        let waker = thread::spawn({
            let wakeup = Arc::clone(&wakeup);
            move || wakeup.wake()
        });
        assert_ne!(wakeup.wait(first, DEADLINE), first);
        waker.join().unwrap();
    }
}
