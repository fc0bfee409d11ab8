//! The signals that end the server.

use std::time::Duration;

use actix_web::web;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::systemd::tell_stopping;
use crate::web::Site;

/// The signals that end the server, heard from the moment this is made: whoever was told that it serves may stop it.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal was closed. A server that is to outlive it is not started in one.
    hangup: Signal,
    quit: Signal,
}

impl StopSignals {
    /// Starts to listen, on a runtime.
    ///
    /// # Errors
    /// If the operating system lets nobody listen.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for one of them, and then as long as a load balancer has to notice that readiness turned 503.
    pub(super) async fn drained(mut self, site: web::Data<Site>, drain_time: Duration) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
            _ = self.quit.recv() => {}
        }
        tracing::info!("stopping: requests in flight finish");
        tell_stopping();
        site.start_draining();
        tokio::time::sleep(drain_time).await;
    }
}
