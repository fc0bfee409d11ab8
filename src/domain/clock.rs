//! Where time comes from: the only place that asks the machine for it.
//!
//! Perennial works in whole seconds, like everything it exchanges: JWT's NumericDate (RFC 7519 section 2), a cookie's
//! `Max-Age` (RFC 6265 section 5.2.2) and its database columns. A clock therefore never answers with a fraction, so
//! that a stored time and a fresh one compare without a rounding error at an edge.

use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

/// A source of wall-clock time and of running time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the wall-clock time in UTC, in whole seconds.
    fn now(&self) -> OffsetDateTime;

    /// Returns the time since some fixed moment. It never jumps, and it goes on while the process or the machine sleeps.
    fn elapsed(&self) -> Duration;

    /// Returns for how long the process has run without a break, and its wall clock without a step, of more than
    /// `tolerance`; `Duration::MAX` where it never had one.
    ///
    /// A break is noticed between two calls, so somebody must call this more often than `tolerance`.
    fn steady_for(&self, tolerance: Duration) -> Duration;

    /// Tells whether this is the time of the world, which other machines share.
    fn is_real(&self) -> bool {
        true
    }
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Duration,
    heartbeat: Mutex<Heartbeat>,
}

/// What the clocks said when they were last compared.
#[derive(Debug, Default)]
struct Heartbeat {
    last: Option<(Duration, Duration)>,
    disturbed_at: Option<Duration>,
}

impl Heartbeat {
    /// Compares the time since the last call by both clocks, and remembers when they last disagreed or stood still.
    fn beat(&mut self, wall: Duration, elapsed: Duration, tolerance: Duration) -> Duration {
        if let Some((last_wall, last_elapsed)) = self.last.replace((wall, elapsed)) {
            let slept = elapsed.saturating_sub(last_elapsed);
            let expected = last_wall + slept;
            if slept > tolerance || wall.abs_diff(expected) > tolerance {
                self.disturbed_at = Some(elapsed);
            }
        }
        self.disturbed_at.map_or(Duration::MAX, |at| elapsed.saturating_sub(at))
    }
}

impl SystemClock {
    /// Starts a clock; its running time counts from here.
    pub fn start() -> Self {
        Self { started: boot_time(), heartbeat: Mutex::default() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        now.replace_nanosecond(0).unwrap_or(now)
    }

    fn elapsed(&self) -> Duration {
        boot_time().saturating_sub(self.started)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn steady_for(&self, tolerance: Duration) -> Duration {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.heartbeat.lock().beat(wall, boot_time(), tolerance)
    }
}

/// Returns the time since the machine started, with the time it was suspended.
#[cfg(target_os = "linux")]
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Returns the time since the machine started; whether a suspension counts is up to the system.
#[cfg(not(target_os = "linux"))]
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A clock that moves only when it is told to, for tests of an application that embeds Perennial and of Perennial itself.
#[derive(Debug)]
pub struct ManualClock(Mutex<Manual>);

#[derive(Debug)]
struct Manual {
    now: OffsetDateTime,
    elapsed: Duration,
    /// Each break: when it ended, and how long it was or how far the clock was set.
    breaks: Vec<(Duration, Duration)>,
}

impl ManualClock {
    /// Starts a clock that stands still at `now`.
    pub fn at(now: OffsetDateTime) -> Self {
        Self(Mutex::new(Manual { now, elapsed: Duration::ZERO, breaks: Vec::new() }))
    }

    /// Lets time pass while the process runs.
    pub fn advance(&self, by: time::Duration) {
        let mut manual = self.0.lock();
        manual.now += by;
        manual.elapsed += by.max(time::Duration::ZERO).unsigned_abs();
    }

    /// Lets time pass while the process is stopped: the next thing it sees comes after a break.
    pub fn suspend(&self, by: time::Duration) {
        self.advance(by);
        let mut manual = self.0.lock();
        let elapsed = manual.elapsed;
        manual.breaks.push((elapsed, by.unsigned_abs()));
    }

    /// Sets the wall clock forward or back, as an operator or NTP does; no time passes.
    pub fn jump(&self, by: time::Duration) {
        let mut manual = self.0.lock();
        manual.now += by;
        let elapsed = manual.elapsed;
        manual.breaks.push((elapsed, by.unsigned_abs()));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.0.lock().now
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().elapsed
    }

    fn is_real(&self) -> bool {
        false
    }

    fn steady_for(&self, tolerance: Duration) -> Duration {
        let manual = self.0.lock();
        let last = manual.breaks.iter().rev().find(|(_, size)| *size > tolerance);
        last.map_or(Duration::MAX, |(at, _)| manual.elapsed.saturating_sub(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
        assert_eq!(clock.elapsed(), 5 * SECOND);
    }

    #[test]
    fn a_manual_clock_tells_of_a_sleep_and_of_a_step() {
        let clock = ManualClock::at(OffsetDateTime::UNIX_EPOCH);
        clock.advance(time::Duration::DAY);
        assert_eq!(clock.steady_for(SECOND), Duration::MAX);
        for disturb in [ManualClock::suspend, ManualClock::jump] {
            disturb(&clock, time::Duration::MINUTE);
            assert_eq!(clock.steady_for(SECOND), Duration::ZERO);
            clock.advance(time::Duration::seconds(7));
            assert_eq!(clock.steady_for(SECOND), 7 * SECOND);
        }
        assert_eq!(clock.steady_for(60 * SECOND), Duration::MAX, "it was no longer than that");
    }

    #[test]
    fn a_heartbeat_notices_a_sleep_and_a_step_either_way() {
        let beats = |beats: &[(u64, u64)]| {
            let mut heartbeat = Heartbeat::default();
            let beat = |(wall, elapsed): &(u64, u64)| {
                heartbeat.beat(Duration::from_secs(*wall), Duration::from_secs(*elapsed), 15 * SECOND)
            };
            beats.iter().map(beat).last().unwrap()
        };
        assert_eq!(beats(&[(1_000, 5), (1_015, 20), (1_030, 35)]), Duration::MAX);
        assert_eq!(beats(&[(1_000, 5), (1_016, 21), (1_020, 25)]), 4 * SECOND, "asleep for 16 seconds");
        assert_eq!(beats(&[(1_000, 5), (1_017, 6)]), Duration::ZERO, "set forward by 16 seconds");
        assert_eq!(beats(&[(1_000, 5), (985, 6), (995, 16)]), 10 * SECOND, "set back by 16 seconds");
        assert_eq!(beats(&[(1_000, 5), (986, 6)]), Duration::MAX, "15 are within the tolerance");
    }
}
