//! Requests over HTTP: as many as go, or at a rate.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use perennial::domain::clock::{Clock, SystemClock};

use super::http::{Browser, refresh_cookie};
use super::measure::{processor_seconds, wait};
use super::program::Program;
use super::random::Random;

/// How long nothing is counted at first.
const WARM_UP: Duration = Duration::from_millis(500);

/// Clients that rotate sign-ins of their own, chosen at random; they keep their cookies from round to round.
#[derive(Debug)]
pub(crate) struct Clients {
    first: u64,
    each: u64,
    random: Random,
    jars: Vec<HashMap<u64, String>>,
}

impl Clients {
    /// Shares the sign-ins from `first` on, which nobody has touched, among so many clients.
    pub(crate) fn new(clients: u64, first: u64, sessions: u64) -> Self {
        let jars = (0..clients).map(|_| HashMap::new()).collect();
        Self { first, each: sessions / clients, random: Random::from_seed(first), jars }
    }

    /// Returns how many rotations a second a server answers, and for how many microseconds of its processor each.
    ///
    /// A client waits for each answer, and comes without the access cookie, whose life is over.
    pub(crate) fn rotate(&mut self, program: &Program, seconds: f64) -> (f64, f64) {
        let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let clock = SystemClock::start();
        let now = || (count.load(Ordering::SeqCst), processor_seconds(program.id()), clock.elapsed().as_secs_f64());
        let (first, each) = (self.first, self.each);
        std::thread::scope(|scope| {
            for (place, jar) in self.jars.iter_mut().enumerate() {
                let (over, count) = (&over, &count);
                let mut random = Random::from_seed(self.random.bits());
                scope.spawn(move || {
                    let mut browser = Browser::connect(program.address).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        let number = first + each * place as u64 + random.bits() % each;
                        browser.become_another(jar.remove(&number).unwrap_or_else(|| refresh_cookie(number)));
                        assert_eq!(browser.get("/dashboard").unwrap(), 200);
                        jar.insert(number, browser.take_refresh().unwrap());
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            wait(WARM_UP);
            let before = now();
            wait(Duration::from_secs_f64(seconds));
            let after = now();
            over.store(true, Ordering::Relaxed);
            let rotations = (after.0 - before.0) as f64;
            (rotations / (after.2 - before.2), (after.1 - before.1) / rotations * 1e6)
        })
    }
}

/// What each request of a stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Comes with both cookies.
    Page,
    /// Comes without the access cookie, and is rotated.
    Rotation,
}

/// Times of requests that come at a rate, whatever the server does: who has to wait for the one before is late, and
/// that counts.
pub(crate) fn times_at_a_rate(browsers: &mut [Browser], kind: Kind, a_second: f64, seconds: f64) -> Vec<Duration> {
    let clock = SystemClock::start();
    let apart = browsers.len() as f64 / a_second;
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (place, browser) in browsers.iter_mut().enumerate() {
            let (all, clock) = (&all, &clock);
            let mut due = Duration::from_secs_f64(place as f64 / a_second);
            scope.spawn(move || {
                let mut times = Vec::new();
                while due.as_secs_f64() < seconds {
                    // The client's own oversleeping is not the server's fault; being late because of it would be.
                    let from = match due.checked_sub(clock.elapsed()) {
                        Some(early) => {
                            wait(early);
                            clock.elapsed()
                        }
                        None => due,
                    };
                    if kind == Kind::Rotation {
                        browser.lose_access();
                    }
                    assert_eq!(browser.get("/dashboard").unwrap(), 200);
                    times.push(clock.elapsed() - from);
                    due += Duration::from_secs_f64(apart);
                }
                all.lock().unwrap().extend(times);
            });
        }
    });
    all.into_inner().unwrap()
}
