//! Browsers that go on and on while something happens to the server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::client::{ACCESS, Client, REFRESH};
use super::patience::{let_pass, random_below, until};

/// How long a browser whose connection broke waits before it tries again with the jar it has.
const RETRY: Duration = Duration::from_millis(2);

/// What the browsers report while they are under way.
pub(crate) struct Traffic {
    stop: AtomicBool,
    renewals: Vec<AtomicU64>,
    broken: AtomicU64,
    /// Counts the answers that said to come back later; `None` where none may.
    unavailable: Option<AtomicU64>,
}

impl Traffic {
    /// Waits until each browser has got a new refresh token `times` times from now on.
    pub(crate) fn renewed_by_all(&self, times: u64) {
        for renewals in &self.renewals {
            let before = renewals.load(Ordering::SeqCst);
            until("a renewal of each sign-in", || {
                (renewals.load(Ordering::SeqCst) >= before + times || self.stop.load(Ordering::SeqCst)).then_some(())
            });
        }
    }

    /// Ends it.
    pub(crate) fn finish(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Tells whether it has ended, also because a browser failed.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Returns how often a connection broke.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::SeqCst)
    }

    /// Returns how often a browser was told to come back later.
    pub(crate) fn unavailable(&self) -> u64 {
        self.unavailable.as_ref().map_or(0, |unavailable| unavailable.load(Ordering::SeqCst))
    }
}

/// Ends the traffic, also when a test fails half-way: a thread that goes on for ever would hide the failure.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Lets every client browse on a thread of its own for as long as `happening` takes; fails if one is ever signed out.
pub(crate) fn while_browsing<T>(clients: &mut [Client], happening: impl FnOnce(&Traffic) -> T) -> T {
    run(clients, None, happening)
}

/// Does the same while what the server needs may be away: an answer may say to come back later, and must leave the
/// cookies alone.
pub(crate) fn while_browsing_through_outages<T>(clients: &mut [Client], happening: impl FnOnce(&Traffic) -> T) -> T {
    run(clients, Some(AtomicU64::new(0)), happening)
}

fn run<T>(clients: &mut [Client], unavailable: Option<AtomicU64>, happening: impl FnOnce(&Traffic) -> T) -> T {
    let renewals = clients.iter().map(|_| AtomicU64::new(0)).collect();
    let traffic = Traffic { stop: AtomicBool::new(false), renewals, broken: AtomicU64::new(0), unavailable };
    thread::scope(|scope| {
        let stop = StopOnDrop(&traffic.stop);
        for (client, renewals) in clients.iter_mut().zip(&traffic.renewals) {
            let traffic = &traffic;
            scope.spawn(move || {
                // One browser that fails ends the test.
                let _stop = StopOnDrop(&traffic.stop);
                browse(client, traffic, renewals);
            });
        }
        let happened = happening(&traffic);
        drop(stop);
        happened
    })
}

fn browse(client: &mut Client, traffic: &Traffic, renewals: &AtomicU64) {
    let mut stopping = false;
    while !stopping {
        stopping = traffic.stop.load(Ordering::SeqCst);
        if random_below(4) > 0 {
            client.jar.remove(ACCESS);
        }
        let before = client.jar.get(REFRESH).map(str::to_owned);
        match client.get("/dashboard") {
            Ok(answer) => match &traffic.unavailable {
                Some(unavailable) if answer.status == 503 => {
                    assert_eq!((answer.header("retry-after"), answer.header("set-cookie")), (Some("5"), None));
                    unavailable.fetch_add(1, Ordering::SeqCst);
                    let_pass(RETRY);
                }
                _ => assert_eq!(answer.status, 200, "signed out, or worse: {answer:?}"),
            },
            Err(_) => {
                traffic.broken.fetch_add(1, Ordering::SeqCst);
                let_pass(RETRY);
            }
        }
        if client.jar.get(REFRESH) != before.as_deref() {
            renewals.fetch_add(1, Ordering::SeqCst);
        }
    }
}
