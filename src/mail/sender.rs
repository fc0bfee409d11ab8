//! Who mail is from, and how an e-mail becomes a message with headers.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use time::OffsetDateTime;

use super::{MailError, OutgoingEmail};
use crate::domain::client::is_deceptive;

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
            // As the header will be read again: an `Address` may hold a host in brackets that no header takes.
            let mailbox: Mailbox = format!("{LOCAL_PART}@{host}").parse()?;
            Ok::<_, AddressError>(Mailbox::new(Some(site_name.to_owned()), mailbox.email))
        };
        let from = match from {
            Some(from) => from,
            None => default(host).or_else(|_| default("localhost"))?,
        };
        Ok(Self { from, domain: mail_domain(host) })
    }

    /// Returns the host as mail protocols write it.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Builds the message; every attempt to send one e-mail builds the same headers.
    ///
    /// The `Message-ID` comes from the row of the outbox, so that a repeat after a crash is recognised as one
    /// (RFC 5322 section 3.6.4). The message is marked as automatic (RFC 3834 section 5), so that no holiday notice
    /// answers it.
    pub(super) fn compose(&self, outgoing: &OutgoingEmail) -> Result<Message, MailError> {
        let OutgoingEmail { id, queued_at, email } = outgoing;
        let to: Address = email.to.as_str().parse()?;
        let automatic = HeaderName::new_from_ascii("Auto-Submitted".to_owned())?;
        let subject: String = email.subject.chars().filter(|c| !is_deceptive(*c)).collect();
        // The mail library panics on a date before 1970, which a wrong clock may yield.
        let date = (*queued_at).max(OffsetDateTime::UNIX_EPOCH);
        let message = Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .date(SystemTime::from(date))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(email.text.clone(), email.html.clone()))?;
        Ok(message)
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
