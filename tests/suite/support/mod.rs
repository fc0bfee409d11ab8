//! What the tests stand on: an application of their own and a browser that speaks HTTP with it; the real program and
//! clients that reach it over sockets.

mod app;
mod browser;
mod database;
mod device;
mod version_before;

pub(crate) mod api;
pub(crate) mod cable;
pub(crate) mod certificate;
pub(crate) mod chromium;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod commands;
pub(crate) mod firefox;
pub(crate) mod gate;
pub(crate) mod guesses;
pub(crate) mod kept;
pub(crate) mod links;
pub(crate) mod mail_server;
pub(crate) mod npm;
pub(crate) mod outbox_row;
pub(crate) mod patience;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod readme;
pub(crate) mod reset;
pub(crate) mod server;
pub(crate) mod silent_postgres;
pub(crate) mod small_disk;
#[expect(dead_code, reason = "the tests beside the code use the rest of it")]
#[path = "../../../src/mail/tests/smtp_double.rs"]
pub(crate) mod smtp_double;
pub(crate) mod traffic;

pub use app::TestApp;
pub use browser::Browser;
pub use database::{AuditEvent, POSTGRES, Rows, blob, everything_stored, hex, on_postgres, url_in};
pub use device::{Asked, Device};
pub use perennial::testing::{Answer, BoxedPayloadStream, START, SetCookie, form_token};
pub use version_before::{Judgement, VersionBefore};

/// A password that meets the policy.
pub const PASSWORD: &str = "three random words";

/// The address of the user that [`Browser::register`] makes.
pub const EMAIL: &str = "ada@example.org";

/// The name of the user that [`Browser::register`] makes.
pub const NAME: &str = "Ada Lovelace";
