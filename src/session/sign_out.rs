//! Sign out, here or everywhere; and say afterwards why a session ended.

use super::authenticate::Authenticated;
use super::end::announced;
use super::ended::Tombstone;
use super::error::SessionError;
use super::identity::Identity;
use super::sessions::Sessions;
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::SessionId;
use crate::domain::session::EndReason;
use crate::store::session_locks::Reach;
use crate::store::sessions::{self, Which};

impl Sessions {
    /// Ends the session of a request at its user's wish, and every other that the same browser holds. Its access token,
    /// still in force by its own word, opens nothing from now on.
    ///
    /// # Errors
    /// If the database cannot write; the session then goes on, and whoever asked must be told so.
    pub async fn sign_out(&self, acting: &Identity, held: &Authenticated, client: &Client) -> Result<(), SessionError> {
        let now = self.now();
        let ending = self.opening(held, now).await?;
        let (own, others): (Vec<_>, Vec<_>) = ending.into_iter().partition(|id| *id == acting.session());
        let event = Event::of_end(EndReason::SignedOut, acting.user().id, client, now);
        self.end(Which::These(own), EndReason::SignedOut, event).await?;
        for id in others {
            // Perhaps another user's, whose cookie came along.
            if let Some(found) = self.find(id, now).await? {
                let event = Event::of_end(EndReason::SignedOut, found.session.user_id, client, now);
                self.end(Which::These(vec![id]), EndReason::SignedOut, event).await?;
            }
        }
        Ok(())
    }

    /// Ends every session of a user, this one included.
    ///
    /// # Errors
    /// If the database cannot write; then none of them has ended.
    pub async fn sign_out_everywhere(&self, acting: &Identity, client: &Client) -> Result<(), SessionError> {
        let because = EndReason::SignedOutEverywhere;
        let event = Event::of_end(because, acting.user().id, client, self.now()).about(acting.session());
        self.act_on(acting, Reach::AllOf(acting.user().id), move |connection| {
            let ended = sessions::end(connection, &Which::All { spared: None }, because, &event)?;
            Ok(((), announced(&ended)))
        })
        .await
    }

    /// Returns why and when a session ended; `None` while it lives or once its row is gone.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn tombstone(&self, id: SessionId) -> Result<Option<Tombstone>, SessionError> {
        let session = self.parts.database.read(move |connection| sessions::find(connection, id)).await?;
        let now = self.now();
        Ok(session.and_then(|session| {
            let reason = session.ended(self.lifetimes(), now)?;
            Some(Tombstone { reason, at: session.end(self.lifetimes(), now) })
        }))
    }
}
