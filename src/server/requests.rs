//! What the requests of all workers were and how they were answered, for metrics.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use parking_lot::Mutex;

use crate::domain::clock::Clock;
use crate::domain::count::{Count, Distribution, Timings};
use crate::web::{ROUTES, number_of_route};

/// The methods that are told apart; all others are the last.
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "DELETE", OTHER];

/// The statuses that are told apart, in order; all others are counted after them.
const STATUSES: [u16; 27] = [
    101, 200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416,
    422, 429, 500, 503,
];

/// Places for a status: every one that is told apart, and one for the others.
const PLACES: usize = STATUSES.len() + 1;

/// What is in no list: a path that no row of the URL table fits, a method or a status that nobody expects.
const OTHER: &str = "other";

/// The counters of all workers; clones share them.
#[derive(Clone)]
pub(crate) struct RequestCounts {
    clock: Arc<dyn Clock>,
    workers: Arc<Mutex<Vec<Arc<Counters>>>>,
}

/// The counters of one worker: no other writes to them, so none waits for another's cache.
#[derive(Debug)]
struct Counters {
    /// One for each route, method and status, in this order.
    answered: Box<[Count]>,
    took: Timings,
}

/// What one worker counts with.
pub(super) struct WorkerCounts {
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The method.
    pub(crate) method: &'static str,
    /// The path as the URL table has it.
    pub(crate) route: &'static str,
    /// The status of the answer.
    pub(crate) status: String,
    /// How many there were.
    pub(crate) count: u64,
}

impl RequestCounts {
    /// Starts at nothing; the clock says how long answers take.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, workers: Arc::default() }
    }

    /// Adds a worker.
    pub(super) fn worker(&self) -> Rc<WorkerCounts> {
        let places = (ROUTES.len() + 1) * METHODS.len() * PLACES;
        let answered = std::iter::repeat_with(Count::default).take(places).collect();
        let counters = Arc::new(Counters { answered, took: Timings::default() });
        self.workers.lock().push(Arc::clone(&counters));
        Rc::new(WorkerCounts { clock: Arc::clone(&self.clock), counters })
    }

    /// Returns what was answered, the kinds that never occurred left out.
    pub(crate) fn answered(&self) -> Vec<Answered> {
        let workers = self.workers.lock();
        let routes = ROUTES.iter().map(|route| route.path).chain([OTHER]);
        let kinds = routes.flat_map(|route| METHODS.into_iter().map(move |method| (route, method)));
        let kinds = kinds.flat_map(|(route, method)| (0..PLACES).map(move |place| (route, method, place)));
        let counted = kinds.enumerate().map(|(at, (route, method, place))| {
            let count = workers.iter().filter_map(|worker| worker.answered.get(at)).map(Count::get).sum();
            Answered { method, route, status: status_at(place), count }
        });
        counted.filter(|answered| answered.count > 0).collect()
    }

    /// Returns how long answers took, from the head of the request to the head of the answer.
    pub(crate) fn took(&self) -> Distribution {
        let mut all = Distribution::default();
        for worker in &*self.workers.lock() {
            all.add(&worker.took);
        }
        all
    }
}

impl WorkerCounts {
    /// Returns the running time, for [`WorkerCounts::note`].
    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Counts a request that came at `started` and is answered now.
    pub(super) fn note(&self, request: &HttpRequest, status: StatusCode, started: Duration) {
        let route = number_of_route(request).unwrap_or(ROUTES.len());
        let at = (route * METHODS.len() + place_of_method(request.method())) * PLACES + place_of_status(status);
        if let Some(count) = self.counters.answered.get(at) {
            count.add();
        }
        self.counters.took.note(self.now().saturating_sub(started));
    }
}

impl fmt::Debug for RequestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestCounts")
    }
}

impl fmt::Debug for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerCounts")
    }
}

fn place_of_method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::DELETE => 3,
        _ => 4,
    }
}

fn place_of_status(status: StatusCode) -> usize {
    STATUSES.binary_search(&status.as_u16()).unwrap_or(STATUSES.len())
}

fn status_at(place: usize) -> String {
    STATUSES.get(place).map_or_else(|| OTHER.to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_place_of_its_own() {
        assert!(STATUSES.is_sorted());
        for status in STATUSES {
            let place = place_of_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(status_at(place), status.to_string());
        }
        assert_eq!(status_at(place_of_status(StatusCode::IM_A_TEAPOT)), "other");
    }
}
