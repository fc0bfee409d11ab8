//! How an e-mail becomes a message with headers (RFC 5322), by the mail library.

use std::time::SystemTime;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use time::OffsetDateTime;

use super::{MailError, OutgoingEmail, Sender};
use crate::domain::client::is_deceptive;

/// Builds the message; every attempt to send one e-mail builds the same headers.
///
/// The `Message-ID` comes from the row of the outbox, so that a repeat after a crash is recognised as one
/// (RFC 5322 section 3.6.4). The message is marked as automatic (RFC 3834 section 5), so that no holiday notice
/// answers it.
pub(super) fn compose(sender: &Sender, outgoing: &OutgoingEmail) -> Result<Message, MailError> {
    let OutgoingEmail { id, queued_at, email } = outgoing;
    let to: Address = email.to.as_str().parse().map_err(failed)?;
    let from: Address = sender.from().address().parse().map_err(failed)?;
    let automatic = HeaderName::new_from_ascii("Auto-Submitted".to_owned()).map_err(failed)?;
    let subject: String = email.subject.chars().filter(|c| !is_deceptive(*c)).collect();
    // The mail library panics on a date before 1970, which a wrong clock may yield.
    let date = (*queued_at).max(OffsetDateTime::UNIX_EPOCH);
    Message::builder()
        .message_id(Some(format!("<{id}@{}>", sender.domain())))
        .date(SystemTime::from(date))
        .from(Mailbox::new(sender.from().name().map(str::to_owned), from))
        .to(Mailbox::new(None, to))
        .subject(subject)
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(email.text.clone(), email.html.clone()))
        .map_err(failed)
}

/// Builds the message as it is written to a file.
pub(super) fn written(sender: &Sender, outgoing: &OutgoingEmail) -> Result<Vec<u8>, MailError> {
    Ok(compose(sender, outgoing)?.formatted())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> MailError {
    MailError::Compose(error.into())
}
