//! A user's sign-ins, and the end of one or all others; and what happened to the account.

use time::Duration;

use super::remembered::SessionFacts;
use super::{Auth, AuthError};
use crate::domain::client::Client;
use crate::domain::event::{Event, PastEvent, Theft, Window};
use crate::domain::id::SessionId;
use crate::domain::session::{EndReason, Session};
use crate::store::changes::Change;
use crate::store::{events, sessions};

/// How long a theft is warned of.
pub(super) const THEFT_WARNING: Duration = Duration::days(30);

/// What came of a wish to end a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// It has ended, by this wish or before.
    Ended,
    /// The user has no such sign-in; somebody else may have.
    NotFound,
}

impl Auth {
    /// Returns the user's sign-ins that are alive, the last used first.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn devices(&self, session: &SessionFacts) -> Result<Vec<Session>, AuthError> {
        let (user, now) = (session.user, self.clock.now());
        let mut found = self.database.read(move |connection| sessions::live_of_user(connection, user, now)).await?;
        for session in &mut found {
            if let Some(seen) = self.remembered.seen(session.id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
        }
        found.retain(|session| session.ended(&self.lifetimes, now).is_none());
        found.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
        Ok(found)
    }

    /// Returns the last theft of one of the user's sign-ins, if it is recent enough to warn of.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn recent_theft(&self, session: &SessionFacts) -> Result<Option<Theft>, AuthError> {
        let (user, since) = (session.user, self.clock.now() - THEFT_WARNING);
        Ok(self.database.read(move |connection| events::last_theft(connection, user, since)).await?)
    }

    /// Ends one sign-in of the user who asks; one of another user is not found.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub async fn revoke(
        &self,
        asking: &SessionFacts,
        id: SessionId,
        client: &Client,
    ) -> Result<RevokeOutcome, AuthError> {
        let (user, now) = (asking.user, self.clock.now());
        let event = Event::of_end(EndReason::RevokedOnAnotherDevice, user, client, now).about(id);
        let outcome = self
            .database
            .write(move |connection| {
                if sessions::find(connection, id)?.is_none_or(|session| session.user_id != user) {
                    return Ok(RevokeOutcome::NotFound);
                }
                if sessions::revoke(connection, id, EndReason::RevokedOnAnotherDevice, now)? {
                    events::insert(connection, &event)?;
                }
                Ok(RevokeOutcome::Ended)
            })
            .await?;
        self.forget(&[Change::Session(id)]);
        Ok(outcome)
    }

    /// Ends every sign-in of the user but the one that asks; returns how many.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub async fn revoke_others(&self, asking: &SessionFacts, client: &Client) -> Result<usize, AuthError> {
        let (user, spared, now) = (asking.user, asking.id, self.clock.now());
        let event = Event::of_end(EndReason::RevokedOnAnotherDevice, user, client, now);
        let ended = self
            .database
            .write(move |connection| {
                let because = EndReason::RevokedOnAnotherDevice;
                let ended = sessions::revoke_all(connection, user, Some(spared), because, now)?;
                for id in &ended {
                    events::insert(connection, &event.clone().about(*id))?;
                }
                Ok(ended)
            })
            .await?;
        self.forget(&ended.iter().copied().map(Change::Session).collect::<Vec<_>>());
        Ok(ended.len())
    }

    /// Returns at most `limit` of the user's events, newest first.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn activity(
        &self,
        session: &SessionFacts,
        window: Window,
        limit: i64,
    ) -> Result<Vec<PastEvent>, AuthError> {
        let user = session.user;
        Ok(self.database.read(move |connection| events::of_user(connection, user, window, limit)).await?)
    }
}
