//! A session in two hands: end it, tell its owner.

use time::{Duration, OffsetDateTime};

use super::error::SessionError;
use super::found::Found;
use super::identity::Identity;
use super::notices::or_unknown;
use super::sessions::Sessions;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::{Event, Theft};
use crate::domain::id::SessionId;
use crate::domain::session::{EndReason, Session};
use crate::domain::user::User;
use crate::mail::messages::{TheftNotice, TimeWords};
use crate::store::changes::Change;
use crate::store::outbox::{self, NewMail};
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, events, users};

/// How long a theft is warned of.
const THEFT_WARNING: Duration = Duration::days(30);

/// How long a process of the version before may take to send a mail: longer than all its tries.
const UNTOLD_AFTER: Duration = Duration::minutes(10);

/// How long a user is worth telling: later they have seen it on a page, or will.
const UNTOLD_UNTIL: Duration = Duration::days(2);

/// Mails queued in one go.
const UNTOLD_AT_ONCE: i64 = 100;

impl Sessions {
    /// Reads a session, its user, and the theft that its pages warn of: the last one, until somebody has taken note of it.
    pub(super) fn find_with_theft(
        connection: &mut Connection,
        id: SessionId,
        now: OffsetDateTime,
    ) -> Result<Option<(Session, User, Option<Theft>)>, StoreError> {
        let Some((session, user, noticed)) = sessions::find_with_user(connection, id)? else { return Ok(None) };
        let since = now - THEFT_WARNING;
        let warned = noticed.is_some_and(|at| at >= since);
        let theft = if warned { events::last_theft(connection, user.id, since)? } else { None };
        Ok(Some((session, user, theft)))
    }

    /// Ends the warning of the thefts that were noticed up to `noticed`, on every device of the user, because they have
    /// taken note of them. What happened stays in the audit trail, and in the mail that told of it.
    ///
    /// # Errors
    /// `SignedOut` if the session has ended; if the database cannot write. Then the warning stays.
    pub async fn acknowledge_theft(&self, acting: &Identity, noticed: OffsetDateTime) -> Result<(), SessionError> {
        let user = acting.user().id;
        self.act(acting, move |connection| {
            users::acknowledge_theft(connection, user, noticed)?;
            Ok(((), vec![Change::User(user)]))
        })
        .await?;
        tracing::info!(session = %acting.session(), %user, "the warning of a theft was taken note of");
        Ok(())
    }

    /// Ends a session for what one of its tokens showed, with its event, in one transaction; `false` if the row has moved
    /// since it was read.
    ///
    /// The mail that tells the user of a replay is part of that transaction: one theft, one mail.
    pub(super) async fn end_unmoved(
        &self,
        found: &Found,
        because: EndReason,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, SessionError> {
        let Found { session, user, .. } = found;
        let replayed = because == EndReason::Replayed;
        let event = Event::of_end(because, session.user_id, client, now);
        let event = if replayed { event.against(&session.address, &session.user_agent) } else { event };
        let notice = if replayed { self.theft_notice(user, &theft(session, client, now), now) } else { None };
        let (read, owner) = (session.clone(), session.user_id);
        let ended = self
            .write(move |connection| {
                if replayed {
                    // First, as whoever acts does: two that lock a user and a session in different orders would wait for
                    // each other.
                    users::lock_row(connection, owner)?;
                }
                let ended = sessions::end(connection, &Which::Unmoved(Box::new(read)), because, &event)?;
                if replayed && !ended.is_empty() {
                    users::theft_noticed(connection, owner, now)?;
                    if let Some(notice) = notice
                        && !outbox::insert_theft_notice(connection, owner, &notice, now)?
                    {
                        tracing::info!(user = %owner, "the user is not told by mail: their address has had its mails");
                    }
                }
                let mut changes = super::end::announced(&ended);
                if replayed {
                    // The pages of all other devices warn of it from now on.
                    changes.push(Change::User(owner));
                }
                Ok((!ended.is_empty(), changes))
            })
            .await?;
        if ended && replayed {
            tracing::warn!(session = %session.id, user = %owner, "a refresh token was replayed: session ended");
            self.parts.database.wake_outbox();
        }
        Ok(ended)
    }

    /// Queues mails to users whom a process of the version before did not get to tell of a theft; returns how many.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn queue_untold(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let during = now - UNTOLD_UNTIL..now - UNTOLD_AFTER;
        let found = self.parts.database.read_blocking(move |connection| {
            let users = users::untold_of_theft(connection, during, UNTOLD_AT_ONCE)?;
            let since = now - THEFT_WARNING;
            let theft =
                |(user, noticed): (User, _)| Ok((events::last_theft(connection, user.id, since)?, user, noticed));
            users.into_iter().map(theft).collect::<Result<Vec<_>, StoreError>>()
        })?;
        let mut queued = 0;
        for (theft, user, noticed) in found {
            let notice = theft.and_then(|theft| self.theft_notice(&user, &theft, now));
            let id = user.id;
            queued += self.parts.database.write_blocking(move |connection| match notice {
                Some(notice) => {
                    outbox::insert_overdue_theft_notice(connection, id, noticed, &notice, now).map(usize::from)
                }
                None => {
                    tracing::error!(user = %id, "the user cannot be told of a theft by mail");
                    users::tell_of_theft(connection, id, noticed).map(|_| 0)
                }
            })?;
        }
        if queued > 0 {
            self.parts.database.wake_outbox();
        }
        Ok(queued)
    }

    /// Writes the mail that tells `user` of a theft; nothing where that is impossible, which is logged: the sign-in ends
    /// all the same, the sign-in page says why, and the audit trail has it.
    pub(super) fn theft_notice(&self, user: &User, theft: &Theft, now: OffsetDateTime) -> Option<NewMail> {
        let at = DisplayTime::new(theft.at, now);
        let notice = TheftNotice {
            at: TimeWords { iso: &at.iso, words: &at.words },
            address: &or_unknown(theft.address.clone()),
            other_address: &or_unknown(theft.other_address.clone()),
            devices_url: &format!("{}/devices", self.parts.public_url),
        };
        self.write_notice(user, &notice, now)
    }
}

/// Describes what `client` showed of a session.
fn theft(session: &Session, client: &Client, now: OffsetDateTime) -> Theft {
    Theft {
        at: now,
        address: client.address_text(),
        user_agent: client.user_agent.clone(),
        other_address: session.address.clone(),
        other_user_agent: session.user_agent.clone(),
    }
}
