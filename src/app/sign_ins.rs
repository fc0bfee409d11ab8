//! The sessions of users, as the code of an application sees and ends them.

use time::OffsetDateTime;

use super::accounts::AccountError;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::session::Sessions;

/// The live sessions of users, for the code of an application:
/// [`Application::sessions`](crate::Application::sessions).
///
/// ```
/// # async fn example(perennial: &perennial::Application, user: perennial::UserId) -> Result<(), perennial::AccountError> {
/// let sessions = perennial.sessions();
/// for session in sessions.of_user(user).await? {
///     println!("{} since {}", session.user_agent, session.created_at);
/// }
/// sessions.end_all(user).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct UserSessions(Sessions);

/// A session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its identifier; knowing it opens nothing.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When the password was entered last.
    pub authenticated_at: OffsetDateTime,
    /// When it was used last, to the minute.
    pub last_seen_at: OffsetDateTime,
    /// When it ends for good.
    pub expires_at: OffsetDateTime,
    /// Whether it outlives the browser session.
    pub kept: bool,
    /// The browser that it was begun in, as it named itself.
    pub user_agent: String,
    /// The address that it was begun from; empty where there is none.
    pub address: String,
}

impl From<Session> for SessionInfo {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            user: session.user_id,
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            kept: session.kept,
            user_agent: session.user_agent,
            address: session.address,
        }
    }
}

impl UserSessions {
    pub(super) fn new(sessions: Sessions) -> Self {
        Self(sessions)
    }

    /// Returns the sessions of a user that are alive, the last used first; none for a user who is not there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<SessionInfo>, AccountError> {
        let found = self.0.live_sessions(user, self.0.now()).await?;
        Ok(found.into_iter().map(SessionInfo::from).collect())
    }

    /// Ends a session, as whoever runs the site does; `false` where it had ended before, or never was.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn end(&self, session: SessionId) -> Result<bool, AccountError> {
        Ok(self.0.end_by_application(session).await?)
    }

    /// Ends every session of a user; returns how many there were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn end_all(&self, user: UserId) -> Result<usize, AccountError> {
        Ok(self.0.end_all_by_application(user).await?)
    }
}
