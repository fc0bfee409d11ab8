//! The end of sessions at the wish of an application's own code.

use super::end::announced;
use super::error::SessionError;
use super::sessions::Sessions;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::EndReason;
use crate::store::sessions::{self, Which};
use crate::store::users;

/// Why they end: to their users, the application is whoever runs the site.
const BECAUSE: EndReason = EndReason::RevokedByOperator;

impl Sessions {
    /// Ends a session, whoever it is of; `false` where it had ended before, or there is none.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub(crate) async fn end_by_application(&self, id: SessionId) -> Result<bool, SessionError> {
        let sessions = self.clone();
        let ended = self.write(move |connection| {
            let Some(session) = sessions::find(connection, id)? else { return Ok((Vec::new(), Vec::new())) };
            users::lock_row(connection, session.user_id)?;
            let event = sessions.event(session.user_id);
            let ended = sessions::end(connection, &Which::These(vec![id]), BECAUSE, &event)?;
            let changes = announced(&ended);
            Ok((ended, changes))
        });
        Ok(!ended.await?.is_empty())
    }

    /// Ends every session of a user; returns how many.
    ///
    /// # Errors
    /// If the database cannot write; nothing has ended then.
    pub(crate) async fn end_all_by_application(&self, user: UserId) -> Result<usize, SessionError> {
        let event = self.event(user);
        let ended = self.write(move |connection| {
            users::lock_row(connection, user)?;
            let ended = sessions::end(connection, &Which::All { spared: None }, BECAUSE, &event)?;
            let changes = announced(&ended);
            Ok((ended, changes))
        });
        Ok(ended.await?.len())
    }

    fn event(&self, user: UserId) -> Event {
        Event::of_application(EventType::SessionRevoked, Some(user), self.now()).because(BECAUSE.as_str())
    }
}
