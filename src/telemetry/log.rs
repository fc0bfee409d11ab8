//! Log lines, as the program writes them; an application that embeds the library has a log of its own.

use std::panic;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::one_line::OneLine;

/// The part of Actix that says how it starts and stops: only its warnings and errors are shown.
const SERVER: &str = "actix_server";

/// The part of Actix that logs as an error what any client can cause: a request that is malformed.
const PROTOCOL: &str = "actix_http::h1::dispatcher";

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging for people in this process; a subscriber that the application has already set stays.
pub fn start_text() {
    start(fmt::layer().with_writer(OneLine(std::io::stderr)).with_ansi(false).boxed());
}

/// Starts logging for machines in this process; a subscriber that the application has already set stays.
pub fn start_json() {
    start(json(std::io::stderr));
}

/// Writes words to standard output, as an object of the same form as the lines of the log.
pub fn print_json(words: &str) {
    let subscriber = tracing_subscriber::registry().with(json(std::io::stdout));
    tracing::subscriber::with_default(subscriber, || tracing::info!("{words}"));
}

fn json(writer: impl for<'writer> MakeWriter<'writer> + Send + Sync + 'static) -> BoxedLayer {
    // A line that cannot be written is lost; a complaint about it would be no object.
    fmt::layer().with_writer(OneLine(writer)).json().flatten_event(true).log_internal_errors(false).boxed()
}

fn start(layer: BoxedLayer) {
    let shown = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target(SERVER, LevelFilter::WARN)
        .with_target(PROTOCOL, LevelFilter::OFF);
    // A panic becomes a line as well: what reads the log can read nothing else.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a thread panicked: {}", panic.payload_as_str().unwrap_or("for no reason given"));
    }));
    let started = tracing_subscriber::registry().with(layer.with_filter(shown)).try_init();
    if started.is_err() {
        tracing::debug!("this process has a log already");
    }
}
