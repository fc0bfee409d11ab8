//! Which sessions are an administrator's, also once they are over.

use super::error::SessionError;
use super::sessions::Sessions;
use crate::domain::id::SessionId;
use crate::domain::user::Role;
use crate::store::sessions;

impl Sessions {
    /// Tells whether a session, over or not, belongs to an administrator who may sign in again.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn is_administrators(&self, session: SessionId) -> Result<bool, SessionError> {
        let found = self.parts.database.read(move |connection| sessions::find_with_user(connection, session)).await?;
        Ok(found.is_some_and(|(_, user, _)| user.is_active && user.role == Role::ADMIN))
    }
}
