//! Requests over HTTP: as many as go, or at a rate.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use perennial::domain::clock::{Clock, SystemClock};

use super::http::{Browser, refresh_cookie};
use super::measure::{processor_seconds, wait};
use super::program::Program;

/// How long nothing is counted at first.
const WARM_UP: Duration = Duration::from_millis(500);

/// From one sign-in of a client to its next: far enough apart that no two are on one page of the table.
const STRIDE: u64 = 7919;

/// Clients that rotate sign-ins of their own, each as seldom as can be; they keep their cookies from round to round.
#[derive(Debug)]
pub(crate) struct Clients {
    first: u64,
    each: u64,
    clients: Vec<Client>,
}

#[derive(Debug, Default)]
struct Client {
    turns: u64,
    jar: HashMap<u64, String>,
}

impl Clients {
    /// Shares the sign-ins from `first` on, which nobody has touched, among so many clients.
    pub(crate) fn new(clients: u64, first: u64, sessions: u64) -> Self {
        Self { first, each: sessions / clients, clients: (0..clients).map(|_| Client::default()).collect() }
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
            for (place, client) in self.clients.iter_mut().enumerate() {
                let (over, count) = (&over, &count);
                let Client { turns, jar } = client;
                scope.spawn(move || {
                    let mut browser = Browser::connect(program.address).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        let number = first + each * place as u64 + (*turns * STRIDE) % each;
                        *turns += 1;
                        browser.become_another(jar.remove(&number).unwrap_or_else(|| refresh_cookie(number)));
                        // The front page sends on whoever is signed in: nothing is read or made but for the rotation.
                        assert_eq!(browser.get("/").unwrap(), 303);
                        // Whoever comes twice in one second is not rotated twice, which only small tables know.
                        count.fetch_add(u64::from(browser.was_renewed()), Ordering::Relaxed);
                        jar.insert(number, browser.take_refresh().unwrap());
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
                        browser.take_turns();
                    }
                    assert_eq!(browser.get("/dashboard").unwrap(), 200);
                    assert_eq!(browser.was_renewed(), kind == Kind::Rotation);
                    times.push(clock.elapsed() - from);
                    due += Duration::from_secs_f64(apart);
                }
                all.lock().unwrap().extend(times);
            });
        }
    });
    all.into_inner().unwrap()
}
