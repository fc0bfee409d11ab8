//! The end of sessions, by whoever may end them.

use time::OffsetDateTime;

use super::error::SessionError;
use super::identity::Identity;
use super::sessions::Sessions;
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::SessionId;
use crate::domain::session::EndReason;
use crate::store::changes::Change;
use crate::store::session_locks::{Reach, lock_in_order};
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, users};

/// What came of a wish to end a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// It has ended, by this wish or before.
    Ended {
        /// The browser it was begun in, as it named itself.
        user_agent: String,
    },
    /// The user has no such session; somebody else may have.
    NotFound,
}

impl Sessions {
    /// Ends sessions of one user, with an event each, in one transaction, and makes this process forget them.
    ///
    /// # Errors
    /// If the database cannot write; then none has ended.
    pub(super) async fn end(
        &self,
        which: Which,
        because: EndReason,
        event: Event,
    ) -> Result<Vec<SessionId>, SessionError> {
        self.write(move |connection| {
            let ended = sessions::end(connection, &which, because, &event)?;
            let changes = announced(&ended);
            Ok((ended, changes))
        })
        .await
    }

    /// Does something in the name of whoever sent a request, after asking once more, in the same transaction, whether they
    /// may: the body of the request may have taken ten seconds to arrive, and its sender been thrown out meanwhile.
    ///
    /// # Errors
    /// `SignedOut` if the session has ended or the account was deactivated; nothing was done then.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        acting: &Identity,
        act: impl FnOnce(&mut Connection) -> Result<(T, Vec<Change>), StoreError> + Send + 'static,
    ) -> Result<T, SessionError> {
        self.act_under(|_| Ok(()), acting, Reach::Own, act).await
    }

    /// Does the same to other sign-ins as well, whose rows must be locked in one order with that of the session.
    ///
    /// # Errors
    /// As [`Sessions::act`].
    pub(crate) async fn act_on<T: Send + 'static>(
        &self,
        acting: &Identity,
        reach: Reach,
        act: impl FnOnce(&mut Connection) -> Result<(T, Vec<Change>), StoreError> + Send + 'static,
    ) -> Result<T, SessionError> {
        self.act_under(|_| Ok(()), acting, reach, act).await
    }

    /// Does the same under a lock that must be taken before that of the user's row.
    ///
    /// # Errors
    /// As [`Sessions::act`].
    pub(crate) async fn act_under<T: Send + 'static>(
        &self,
        lock: impl FnOnce(&mut Connection) -> Result<(), StoreError> + Send + 'static,
        acting: &Identity,
        reach: Reach,
        act: impl FnOnce(&mut Connection) -> Result<(T, Vec<Change>), StoreError> + Send + 'static,
    ) -> Result<T, SessionError> {
        let (user, session, now) = (acting.user().id, acting.session(), self.now());
        let lifetimes = *self.lifetimes();
        let done = self.write(move |connection| {
            lock(connection)?;
            let active = users::lock_row(connection, user)?.is_some_and(|user| user.is_active);
            let row = lock_in_order(connection, session, reach)?;
            if !active || row.is_none_or(|row| row.user_id != user || row.ended(&lifetimes, now).is_some()) {
                return Ok((None, vec![Change::Session(session)]));
            }
            act(connection).map(|(done, changes)| (Some(done), changes))
        });
        done.await?.ok_or(SessionError::SignedOut)
    }

    /// Asks the database whether the session of a request is still alive and its user active.
    ///
    /// # Errors
    /// `SignedOut` if not.
    pub async fn confirm(&self, acting: &Identity) -> Result<(), SessionError> {
        self.act(acting, |_| Ok(((), Vec::new()))).await
    }

    /// Ends one session of the user who asks; one of another user is not found.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub async fn revoke(
        &self,
        acting: &Identity,
        id: SessionId,
        client: &Client,
    ) -> Result<RevokeOutcome, SessionError> {
        let (user, because) = (acting.user().id, EndReason::RevokedOnAnotherDevice);
        let event = Event::of_end(because, user, client, self.now());
        self.act_on(acting, Reach::One(id), move |connection| {
            let Some(session) = sessions::find(connection, id)?.filter(|session| session.user_id == user) else {
                return Ok((RevokeOutcome::NotFound, Vec::new()));
            };
            let ended = sessions::end(connection, &Which::These(vec![id]), because, &event)?;
            Ok((RevokeOutcome::Ended { user_agent: session.user_agent }, announced(&ended)))
        })
        .await
    }

    /// Ends every session of the user but the one that asks; returns how many.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub async fn revoke_others(&self, acting: &Identity, client: &Client) -> Result<usize, SessionError> {
        let because = EndReason::RevokedOnAnotherDevice;
        let event = Event::of_end(because, acting.user().id, client, self.now());
        let which = Which::All { spared: Some(acting.session()) };
        self.act_on(acting, Reach::AllOf(acting.user().id), move |connection| {
            let ended = sessions::end(connection, &which, because, &event)?;
            Ok((ended.len(), announced(&ended)))
        })
        .await
    }
}

/// Ends what a browser held when a sign-in takes its place in the jar, each with an event for whoever it belongs to: that
/// may be another user, whose cookie came along. Call it in the transaction that records the sign-in.
pub(crate) fn end_replaced(
    connection: &mut Connection,
    replaced: &[SessionId],
    client: &Client,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, StoreError> {
    let because = EndReason::Replaced;
    let (mut replaced, mut ended) = (replaced.to_vec(), Vec::new());
    // As everybody locks them who locks several.
    replaced.sort_unstable_by_key(SessionId::to_string);
    for id in replaced {
        let Some(session) = sessions::find(connection, id)? else { continue };
        let event = Event::of_end(because, session.user_id, client, now);
        ended.extend(sessions::end(connection, &Which::These(vec![id]), because, &event)?);
    }
    Ok(ended)
}

/// Returns what this process must forget once sessions have ended.
pub(crate) fn announced(ended: &[SessionId]) -> Vec<Change> {
    ended.iter().copied().map(Change::Session).collect()
}
