//! What a user sees of their sessions, and of what happened to the account.

use time::OffsetDateTime;

use super::error::SessionError;
use super::identity::Identity;
use super::sessions::Sessions;
use crate::domain::event::{Past, Window};
use crate::domain::id::UserId;
use crate::domain::session::Session;
use crate::store::{events, sessions};

impl Sessions {
    /// Returns the user's sessions that are alive, the last used first.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn devices(&self, identity: &Identity, now: OffsetDateTime) -> Result<Vec<Session>, SessionError> {
        self.live_sessions(identity.user().id, now).await
    }

    /// Returns the sessions of a user that are alive, the last used first.
    ///
    /// # Errors
    /// If the database has no answer.
    pub(crate) async fn live_sessions(&self, user: UserId, now: OffsetDateTime) -> Result<Vec<Session>, SessionError> {
        let read = self.parts.database.read(move |connection| sessions::unrevoked_of_user(connection, user));
        let mut found = read.await?;
        self.note_last_seen(&mut found);
        found.retain(|session| session.ended(self.lifetimes(), now).is_none());
        found.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
        Ok(found)
    }

    /// Adds to rows what was noted here of their last use and is not written down yet.
    pub(super) fn note_last_seen(&self, found: &mut [Session]) {
        for session in found {
            if let Some(seen) = self.last_seen.get(session.id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
        }
    }

    /// Tells whether the user of a request is to be welcomed back: once after a pause, of all pages and processes.
    ///
    /// # Errors
    /// If the database cannot write.
    pub async fn claim_welcome(&self, identity: &Identity) -> Result<bool, SessionError> {
        let Some(away_from) = identity.take_away_from() else { return Ok(false) };
        let id = identity.session();
        self.write(move |connection| Ok((sessions::claim_welcome(connection, id, away_from)?, Vec::new()))).await
    }

    /// Returns at most `limit` of the user's events of some kinds, or of all where none is named, newest first.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn activity(
        &self,
        identity: &Identity,
        window: Window,
        kinds: &'static [&'static str],
        limit: usize,
    ) -> Result<Past, SessionError> {
        let user = identity.user().id;
        let limit = limit as i64;
        Ok(self.parts.database.read(move |connection| events::of_user(connection, user, window, kinds, limit)).await?)
    }
}
