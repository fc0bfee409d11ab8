//! The end of every sign-in of every user, as whoever runs the site may decide.

use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::session::EndReason;
use crate::store::operator::users_with_sessions_after;
use crate::store::session_locks::lock_all_of;
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, users};

/// Users whose sign-ins end in one transaction: few enough that a request beside it does not wait for long.
const BATCH: i64 = 20;

/// How far the end of all sign-ins has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndAll {
    /// Everybody up to this number is done.
    reached: UserId,
    /// How many sign-ins have ended.
    pub ended: usize,
}

impl EndAll {
    /// Begins with the first user.
    pub fn begin() -> Self {
        Self { reached: UserId(i64::MIN), ended: 0 }
    }

    /// Ends the sign-ins of the next few users, in the transaction of the caller; returns nothing once everybody is done.
    ///
    /// `event` makes the event of each end. A sign-in that begins meanwhile may be missed: its user knew the password.
    ///
    /// # Errors
    /// If the database cannot write; then this step has ended none.
    pub fn step(
        self,
        connection: &mut Connection,
        because: EndReason,
        event: impl Fn(UserId) -> Event,
    ) -> Result<Option<Self>, StoreError> {
        let next = users_with_sessions_after(connection, self.reached, BATCH)?;
        let Some(last) = next.last() else { return Ok(None) };
        let mut done = Self { reached: *last, ended: self.ended };
        for user in &next {
            // As whoever begins a session does first: none begins beside the end of all.
            users::lock_row(connection, *user)?;
        }
        lock_all_of(connection, &next)?;
        for user in next {
            let ended = sessions::end(connection, &Which::All { spared: None }, because, &event(user))?;
            done.ended += ended.len();
        }
        Ok(Some(done))
    }
}
