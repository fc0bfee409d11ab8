//! Where time comes from: the only place that asks the machine for it.
//!
//! Perennial lives in whole seconds, like everything it exchanges: JWT's NumericDate (RFC 7519 section 2), a cookie's
//! `Max-Age` (RFC 6265 section 5.2.2) and its database columns. A clock therefore never answers with a fraction, so
//! that a stored time and a fresh one compare without a rounding error at an edge.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// A source of wall-clock time and of monotonic time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the wall-clock time in UTC, in whole seconds.
    fn now(&self) -> OffsetDateTime;

    /// Returns the time since some fixed moment of this process; it never jumps.
    fn elapsed(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts a clock; its monotonic time counts from here.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> OffsetDateTime {
        whole_seconds(OffsetDateTime::now_utc())
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when it is told to, for tests of an application that embeds Perennial and of Perennial itself.
#[derive(Debug)]
pub struct ManualClock {
    seconds: AtomicI64,
    elapsed: AtomicI64,
}

impl ManualClock {
    /// Starts a clock that stands still at `now`.
    pub fn at(now: OffsetDateTime) -> Self {
        Self { seconds: AtomicI64::new(now.unix_timestamp()), elapsed: AtomicI64::new(0) }
    }

    /// Lets time pass: both the wall clock and the monotonic clock move on by `by`.
    pub fn advance(&self, by: time::Duration) {
        self.jump(by);
        self.elapsed.fetch_add(by.whole_seconds().max(0), Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back by `by`, as an operator or NTP does; monotonic time stands still.
    pub fn jump(&self, by: time::Duration) {
        self.seconds.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.seconds.load(Ordering::SeqCst)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.elapsed.load(Ordering::SeqCst).unsigned_abs())
    }
}

fn whole_seconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_nanosecond(0).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_answers_in_whole_seconds() {
        assert_eq!(SystemClock::start().now().nanosecond(), 0);
    }

    #[test]
    fn a_jump_moves_the_wall_clock_alone() {
        let clock = ManualClock::at(OffsetDateTime::UNIX_EPOCH);
        clock.advance(time::Duration::seconds(5));
        clock.jump(time::Duration::seconds(-3));
        assert_eq!(clock.now().unix_timestamp(), 2);
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
    }
}
