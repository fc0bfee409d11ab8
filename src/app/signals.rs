//! The signals that end the server.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::web::Site;

/// How long a load balancer has to notice that readiness turned 503 before no new connection is taken.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The signals that end the server, heard from the moment this is made: whoever was told that it serves may stop it.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Starts to listen, on a runtime.
    ///
    /// # Errors
    /// If the operating system lets nobody listen.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Stops the server once one of them came: readiness turns 503, then no new connection is taken.
    pub(super) async fn stop(mut self, handle: ServerHandle, site: web::Data<Site>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight finish");
        site.start_draining();
        tokio::time::sleep(DRAIN_TIME).await;
        handle.stop(true).await;
    }
}
