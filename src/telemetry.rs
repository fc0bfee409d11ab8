//! Log lines: for people, or one JSON object each, on standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// Starts logging for people in this process; a subscriber that the application has already set stays.
pub fn start_text() {
    start(fmt::layer().with_writer(std::io::stderr).with_ansi(false).boxed());
}

/// Starts logging for machines in this process; a subscriber that the application has already set stays.
pub fn start_json() {
    start(fmt::layer().with_writer(std::io::stderr).json().flatten_event(true).boxed());
}

/// The part of Actix that logs as an error what any client can cause: a request that is malformed.
const PROTOCOL: &str = "actix_http::h1::dispatcher";

fn start(layer: Box<dyn Layer<Registry> + Send + Sync>) {
    let filter = Targets::new().with_default(LevelFilter::INFO).with_target(PROTOCOL, LevelFilter::OFF);
    let started = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    if started.is_err() {
        tracing::debug!("this process has a log already");
    }
}
