//! What is counted for metrics: additions that wait for nobody.
//!
//! Every addition is relaxed: a figure may be read a moment before another one that was counted first, and nothing is decided
//! by them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts one more.
    pub fn add(&self) {
        self.add_all(1);
    }

    /// Counts so many more.
    pub fn add_all(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns how many there were so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of the buckets of [`Timings`], in microseconds: from a page out of memory to a mail server that hangs.
/// Prometheus' own defaults begin at 5 ms, which is longer than nearly every page here takes.
const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// How long things took, counted in buckets.
#[derive(Debug, Default)]
pub struct Timings {
    /// One for each bound, and one for what took longer than all of them.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Timings {
    /// Counts something that took so long.
    pub fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(BOUNDS.partition_point(|bound| *bound < took)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(took, Ordering::Relaxed);
    }

    /// Reads what was counted so far.
    pub fn read(&self) -> Distribution {
        let mut distribution = Distribution::default();
        distribution.add(self);
        distribution
    }
}

/// What was read of [`Timings`], of one or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    buckets: [u64; BOUNDS.len() + 1],
    microseconds: u64,
}

impl Distribution {
    /// Adds what others have counted.
    pub fn add(&mut self, timings: &Timings) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&timings.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.microseconds += timings.microseconds.load(Ordering::Relaxed);
    }

    /// Returns each bound in seconds, with how many things took no longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let sums = self.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket;
            Some(*sum)
        });
        BOUNDS.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64()).zip(sums)
    }

    /// Returns how many things there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns how long all of them took together, in seconds.
    pub fn seconds(&self) -> f64 {
        Duration::from_micros(self.microseconds).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let timings = Timings::default();
        for microseconds in [0, 500, 501, 10_000_000, 10_000_001] {
            timings.note(Duration::from_micros(microseconds));
        }
        let read = timings.read();
        let cumulative: Vec<_> = read.cumulative().collect();
        assert_eq!(cumulative[..2], [(0.0005, 2), (0.001, 3)]);
        assert_eq!(cumulative.last(), Some(&(10.0, 4)));
        assert_eq!((read.count(), read.seconds()), (5, 20.001_002));
    }

    #[test]
    fn the_bounds_ascend() {
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn several_are_read_as_one() {
        let (one, other) = (Timings::default(), Timings::default());
        one.note(Duration::from_millis(1));
        other.note(Duration::from_millis(3));
        let mut both = one.read();
        both.add(&other);
        assert_eq!((both.count(), both.seconds()), (2, 0.004));
    }
}
