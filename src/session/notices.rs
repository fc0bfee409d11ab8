//! Mails to owners: written by the templates, ready for the outbox.

use time::{Duration, OffsetDateTime};

use super::sessions::Sessions;
use crate::domain::client::Client;
use crate::domain::user::{Email, User};
use crate::mail::messages::Message;
use crate::mail::{self, MailError};
use crate::store::outbox::NewMail;

/// How long a notice is of use: later its owner has seen on a page what it tells of, or will.
const NOTICE_LIFE: Duration = Duration::days(2);

/// What stands where an address would, for a transport that has none.
const NO_ADDRESS: &str = "unknown address";

impl Sessions {
    /// Writes a mail that is of no use any more at `expires_at`.
    ///
    /// # Errors
    /// If a template cannot be filled in.
    pub(crate) fn write_mail(
        &self,
        to: Email,
        message: &impl Message,
        expires_at: OffsetDateTime,
    ) -> Result<NewMail, MailError> {
        let mail = self.parts.mail_templates.write(to, message)?;
        Ok(queued(mail, expires_at))
    }

    /// Writes a notice to the owner of an account; nothing where that is impossible, which is logged: what it tells of is
    /// done all the same, and the audit trail has it.
    pub(crate) fn write_notice(&self, user: &User, message: &impl Message, now: OffsetDateTime) -> Option<NewMail> {
        self.write_notice_until(user, message, now + NOTICE_LIFE)
    }

    /// Writes a notice that is of use until `expires_at`.
    pub(crate) fn write_notice_until(
        &self,
        user: &User,
        message: &impl Message,
        expires_at: OffsetDateTime,
    ) -> Option<NewMail> {
        // An account that was put into the database by hand may have an address that no form would take.
        let Ok(to) = user.email.parse::<Email>() else {
            tracing::error!(user = %user.id, "the user cannot be told by mail: the address of the account is none");
            return None;
        };
        let written = self.write_mail(to, message, expires_at).inspect_err(|error| {
            tracing::error!(user = %user.id, %error, "the user cannot be told by mail");
        });
        written.ok()
    }
}

/// Puts a mail into the form of the outbox.
pub(crate) fn queued(mail: mail::Email, expires_at: OffsetDateTime) -> NewMail {
    NewMail { to: mail.to, subject: mail.subject, text: mail.text, html: mail.html, expires_at }
}

/// Returns the address of a client as a mail shows it.
pub(crate) fn address_in_words(client: &Client) -> String {
    or_unknown(client.address_text())
}

/// Returns an address as a mail shows it, or words where there is none.
pub(crate) fn or_unknown(address: String) -> String {
    if address.is_empty() { NO_ADDRESS.to_owned() } else { address }
}
