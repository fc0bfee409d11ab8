//! Everything an operator can choose, as values.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::domain::network::Network;
use crate::domain::public_url::PublicUrl;
use crate::domain::session::Lifetimes;
use crate::mail::Mailbox;
use crate::store::url::DatabaseUrl;

/// Everything an operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The Unix socket that is listened on in the place of `bind`.
    pub unix_socket: Option<PathBuf>,
    /// The one origin of all links; `None` means `http://localhost:` with the port that was bound.
    pub public_url: Option<PublicUrl>,
    /// Where the data lives.
    pub database: DatabaseUrl,
    /// The secrets of `JWT_SECRET_KEY`; `None` means the key file, which only SQLite has.
    pub secret_keys: Option<Vec<SecretString>>,
    /// How long everything lives.
    pub lifetimes: Lifetimes,
    /// Code points of a new password at least.
    pub password_min_length: usize,
    /// bcrypt's cost, as a power of two.
    pub bcrypt_cost: u32,
    /// Whether strangers may make an account.
    pub registration: Registration,
    /// The proxies whose word on the client's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// How many connections one client address may hold open; trusted proxies are exempt.
    pub connections_per_address: usize,
    /// How long readiness says 503 before no new connection is taken.
    pub drain_time: std::time::Duration,
    /// The header in which they pass the client's address on.
    pub client_address_header: ClientAddressHeader,
    /// The mail server; `None` means that mails become files. It may hold a password.
    pub smtp_url: Option<SecretString>,
    /// Whom mail is from; `None` means `Perennial <no-reply@host>` with the host of the public URL.
    pub mail_from: Option<Mailbox>,
    /// Where mails become files; it need not be there yet.
    pub mail_dir: PathBuf,
    /// A folder whose files replace the texts of the mails; none for those of the program.
    pub mail_template_dir: Option<PathBuf>,
    /// What pages and mails call the site.
    pub site_name: String,
    /// A folder whose files replace the embedded ones.
    pub static_dir: Option<PathBuf>,
    /// How long audit events are kept.
    pub event_retention: time::Duration,
    /// The time between two backups that the server makes by itself; `None` for none.
    pub backup_every: Option<time::Duration>,
    /// How many of them are kept.
    pub backup_keep: usize,
    /// The folder that they are in; it need not be there yet.
    pub backup_dir: PathBuf,
    /// The address of the metrics; `None` for no metrics.
    pub metrics_bind: Option<SocketAddr>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Whether sign-ins are bound to their devices, where a browser can.
    pub device_binding: DeviceBinding,
    /// Whether each decision on a request is logged.
    pub debug_auth: bool,
    /// Whether each request is logged.
    pub log_requests: bool,
}

/// Whether strangers may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Anybody may.
    Open,
    /// Nobody may.
    Closed,
}

/// Whether sign-ins are bound to their devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceBinding {
    /// Where a browser can: on an https origin, and on this machine for a browser that allows it.
    On,
    /// None is.
    Off,
}

/// The header in which trusted proxies pass the client's address on; the other one is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddressHeader {
    /// `X-Forwarded-For`, which nearly every proxy writes.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Says which setting makes no sense, and what it takes; it never repeats a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingError {
    /// The environment variable.
    pub name: &'static str,
    /// What is wrong with its value, and what it takes.
    pub problem: String,
}
