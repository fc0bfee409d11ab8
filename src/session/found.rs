//! What the database says of one session.

use time::OffsetDateTime;

use super::error::SessionError;
use super::identity::Reading;
use super::sessions::Sessions;
use crate::domain::event::Theft;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::domain::user::User;

/// A row with its user, and what they are to be warned of.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) session: Session,
    pub(super) user: User,
    pub(super) theft: Option<Theft>,
    pub(super) read: Reading,
}

impl Sessions {
    /// Reads a session, with its user and what was noted of it here.
    pub(super) async fn find(&self, id: SessionId, now: OffsetDateTime) -> Result<Option<Found>, SessionError> {
        let read = self.reading();
        let found = self.parts.database.read(move |connection| Self::find_with_theft(connection, id, now)).await?;
        Ok(found.map(|(mut session, user, theft)| {
            if let Some(seen) = self.last_seen.get(id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
            Found { session, user, theft, read }
        }))
    }
}
