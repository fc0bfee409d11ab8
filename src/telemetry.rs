//! Log lines: for people, or one JSON object each, on standard error.

use tracing_subscriber::filter::LevelFilter;
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

fn start(layer: Box<dyn Layer<Registry> + Send + Sync>) {
    let started = tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO)).try_init();
    if started.is_err() {
        tracing::debug!("this process has a log already");
    }
}
