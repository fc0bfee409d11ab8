//! Mail: what is told, and how it gets to people, by SMTP, into files, or into the memory of a test.
//!
//! A page never waits for a mail. [`Mailer::send`] puts a message in line and returns; one thread composes it and
//! carries it. The line lives in memory: whatever is in it when the process is killed is lost. Whoever must not lose a
//! mail writes down when it is [`settled`](Mailer::send), and sends it again where that never came, as is done for a
//! theft; a link can be asked for again. A line in the database would keep links that open accounts in every backup.

mod carrier;
mod error;
mod folder;
mod letter;
mod mailer;
mod messages;
mod outbox;
mod smtp;
#[cfg(test)]
mod tests;

pub use error::MailError;
pub use letter::Letterhead;
pub use mailer::Mailer;
pub use messages::RefreshTokenReplayed;
pub use outbox::Outbox;

use crate::domain::user::Email;

/// Something to tell one person, in both forms that mail programs show.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom; the address alone, so that no name can break out of a header.
    pub to: Email,
    /// What it is about.
    pub subject: String,
    /// The words, for programs and people who read plain text.
    pub text: String,
    /// The same words as HTML.
    pub html: String,
}

impl std::fmt::Debug for Message {
    /// Prints no content: a mail may hold a link that opens an account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}
