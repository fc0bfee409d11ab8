//! The metrics of this process, served on an address of their own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header::CONTENT_TYPE as TYPE_OF_CONTENT;
use actix_web::{App, HttpResponse, HttpServer, web};
use parking_lot::Mutex;

use super::parts::StartError;
use crate::domain::clock::Clock;
use crate::server::RequestCounts;
use crate::session::Sessions;
use crate::store::operator::{Gauges, gauges};
use crate::telemetry::{CONTENT_TYPE, Exposition};

/// How old what was counted in the database may be: Prometheus asks every 15 seconds at most as a rule.
const GAUGES_AGE: Duration = Duration::from_secs(10);

/// How often as long as the counting took the next one waits: with very many sign-ins, it takes a hundredth of a processor.
const GAUGES_PAUSE: u32 = 100;

/// Connections at once: a scraper has one.
const CONNECTIONS: usize = 32;

/// Listens where the metrics are to be read.
///
/// # Errors
/// If somebody else has the address, or nobody may.
pub(super) fn bind_metrics(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| {
        let address = address.to_string();
        StartError::Bind { setting: "METRICS_BIND", address, source }
    })
}

/// A thread that answers scrapes; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct MetricsServer {
    ends: Mutex<Option<(ServerHandle, JoinHandle<()>)>>,
}

impl MetricsServer {
    /// Starts the thread. It has a runtime of its own, so that no page waits for a scrape.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start(listener: TcpListener, metrics: Metrics) -> std::io::Result<Self> {
        let metrics = web::Data::new(metrics);
        let server = move || {
            let app = move || App::new().app_data(metrics.clone()).route("/metrics", web::get().to(scrape));
            let server = HttpServer::new(app).workers(1).max_connections(CONNECTIONS).shutdown_timeout(1);
            Ok::<_, std::io::Error>(server.disable_signals().listen(listener)?.run())
        };
        let (started, handle) = channel();
        let thread = thread::Builder::new().name("perennial-metrics".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = match server() {
                    Ok(server) => server,
                    Err(error) => return drop(started.send(Err(error))),
                };
                if started.send(Ok(server.handle())).is_ok()
                    && let Err(error) = server.await
                {
                    tracing::error!(%error, "the metrics are not served any more");
                }
            });
        })?;
        let handle = handle.recv().map_err(std::io::Error::other)??;
        Ok(Self { ends: Mutex::new(Some((handle, thread))) })
    }

    /// Ends the thread and waits for that, for about a second at most; does nothing the second time.
    pub(super) fn stop(&self) {
        let Some((handle, thread)) = self.ends.lock().take() else { return };
        drop(handle.stop(true));
        if thread.join().is_err() {
            tracing::error!("the thread that serves the metrics panicked");
        }
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where the figures come from.
pub(super) struct Metrics {
    sessions: Sessions,
    requests: RequestCounts,
    clock: Arc<dyn Clock>,
    counted: Mutex<Counted>,
}

/// What was last counted in the database.
#[derive(Debug, Default)]
struct Counted {
    /// Nothing where the database had no answer.
    gauges: Option<Gauges>,
    /// Until when that is good, by the running time.
    until: Duration,
}

impl Metrics {
    /// Puts the sources together.
    pub(super) fn new(sessions: Sessions, requests: RequestCounts, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, requests, clock, counted: Mutex::default() }
    }

    /// Returns what the database holds. Scrapes that come at once wait for one of them to count.
    fn gauges(&self) -> Option<Gauges> {
        let mut counted = self.counted.lock();
        let started = self.clock.elapsed();
        if started >= counted.until {
            let (lifetimes, now) = (*self.sessions.lifetimes(), self.sessions.now());
            let read = self.sessions.database().read_blocking(|rows| gauges(rows, &lifetimes, now));
            counted.gauges = read.map_err(|error| tracing::debug!(%error, "the metrics lack the database's")).ok();
            let done = self.clock.elapsed();
            counted.until = done + GAUGES_AGE.max(done.saturating_sub(started) * GAUGES_PAUSE);
        }
        counted.gauges
    }

    /// Writes everything out; what the database cannot tell is left out, so that nobody takes an old figure for a new one.
    fn text(&self) -> std::io::Result<String> {
        let mut all = Exposition::default();
        all.gauges(
            "perennial_build_info",
            "The version of the program; always 1.",
            [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
        );
        self.write_requests(&mut all);
        all.counters(
            "perennial_session_decisions_total",
            "What refresh tokens meant that were presented, by decision.",
            self.sessions.counts().decisions().map(|(decision, count)| (vec![("decision", decision)], count)),
        );
        all.counters(
            "perennial_device_proofs_total",
            "What came of proofs by the devices of sign-ins.",
            self.sessions.counts().proofs().map(|(decision, count)| (vec![("decision", decision)], count)),
        );
        all.counters(
            "perennial_rescued_forms_total",
            "What became of forms that could not be carried out when they came.",
            self.sessions.counts().rescues().map(|(outcome, count)| (vec![("outcome", outcome)], count)),
        );
        all.counter(
            "perennial_throttled_total",
            "Passwords and forms that were not looked at because there were too many.",
            self.sessions.counts().throttled.get(),
        );
        let passwords = self.sessions.passwords();
        all.gauge("perennial_bcrypt_queue", "Passwords that wait for their turn.", passwords.waiting() as f64);
        all.histogram(
            "perennial_bcrypt_seconds",
            "How long each password took that was hashed or verified.",
            &passwords.took(),
        );
        let (open, idle) = self.sessions.database().connections();
        all.gauges(
            "perennial_database_pool_connections",
            "Connections of the pool, by what they do.",
            [("idle", idle), ("used", open.saturating_sub(idle))].map(|(state, n)| (vec![("state", state)], n.into())),
        );
        if let Some(gauges) = self.gauges() {
            all.gauge("perennial_sessions_live", "Sign-ins that are alive.", gauges.sessions_live as f64);
            all.gauge("perennial_sessions_bound", "Those of them bound to a device.", gauges.sessions_bound as f64);
            all.gauge("perennial_mails_waiting", "E-mails that wait to be sent.", gauges.mails_waiting as f64);
            all.gauge("perennial_mails_refused", "E-mails refused for good.", gauges.mails_refused as f64);
            all.gauge("perennial_nodes", "Processes on the database that are alive.", gauges.nodes as f64);
        }
        all.text()
    }

    fn write_requests(&self, all: &mut Exposition) {
        let answered = self.requests.answered();
        all.counters(
            "perennial_http_requests_total",
            "Requests that were answered, by method, pattern of the path and status.",
            answered.iter().map(|kind| {
                (vec![("method", kind.method), ("route", kind.route), ("status", &*kind.status)], kind.count)
            }),
        );
        all.histogram(
            "perennial_http_request_duration_seconds",
            "Time from the head of a request to the head of its answer.",
            &self.requests.took(),
        );
    }
}

/// Answers a scrape, on a thread that may wait for the database.
async fn scrape(metrics: web::Data<Metrics>) -> HttpResponse {
    match web::block(move || metrics.text()).await {
        Ok(Ok(text)) => HttpResponse::Ok().insert_header((TYPE_OF_CONTENT, CONTENT_TYPE)).body(text),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> HttpResponse {
    tracing::error!(%error, "the metrics cannot be written");
    HttpResponse::InternalServerError().finish()
}
