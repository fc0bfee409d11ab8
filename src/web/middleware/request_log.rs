//! One log line per request, where `LOG_REQUESTS` asks for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};

use crate::domain::clock::Clock;
use crate::web::extract::client_info::address;
use crate::web::site::Site;

/// Characters from which on a segment of a path may be a secret: the token of a mailed link has 43, the name of a sign-in
/// 36 and that of an embedded file fewer.
const SECRET_LENGTH: usize = 40;

/// Characters kept of a path: enough for every one of ours, too little to fill a disk.
const PATH_LENGTH: usize = 300;

/// The line of a request that is under way; it is written when this goes.
pub(super) struct RequestLine {
    method: Method,
    path: String,
    address: Option<IpAddr>,
    clock: Arc<dyn Clock>,
    started: Duration,
    status: Option<StatusCode>,
}

impl RequestLine {
    /// Notes what is asked for, and when.
    pub(super) fn start(site: &Site, request: &ServiceRequest) -> Self {
        let clock = Arc::clone(site.sessions.clock());
        Self {
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
        match self.status {
            Some(status) => tracing::info!(method, path, status = status.as_u16(), milliseconds, address, "request"),
            // Nobody waited for the answer.
            None => tracing::info!(method, path, milliseconds, address, "request, left by its client"),
        }
    }
}

/// Returns a path as it may stand in a log: without the query, since that holds what people type and the tokens of links,
/// and without a segment that may be the token of a link.
fn loggable(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.len() < SECRET_LENGTH { segment } else { "…" });
    let mut shown = segments.collect::<Vec<_>>().join("/");
    if let Some((end, _)) = shown.char_indices().nth(PATH_LENGTH) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_what_may_be_the_token_of_a_link() {
        for path in [
            "/",
            "/dashboard",
            "/devices/01a1ff61-6b68-7192-8174-1b3dd5640274/revoke",
            "/static/style.yKZ3nQ2wT0aB.css",
        ] {
            assert_eq!(loggable(path), path);
        }
        let token = "mZyGf4bJYx0oS1sXc3Yw9kQq2uVdR7tEaLhNpB5iC8D";
        assert_eq!(loggable(&format!("/password-reset/{token}")), "/password-reset/…");
        assert_eq!(loggable(&format!("/devices/end/{token}/x")), "/devices/end/…/x");
        assert_eq!(loggable(&"/a".repeat(4000)).chars().count(), PATH_LENGTH + 1);
    }
}
