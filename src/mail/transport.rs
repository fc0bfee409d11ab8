//! The interface that every way of sending mail implements.

use time::OffsetDateTime;

use super::{Email, MailError};

/// Hands e-mails over to whoever delivers them.
///
/// An application can bring its own, for a provider with an HTTP interface for example. The outbox calls
/// [`send`](Transport::send) on a thread made for that one e-mail, so it may block.
pub trait Transport: Send + Sync + 'static {
    /// Hands one e-mail over, and returns as soon as somebody else is responsible for it.
    ///
    /// Return without delay after that point: a process that is killed between the two sends the same e-mail again. It
    /// then has the same `Message-ID`, by which the other side can recognise it.
    ///
    /// # Errors
    /// If the e-mail was not taken; the variant says whether, and which, e-mails are worth another try.
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError>;

    /// Releases what [`send`](Transport::send) kept for the next e-mail, such as a connection.
    ///
    /// Called once nothing is left to send; takes a second or two at most.
    fn idle(&self) {}
}

/// An e-mail on its way out of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEmail {
    /// Identifies the e-mail: the same in every attempt, and different from that of every other e-mail.
    ///
    /// It is 32 hexadecimal digits. Logs name a mail by it, and never by its content or its recipient.
    pub id: String,
    /// When the e-mail was put into the outbox; it becomes the `Date` header.
    pub queued_at: OffsetDateTime,
    /// What to send.
    pub email: Email,
}

/// Why an e-mail was not taken, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The transport does not work at all: any other e-mail would fail as well, and none is to blame.
    #[error("{0}")]
    Unavailable(#[source] MailError),
    /// This e-mail was not taken, but may be later.
    #[error("{0}")]
    Deferred(#[source] MailError),
    /// This e-mail will never be taken.
    #[error("{0}")]
    Refused(#[source] MailError),
}
