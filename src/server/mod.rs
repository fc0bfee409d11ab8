//! The server of `perennial serve`: Actix's accept loop, workers and HTTP/1 protocol, on connections of our own.
//!
//! Serving without a proxy in front is promised, so no client may hold what others need. A connection takes a bounded
//! amount of memory and time whatever it sends ([`stream`], [`connection`]), an address has a bounded number of them
//! ([`admission`]), and a stop loses no request that has arrived.
//!
//! An application that embeds Perennial brings a server of its own, and none of this.

mod admission;
mod connection;
mod descriptors;
mod framing;
mod monitor;
mod newcomers;
mod requests;
mod service;
mod socket;
mod stream;

use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Extensions, Server as ActixServer, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::rt::task::JoinHandle;
use actix_web::{Error, web};

use self::admission::Admission;
use self::monitor::Monitor;
use self::service::Watched;
use self::socket::{Listener, Socket};
use self::stream::OwnedStream;
use crate::web::{Site, begins_browsers_own, plain_answer};

pub(crate) use self::descriptors::raise_descriptor_limit;
pub(crate) use self::requests::RequestCounts;
pub use self::socket::Listening;

/// How long requests under way may take after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long connections are still taken once the workers take none: those that had come by then wait in the system's
/// queue, or are about to; a packet goes round most of the world in that time.
const LAST_CONNECTIONS_TIMEOUT: Duration = Duration::from_millis(200);

/// Descriptors that are not for connections: the database, its log, mail, standard streams.
const OTHER_DESCRIPTORS: usize = 128;

/// How a server serves.
#[derive(Debug)]
pub(crate) struct Server {
    site: web::Data<Site>,
    admission: Admission,
    descriptors: usize,
    counts: Option<RequestCounts>,
}

impl Server {
    /// Prepares to serve a site, with at most so many connections per client address, and so many open files in all. Its
    /// requests are counted if there is something to count with.
    pub(crate) fn new(
        site: web::Data<Site>,
        connections_per_address: usize,
        descriptors: usize,
        counts: Option<RequestCounts>,
    ) -> Self {
        let admission = Admission::new(connections_per_address, &site.trusted_proxies.networks);
        Self { site, admission, descriptors, counts }
    }

    /// Serves an application until `stop` is ready; then finishes the requests that have arrived, and returns.
    ///
    /// # Errors
    /// If the workers cannot be started.
    pub(crate) async fn run<F, I, S>(
        self,
        listening: Listening,
        application: F,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()>
    where
        F: Fn() -> I + Clone + Send + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
        S::InitError: fmt::Debug,
    {
        let Listening { listener, outlives_us } = listening;
        listener.bound_buffers()?;
        let last = listener.try_clone()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let Self { site, admission, descriptors, counts } = self;
        let application = move || application().into_factory();
        let connections = Connections { site, admission, counts, stopping: Arc::clone(&stopping), application };
        let for_workers = connections.clone();
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let server = ActixServer::build()
            .disable_signals()
            .workers(workers)
            .max_concurrent_connections((descriptors.saturating_sub(OTHER_DESCRIPTORS) / workers).max(1))
            .shutdown_timeout(STOP_TIMEOUT.as_secs());
        let server = match listener {
            Listener::Tcp(listener) => server.listen("perennial", listener, move || for_workers.factory())?,
            Listener::Unix(listener, _) => server.listen_uds("perennial", listener, move || for_workers.factory())?,
        };
        let server = server.run();
        let handle = server.handle();
        let mut server = actix_web::rt::spawn(server);
        tokio::select! {
            () = stop => {}
            // It ends by itself only if its workers cannot be started.
            ended = &mut server => return ended?,
        }
        // A worker that is told to stop drops what was accepted for it and has not reached it, and a listener that is
        // closed breaks what has not been accepted. So nobody comes any more before either happens; but where the socket
        // outlives this process, whoever comes waits in its queue for the next one.
        if !outlives_us && let Err(error) = last.refuse_newcomers() {
            tracing::debug!(%error, "connections that come at the very end may break");
        }
        handle.pause().await;
        let last = if outlives_us { None } else { Some(last) };
        let under_way = connections.take_last(last).await?;
        stopping.store(true, Ordering::Relaxed);
        handle.stop(true).await;
        server.await??;
        // Each ends by itself: all that keeps a connection has a limit.
        for connection in under_way {
            drop(connection.await);
        }
        Ok(())
    }
}

/// What becomes of the connections of every worker.
#[derive(Clone)]
struct Connections<F> {
    site: web::Data<Site>,
    admission: Admission,
    counts: Option<RequestCounts>,
    stopping: Arc<AtomicBool>,
    application: F,
}

impl<F, S> Connections<F>
where
    F: Fn() -> S + Clone + Send + 'static,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    S::InitError: fmt::Debug,
{
    /// Returns what makes the service of one worker, on its thread.
    fn factory<T: Into<Socket> + 'static>(
        &self,
    ) -> impl ServiceFactory<T, Config = (), Response = (), Error = (), InitError = ()> + use<F, S, T> {
        let connections = self.clone();
        fn_factory(move || connections.clone().service())
    }

    /// Makes the service of one worker: a connection in, all of its requests answered.
    async fn service<T: Into<Socket> + 'static>(
        self,
    ) -> Result<impl Service<T, Response = (), Error = ()> + use<F, S, T>, ()> {
        let Self { site, admission, counts, stopping, application } = self;
        let counts = counts.map(|counts| counts.worker());
        let monitor = Monitor::start(web::Data::new(Site::clone(&site)), stopping);
        // All of Actix's own deadlines are off: they cost a timer per request, and the stream has its own.
        let http = HttpService::build()
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(Duration::ZERO)
            .on_connect_ext(|stream: &OwnedStream, data: &mut Extensions| {
                data.insert(stream.connection());
            })
            .h1(Watched { application: map_config(application(), |()| AppConfig::default()), counts })
            .new_service(())
            .await?;
        let http = Rc::new(http);
        Ok(fn_service(move |socket: T| {
            let socket: Socket = socket.into();
            let (http, monitor, admission) = (Rc::clone(&http), Rc::clone(&monitor), admission.clone());
            async move {
                // A client that has left already has no address any more.
                let Some(peer) = socket.peer() else { return Ok(()) };
                let Some(admitted) = admission.admit(peer.ip()) else {
                    refuse(socket, monitor.site());
                    return Ok(());
                };
                let stream = OwnedStream::new(socket, admitted, admission.trusts(peer.ip()), monitor);
                let served = http.call((stream, Some(peer))).await;
                served.map_err(|error| tracing::debug!(%error, "a connection broke"))
            }
        }))
    }

    /// Serves, on this thread, whoever has come to a listener that nobody else listens at any more, and closes it. Without
    /// one, it waits as long, until the workers have got what was accepted for them.
    async fn take_last(self, listener: Option<Listener>) -> io::Result<Vec<JoinHandle<Result<(), ()>>>> {
        let Some(listener) = listener else {
            tokio::time::sleep(LAST_CONNECTIONS_TIMEOUT).await;
            return Ok(Vec::new());
        };
        let failed = |()| io::Error::other("the last connections cannot be served");
        let service = self.factory::<Socket>().new_service(()).await.map_err(failed)?;
        let listener = listener.into_accepting()?;
        let mut under_way = Vec::new();
        let timeout = tokio::time::sleep(LAST_CONNECTIONS_TIMEOUT);
        tokio::pin!(timeout);
        loop {
            tokio::select! {
                accepted = listener.accept() => under_way.push(actix_web::rt::spawn(service.call(accepted?))),
                () = &mut timeout => return Ok(under_way),
            }
        }
    }
}

/// Tells a client that its address holds too many connections, as far as that goes without waiting for it.
fn refuse(socket: Socket, site: &web::Data<Site>) {
    let told = socket.answer_and_close(|beginning| {
        let by_proof = begins_browsers_own(beginning);
        let status = if by_proof { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::TOO_MANY_REQUESTS };
        plain_answer(site, status)
    });
    if let Err(error) = told {
        tracing::debug!(%error, "a connection too many was closed without a word");
    }
}
