//! A device that an account did not know: tell its owner, and let them end that sign-in.

use time::OffsetDateTime;

use super::end::announced;
use super::error::SessionError;
use super::notices::address_in_words;
use super::sessions::Sessions;
use crate::crypto::random_bytes;
use crate::display::device::device;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::SessionId;
use crate::domain::mail_token::{MailToken, NOTICE_LINK_LIFE};
use crate::domain::session::{EndReason, Session};
use crate::domain::token::SecretHash;
use crate::domain::user::User;
use crate::mail::messages::{NewDevice, TimeWords};
use crate::store::outbox::{self, NewMail};
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, notice_links, users};

/// The notice of a sign-in on a device that its account may not know.
pub(super) struct NewDeviceNotice {
    token: SecretHash,
    mail: Option<NewMail>,
}

/// A link that would end a sign-in, if it were used now.
#[derive(Debug, Clone)]
pub struct EndLink {
    token: SecretHash,
    /// What it ends.
    pub session: Session,
}

impl Sessions {
    /// Writes the notice of a sign-in before it is known whether there is a need for it.
    pub(super) fn new_device_notice(
        &self,
        user: &User,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<NewDeviceNotice, SessionError> {
        let token = MailToken::from_bytes(random_bytes()?);
        let (at, site) = (DisplayTime::new(now, now), self.public_url());
        let notice = NewDevice {
            at: TimeWords { iso: &at.iso, words: &at.words },
            device: &device(&client.user_agent),
            address: &address_in_words(client),
            end_url: &format!("{site}/devices/end/{}", *token.reveal()),
            reset_url: &format!("{site}/password-reset"),
        };
        let mail = self.write_notice_until(user, &notice, now + NOTICE_LINK_LIFE);
        Ok(NewDeviceNotice { token: token.hash(), mail })
    }

    /// Returns what a link ends, by the first of these tokens whose sign-in is alive; it changes nothing.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn find_end_link(&self, tokens: Vec<MailToken>) -> Result<Option<EndLink>, SessionError> {
        if tokens.is_empty() {
            return Ok(None);
        }
        let (now, lifetimes) = (self.now(), *self.lifetimes());
        let found = self.parts.database.read(move |connection| {
            for token in tokens {
                let token = token.hash();
                let Some(session) = notice_links::find_end(connection, token, now)? else { continue };
                let session = sessions::find(connection, session)?;
                if let Some(session) = session.filter(|session| session.ended(&lifetimes, now).is_none()) {
                    return Ok(Some(EndLink { token, session }));
                }
            }
            Ok(None)
        });
        Ok(found.await?)
    }

    /// Ends the sign-in of a link and uses the link up; `false` if that was done meanwhile.
    ///
    /// # Errors
    /// If the database cannot write; nothing was changed then.
    pub async fn end_by_link(&self, link: EndLink, client: &Client) -> Result<bool, SessionError> {
        let EndLink { token, session } = link;
        let because = EndReason::RevokedOnAnotherDevice;
        let event = Event::of_end(because, session.user_id, client, self.now()).because("mailed_link");
        let ended = self.write(move |connection| {
            users::lock_row(connection, session.user_id)?;
            if !notice_links::use_end(connection, token)? {
                return Ok((Vec::new(), Vec::new()));
            }
            let ended = sessions::end(connection, &Which::These(vec![session.id]), because, &event)?;
            let changes = announced(&ended);
            Ok((ended, changes))
        });
        Ok(!ended.await?.is_empty())
    }
}

impl NewDeviceNotice {
    /// Puts the notice into the outbox, in the transaction that records `session`.
    pub(super) fn insert(
        &self,
        connection: &mut Connection,
        user: &User,
        session: SessionId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let Some(mail) = &self.mail else { return Ok(()) };
        notice_links::insert_end(connection, user.id, self.token, session, now)?;
        outbox::insert(connection, mail, now)
    }
}

impl std::fmt::Debug for NewDeviceNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewDeviceNotice")
    }
}
