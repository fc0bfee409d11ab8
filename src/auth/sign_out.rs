//! End a sign-in, or all of a user's; and say afterwards why.

use time::OffsetDateTime;

use super::remembered::SessionFacts;
use super::{Auth, AuthError};
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::SessionId;
use crate::domain::session::EndReason;
use crate::store::changes::Change;
use crate::store::{events, sessions};

/// What is left of a sign-in that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Why it ended.
    pub reason: EndReason,
    /// When.
    pub at: OffsetDateTime,
}

impl Auth {
    /// Ends one sign-in at its user's wish. Its access token, still in force by its own word, opens nothing from now on.
    ///
    /// # Errors
    /// If the database cannot write; the sign-in then goes on, and whoever asked must be told so.
    pub async fn sign_out(&self, session: &SessionFacts, client: &Client) -> Result<(), AuthError> {
        let (id, now) = (session.id, self.clock.now());
        let event = Event::of_end(EndReason::SignedOut, session.user, client, now).about(id);
        self.database
            .write(move |connection| {
                if sessions::revoke(connection, id, EndReason::SignedOut, now)? {
                    events::insert(connection, &event)?;
                }
                Ok(())
            })
            .await?;
        self.forget(&[Change::Session(id)]);
        Ok(())
    }

    /// Ends every sign-in of a user, this one included.
    ///
    /// # Errors
    /// If the database cannot write; then none of them has ended.
    pub async fn sign_out_everywhere(&self, session: &SessionFacts, client: &Client) -> Result<(), AuthError> {
        let (user, now) = (session.user, self.clock.now());
        let event = Event::of_end(EndReason::SignedOutEverywhere, user, client, now).about(session.id);
        let ended = self
            .database
            .write(move |connection| {
                events::insert(connection, &event)?;
                sessions::revoke_all(connection, user, None, EndReason::SignedOutEverywhere, now)
            })
            .await?;
        self.forget(&ended.into_iter().map(Change::Session).collect::<Vec<_>>());
        Ok(())
    }

    /// Returns why and when a sign-in ended; `None` while it lives or once its row is gone.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn tombstone(&self, id: SessionId) -> Result<Option<Tombstone>, AuthError> {
        let session = self.database.read(move |connection| sessions::find(connection, id)).await?;
        let now = self.clock.now();
        Ok(session.and_then(|session| {
            let reason = session.ended(&self.lifetimes, now)?;
            Some(Tombstone { reason, at: session.end(&self.lifetimes, now) })
        }))
    }
}
