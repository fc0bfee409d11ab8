//! One log line per request, where `LOG_REQUESTS` asks for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};

use crate::domain::clock::Clock;
use crate::web::extract::client_info::address;
use crate::web::loggable_path::loggable;
use crate::web::request_id::RequestId;
use crate::web::site::Site;

/// The line of a request that is under way; it is written when this goes.
pub(super) struct RequestLine {
    id: RequestId,
    method: Method,
    path: String,
    address: Option<IpAddr>,
    clock: Arc<dyn Clock>,
    started: Duration,
    status: Option<StatusCode>,
}

impl RequestLine {
    /// Notes what is asked for, and when.
    pub(super) fn start(site: &Site, id: RequestId, request: &ServiceRequest) -> Self {
        let clock = Arc::clone(site.sessions.clock());
        Self {
            id,
            method: request.method().clone(),
            path: loggable(request.path()),
            address: address(request.request(), &site.trusted_proxies),
            started: clock.elapsed(),
            clock,
            status: None,
        }
    }

    /// Notes the answer, and writes the line.
    pub(super) fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let took = self.clock.elapsed().saturating_sub(self.started);
        let milliseconds = f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1000.0;
        let address = self.address.map(tracing::field::display);
        let (method, path) = (self.method.as_str(), self.path.as_str());
        let request_id = tracing::field::display(self.id);
        match self.status.map(|status| status.as_u16()) {
            Some(status) => tracing::info!(method, path, status, milliseconds, address, request_id, "request"),
            // Nobody waited for the answer.
            None => tracing::info!(method, path, milliseconds, address, request_id, "request, left by its client"),
        }
    }
}
