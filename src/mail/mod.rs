//! Mail: what is told, and how it leaves, by SMTP, into files, or into the memory of a test.
//!
//! Nothing here waits for a turn, keeps a list or starts a thread. An e-mail is one of [`messages`], written by
//! [`MailTemplates`]; it becomes a row of the outbox in the transaction of the act that it tells of, and is handed to a
//! [`Transport`] by the worker that reads that table. So a page never waits for a mail server, and a process that is
//! killed loses no mail.

#[cfg(feature = "smtp")]
mod compose;
mod error;
mod folder;
mod mailbox;
mod memory;
pub mod messages;
#[cfg(not(feature = "smtp"))]
mod plain_compose;
mod samples;
mod sender;
#[cfg(feature = "smtp")]
mod smtp;
mod templates;
#[cfg(test)]
pub(crate) mod tests;
mod transport;

pub use error::MailError;
pub use folder::Folder;
pub use mailbox::{InvalidMailbox, Mailbox};
pub use memory::{Memory, Outbox};
pub use sender::Sender;
#[cfg(feature = "smtp")]
pub use smtp::Smtp;
pub use templates::{MailTemplates, TemplateError};
pub use transport::{OutgoingEmail, SendError, Transport};

use crate::domain::user;

/// Something to tell one person, in both forms that mail programs show.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The recipient; the address alone, so that no name can break out of a header.
    pub to: user::Email,
    /// The subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same body as HTML.
    pub html: String,
}

impl std::fmt::Debug for Email {
    /// Prints no content: a mail may hold a link that opens an account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email")
    }
}
