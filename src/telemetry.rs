//! Log lines: for people, or one JSON object each, on standard error. Metrics: as text, for Prometheus.

mod exposition;
#[cfg(feature = "cli")]
mod log;
#[cfg(feature = "cli")]
mod one_line;

pub use exposition::{CONTENT_TYPE, Exposition};
#[cfg(feature = "cli")]
pub use log::{print_json, start_json, start_text};
