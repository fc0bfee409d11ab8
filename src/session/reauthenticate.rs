//! Enter the password again, within a session that goes on.
//!
//! Some acts want to know that it is still the owner who sits there: NIST SP 800-63B section 7.2 and the OWASP Session
//! Management Cheat Sheet ("Require Re-authentication for Sensitive Features") ask for it. The session stays the same row;
//! what changes is when its password was last entered, and the tokens that say so.

use std::sync::Arc;

use time::OffsetDateTime;

use super::authenticate::Presented;
use super::error::SessionError;
use super::identity::Identity;
use super::password_try::{PasswordOutcome, ProvenPassword, Throttled};
use super::pending::Pending;
use super::sessions::Sessions;
use super::tokens::IssuedTokens;
use crate::domain::client::Client;
use crate::domain::id::{DeviceId, SessionId};
use crate::domain::password::Password;
use crate::domain::rotation::decide;
use crate::domain::session::Session;
use crate::domain::token::RefreshToken;
use crate::store::{Connection, StoreError, sessions, users};

/// What came of a password that was entered again.
#[derive(Debug)]
pub enum ReauthenticationOutcome {
    /// It was right; here are the tokens that say so.
    Done(IssuedTokens),
    /// It was wrong.
    Refused,
    /// Too many tries were wrong, and this one was not looked at.
    Throttled(Throttled),
}

/// Who acts, with everything that their request brought.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// Who they are, and by which session.
    pub identity: &'a Arc<Identity>,
    /// Their cookies.
    pub presented: &'a Presented<'a>,
    /// The device that they are at.
    pub device: DeviceId,
    /// Where they are.
    pub client: &'a Client,
    /// When their request arrived.
    pub arrived: OffsetDateTime,
}

impl Sessions {
    /// Looks at the password of whoever is signed in, counted as a sign-in is, and notes in their session that it was
    /// entered just now.
    ///
    /// # Errors
    /// If the database or the password pool has no answer; `SignedOut` if the session has ended meanwhile.
    pub async fn reauthenticate(
        &self,
        acting: Acting<'_>,
        password: Password,
    ) -> Result<ReauthenticationOutcome, SessionError> {
        let proven = match self.prove_password(acting, password).await? {
            PasswordOutcome::Right(proven) => proven,
            PasswordOutcome::Refused => return Ok(ReauthenticationOutcome::Refused),
            PasswordOutcome::Throttled(throttled) => return Ok(ReauthenticationOutcome::Throttled(throttled)),
        };
        let (id, now, entered) = (acting.identity.session(), self.now(), ProvenPassword::clone(&proven));
        let noted = self.act(acting.identity, move |connection| {
            let session = if entered.still_holds(connection)? {
                note_password_entered(connection, &entered, id, now)?
            } else {
                None
            };
            Ok((session, Vec::new()))
        });
        match noted.await? {
            Some(session) => {
                let registration = self.registration(&session)?;
                let tokens = self.tokens_after_password(acting, session).await?;
                Ok(ReauthenticationOutcome::Done(IssuedTokens { registration, ..tokens }))
            }
            None => {
                self.refuse_outdated(&proven, acting.client).await?;
                Ok(ReauthenticationOutcome::Refused)
            }
        }
    }

    /// Looks at the password of whoever is signed in, under the limits of a sign-in.
    ///
    /// # Errors
    /// If the database or the password pool has no answer.
    pub(crate) async fn prove_password(
        &self,
        acting: Acting<'_>,
        password: Password,
    ) -> Result<PasswordOutcome, SessionError> {
        let user = acting.identity.user();
        let outcome = self.try_password(user.email.parse().ok(), password, Some(acting.device), acting.client).await?;
        match outcome {
            // The address went to another account within the last second.
            PasswordOutcome::Right(proven) if proven.user.id != user.id => {
                self.refuse_outdated(&proven, acting.client).await?;
                Ok(PasswordOutcome::Refused)
            }
            outcome => Ok(outcome),
        }
    }

    /// Issues the tokens of a session whose password was entered just now; `session` is its row since then.
    ///
    /// The refresh token rotates by the rules of every rotation ([`decide`]), and so never twice within the window: a second
    /// tab, or a second click on the button, finds its own token still good. Whatever the token means otherwise, nothing is
    /// ended here; who sent the request has just proved that they are the owner.
    ///
    /// # Errors
    /// If the database has no answer, or this process lacks the key that signs: the session goes on as it was.
    pub(crate) async fn tokens_after_password(
        &self,
        acting: Acting<'_>,
        session: Session,
    ) -> Result<IssuedTokens, SessionError> {
        let Acting { identity, presented, client, arrived, .. } = acting;
        let circumstances = self.circumstances(arrived);
        let own = self.own_refresh_tokens(presented, &session).into_iter();
        let decided = own.map(|token| (decide(Some(&session), &token, &circumstances), token));
        let best = decided.max_by_key(|(transition, _)| transition.decision.rank());
        if let Some((transition, token)) = best.filter(|(transition, _)| transition.decision.opens()) {
            let identity = Arc::clone(identity);
            let (last_seen_at, session) = (session.last_seen_at, session.clone());
            let pending = Pending { presented: token, session, transition, circumstances, identity, last_seen_at };
            if let Some(tokens) = self.finish(pending, client).await? {
                return Ok(tokens);
            }
        }
        let access = self.access_token(identity.audience(), &session, self.now());
        self.issue(identity.renewed(&session, access), &session, None)
    }

    /// Returns the refresh tokens of one session that a request brought.
    fn own_refresh_tokens(&self, presented: &Presented<'_>, session: &Session) -> Vec<RefreshToken> {
        self.refresh_tokens(presented).into_iter().filter(|token| token.session == session.id).collect()
    }
}

impl ProvenPassword {
    /// Tells whether the password is still that of the account; call it in the transaction of what it was asked for.
    ///
    /// # Errors
    /// If the database has no answer.
    pub(crate) fn still_holds(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let row = users::lock_row(connection, self.user.id)?;
        Ok(row.is_some_and(|row| row.is_active && row.password_hash == self.hash))
    }
}

/// Notes that the password was entered within a session, and that whoever did so is no stranger; returns the row of the
/// session since then.
///
/// # Errors
/// If the database cannot write.
pub(crate) fn note_password_entered(
    connection: &mut Connection,
    proven: &ProvenPassword,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<Option<Session>, StoreError> {
    sessions::password_entered(connection, session, now)?;
    proven.succeeded(connection, now)?;
    sessions::find(connection, session)
}
