//! Where people reach the site, and where a proxy reaches this program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::Settings;
use crate::domain::public_url::PublicUrl;

/// The port of https.
const HTTPS: u16 = 443;

/// The two ends of a proxy.
pub(super) struct Place {
    /// The name that people type.
    pub(super) host: String,
    /// The port that they reach.
    pub(super) port: u16,
    address: SocketAddr,
    socket: Option<PathBuf>,
}

impl Place {
    /// Finds them in the settings, for a proxy on the same machine.
    pub(super) fn behind_proxy(settings: &Settings) -> Self {
        let mut address = settings.bind;
        // Who listens everywhere is reached by the nearest way.
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let url = settings.public_url.as_ref();
        let port = url.filter(|url| url.is_secure()).and_then(PublicUrl::port).unwrap_or(HTTPS);
        let host = url.map_or_else(|| "localhost".to_owned(), |url| url.host().to_owned());
        Self { host, port, address, socket: settings.unix_socket.clone() }
    }

    /// Names the site as a Caddyfile does.
    pub(super) fn site(&self) -> String {
        if self.port == HTTPS { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    pub(super) fn for_nginx(&self) -> String {
        self.written("unix:")
    }

    pub(super) fn for_haproxy(&self) -> String {
        self.written("unix@")
    }

    pub(super) fn for_caddy(&self) -> String {
        self.written("unix/")
    }

    fn written(&self, before_path: &str) -> String {
        match &self.socket {
            Some(path) => format!("{before_path}{}", path.display()),
            None => self.address.to_string(),
        }
    }
}
