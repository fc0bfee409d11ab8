//! Wait for the end of a session.

use std::time::Duration;

use tokio::time::sleep;

use super::sessions::Sessions;
use crate::domain::id::{SessionId, UserId};

/// How often it is computed whether a session is over by time alone, and how long after an outage the database is asked
/// again: whoever waits for the end hears of it within a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Sessions {
    /// Waits until a session is over, whoever ended it and wherever: a revocation by this process is heard of at once, one by
    /// another within a second.
    ///
    /// It costs one read of the database at first and one after each change of the session or its user; none as long as
    /// nothing changes. A database that is away ends nothing.
    pub(crate) async fn ended(self, session: SessionId, user: UserId) {
        let mut changes = self.changes();
        loop {
            let since = self.reading();
            changes.mark_unchanged();
            let found = match self.find(session, self.now()).await {
                Ok(found) => found.filter(|found| found.user.is_active),
                Err(error) => {
                    tracing::debug!(%error, "cannot tell whether a session that is waited for is over");
                    sleep(LOOK_EVERY).await;
                    continue;
                }
            };
            let Some(row) = found.map(|found| found.session) else { return };
            if row.ended(self.lifetimes(), self.now()).is_some() {
                return;
            }
            while !self.may_have_changed(since, session, user) && row.ended(self.lifetimes(), self.now()).is_none() {
                tokio::select! {
                    _ = changes.changed() => {}
                    () = sleep(LOOK_EVERY) => {}
                }
            }
        }
    }
}
