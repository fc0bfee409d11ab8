//! Who mail is from.

use std::net::Ipv4Addr;

use super::{InvalidMailbox, MailError, Mailbox};

/// The local part of the sender's address, unless `MAIL_FROM` gives another: nobody reads replies.
const LOCAL_PART: &str = "no-reply";

/// The address that mail is sent from, and the domain that names this server to others.
#[derive(Debug, Clone)]
pub struct Sender {
    from: Mailbox,
    domain: String,
}

impl Sender {
    /// Creates the sender of the server at `host`, a name or address as it appears in a URL.
    ///
    /// Without `from`, mail comes from the name of the site and `<no-reply@host>`, or from `localhost` where `host` cannot be
    /// part of an address: such a server writes files, or its mail server requires a `MAIL_FROM` anyway.
    ///
    /// # Errors
    /// If neither makes a valid address.
    pub fn new(host: &str, site_name: &str, from: Option<Mailbox>) -> Result<Self, MailError> {
        let default = |host: &str| {
            let mailbox: Mailbox = format!("{LOCAL_PART}@{host}").parse()?;
            Ok::<_, InvalidMailbox>(mailbox.named(site_name))
        };
        let from = match from {
            Some(from) => from,
            None => {
                default(host).or_else(|_| default("localhost")).map_err(|error| MailError::Compose(error.into()))?
            }
        };
        Ok(Self { from, domain: mail_domain(host) })
    }

    /// Returns whom mail is from.
    pub(super) fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Returns the host as mail protocols write it.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }
}

/// Writes the host of a URL as mail protocols do: an IP address stands in brackets (RFC 5321 section 4.1.3).
fn mail_domain(host: &str) -> String {
    match host.strip_prefix('[') {
        Some(version_6) => format!("[IPv6:{version_6}"),
        None if host.parse::<Ipv4Addr>().is_ok() => format!("[{host}]"),
        None => host.to_owned(),
    }
}
