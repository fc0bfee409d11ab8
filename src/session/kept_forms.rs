//! Forms that meet a sign-in that is over, kept until their user has signed in again.

use time::OffsetDateTime;

use super::authenticate::Presented;
use super::counts::Rescue;
use super::decision_log::DecisionLog;
use super::error::SessionError;
use super::sessions::Sessions;
use crate::domain::id::{KeptFormId, SessionId, UserId};
use crate::store::kept_forms::{self, KeptForm, NewKeptForm, Sending};
use crate::store::{sessions, users};

impl Sessions {
    /// Returns the user of a session, whether it lives, is over or was revoked.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn user_of(&self, session: SessionId) -> Result<Option<UserId>, SessionError> {
        let row = self.parts.database.read(move |connection| sessions::find(connection, session)).await?;
        Ok(row.map(|row| row.user_id))
    }

    /// Returns the sessions that the cookies of a request name, as far as their signatures alone can tell.
    pub fn claimed_sessions(&self, presented: &Presented<'_>, now: OffsetDateTime) -> Vec<SessionId> {
        let refresh = self.verified_refresh(presented, &mut DecisionLog::new(false));
        let access = presented.access.iter().filter_map(|text| self.parts.access_tokens.verify(text, now).ok());
        access.map(|token| token.session).chain(refresh.into_iter().map(|token| token.session)).collect()
    }

    /// Keeps a form for its user; returns whether there was room. For somebody who may not sign in, nothing is kept.
    ///
    /// # Errors
    /// If the database cannot write.
    pub async fn keep_form(&self, form: NewKeptForm, now: OffsetDateTime) -> Result<bool, SessionError> {
        let kept = self.write(move |connection| {
            let active = users::lock_row(connection, form.user)?.is_some_and(|user| user.is_active);
            let kept = active && kept_forms::insert(connection, &form, now)?;
            Ok((kept, Vec::new()))
        });
        let kept = kept.await?;
        self.counts.rescued(if kept { Rescue::Kept } else { Rescue::NotKept }, 1);
        Ok(kept)
    }

    /// Returns a form that was kept, whosever it is.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn kept_form(&self, id: KeptFormId) -> Result<Option<KeptForm>, SessionError> {
        Ok(self.parts.database.read(move |connection| kept_forms::find(connection, id)).await?)
    }

    /// Notes that a form that was kept is sent; returns whether it may be, which is once.
    ///
    /// One that nothing is known of any more may: the page that it is sent from holds all of it.
    ///
    /// # Errors
    /// If the database cannot write.
    pub async fn send_kept_form(&self, id: KeptFormId) -> Result<bool, SessionError> {
        let now = self.now();
        let sending = self.write(move |connection| Ok((kept_forms::send(connection, id, now)?, Vec::new())));
        let sending = sending.await?;
        if sending == Sending::First {
            self.counts.rescued(Rescue::Sent, 1);
        }
        Ok(sending != Sending::Again)
    }
}
