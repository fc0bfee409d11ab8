//! A message with its headers, as it travels.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use time::OffsetDateTime;

use super::{MailError, Message};
use crate::domain::client::is_deceptive;

/// The name of the sender, unless `MAIL_FROM` gives another.
const NAME: &str = "Perennial";

/// The box of the sender, unless `MAIL_FROM` gives another: nobody reads what is sent to it.
const BOX: &str = "no-reply";

/// What every mail of this server carries: whom it is from, and the host that made it.
#[derive(Debug, Clone)]
pub struct Letterhead {
    from: Mailbox,
    domain: String,
}

impl Letterhead {
    /// Makes the letterhead of the server at `host`, a name or address as it stands in a URL.
    ///
    /// Without `from`, mail comes from `Perennial <no-reply@host>`, or from `localhost` where the host is one that no
    /// address can have: such a server writes files, or its mail server asks for a `MAIL_FROM` anyway.
    ///
    /// # Errors
    /// If the mail library takes neither for an address.
    pub fn new(host: &str, from: Option<Mailbox>) -> Result<Self, MailError> {
        let by_default = |host: &str| format!("{NAME} <{BOX}@{host}>").parse::<Mailbox>();
        let from = match from {
            Some(from) => from,
            None => by_default(host).or_else(|_| by_default("localhost"))?,
        };
        Ok(Self { from, domain: mail_domain(host) })
    }

    /// Returns the host as mail protocols write it.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Puts a message that was sent `at` together.
    ///
    /// It is marked as written by a machine (RFC 3834 section 5), so that no holiday notice answers it.
    pub(super) fn compose(&self, message: Message, at: OffsetDateTime) -> Result<Letter, MailError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let id = format!("{:032x}", u128::from_ne_bytes(random));
        let to: Address = message.to.as_str().parse()?;
        let automatic = HeaderName::new_from_ascii("Auto-Submitted".to_owned())?;
        let subject: String = message.subject.chars().filter(|c| !is_deceptive(*c)).collect();
        // A clock that was set before 1970 has no date in a header.
        let at = at.max(OffsetDateTime::UNIX_EPOCH);
        let mail = lettre::Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .date(SystemTime::from(at))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(message.text, message.html))?;
        Ok(Letter { id, at, mail })
    }
}

/// A message ready to travel.
pub(super) struct Letter {
    /// What tells it from every other; the log names a mail by it, and never by its content or its reader.
    pub(super) id: String,
    /// When it was sent.
    pub(super) at: OffsetDateTime,
    /// The mail itself.
    pub(super) mail: lettre::Message,
}

/// Writes a host of a URL as mail protocols do: an address of numbers stands in brackets (RFC 5321 section 4.1.3).
fn mail_domain(host: &str) -> String {
    match host.strip_prefix('[') {
        Some(version_6) => format!("[IPv6:{version_6}"),
        None if host.parse::<Ipv4Addr>().is_ok() => format!("[{host}]"),
        None => host.to_owned(),
    }
}
