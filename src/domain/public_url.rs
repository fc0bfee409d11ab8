//! The one origin under which people reach this server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// An `http` or `https` origin: scheme, host and port, nothing behind them but where an application has mounted the pages.
///
/// Written out, it is what the path of a page is put behind.
///
/// All links and every `Origin` check come from here and never from the `Host` header, which a client may set to
/// anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    host: String,
    port: Option<u16>,
    secure: bool,
    loopback: bool,
    mount: String,
}

/// Says that a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes an origin such as https://example.org, without a path")]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// Returns the origin a newcomer sees: plain HTTP on this machine.
    pub fn localhost(port: u16) -> Self {
        let origin = if port == 80 { "http://localhost".to_owned() } else { format!("http://localhost:{port}") };
        Self {
            origin,
            host: "localhost".to_owned(),
            port: Some(port),
            secure: false,
            loopback: true,
            mount: String::new(),
        }
    }

    /// Says below which path of the origin the pages are: `/auth`, or nothing for the root.
    pub(crate) fn mounted_at(self, mount: String) -> Self {
        Self { mount, ..self }
    }

    /// Returns the path that the pages are below, without a slash at its end; empty for the root.
    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    /// Returns the path of a page as it is seen from the root of the pages; nothing if it is not below that.
    pub(crate) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        // At the root, as nearly always, not even a comparison of nothing: every request asks this several times.
        let rest = if self.mount.is_empty() { path } else { path.strip_prefix(self.mount.as_str())? };
        rest.starts_with('/').then_some(rest)
    }

    /// Returns the origin as a browser writes it in an `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Returns the host alone, as a URL writes it: an address of IP version 6 stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, that of the scheme where the origin names none.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Tells whether the origin is `https`: then cookies are `Secure` and carry the `__Host-` prefix.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Tells whether a browser binds sign-ins to its device here: over https, and on its own machine if it is set to.
    pub fn binds_devices(&self) -> bool {
        self.is_secure() || self.is_loopback()
    }

    /// Tells whether the origin is this machine alone.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        f.write_str(&self.mount)
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl)?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => return Err(InvalidPublicUrl),
        };
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidPublicUrl),
        };
        let port = url.port_or_known_default();
        let host = url.host_str().unwrap_or_default().to_owned();
        bare.then(|| Self {
            origin: url.origin().ascii_serialization(),
            host,
            port,
            secure,
            loopback,
            mount: String::new(),
        })
        .ok_or(InvalidPublicUrl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin, host) in [
            ("https://Example.org", "https://example.org", "example.org"),
            ("https://example.org:443/", "https://example.org", "example.org"),
            ("http://localhost:8080", "http://localhost:8080", "localhost"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
        ] {
            let url = text.parse::<PublicUrl>().unwrap();
            assert_eq!((url.as_str(), url.host()), (origin, host));
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "example.org",
            "ftp://example.org",
            "https://example.org/app",
            "https://a:b@example.org",
            "https://example.org?x",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidPublicUrl), "{text}");
        }
    }

    #[test]
    fn loopback_and_secure_are_told_apart() {
        let parse = |text: &str| text.parse::<PublicUrl>().map(|url| (url.secure, url.loopback));
        assert_eq!(parse("http://127.0.0.9:1"), Ok((false, true)));
        assert_eq!(parse("https://example.org"), Ok((true, false)));
        assert_eq!(parse("http://localhost.example.org"), Ok((false, false)));
    }
}
