//! Forms that strangers may send, counted by the client address.

use super::error::SessionError;
use super::password_try::Throttled;
use super::sessions::Sessions;
use crate::domain::client::Client;
use crate::domain::throttle::{FORMS_BY_ADDRESS, judge_form};
use crate::store::changes::Change;
use crate::store::throttle;

impl Sessions {
    /// Counts a form of a kind, or returns why it is not looked at; each kind is counted by itself, under its path.
    ///
    /// What comes from nowhere, as in a test harness, is not counted. One that is throttled costs one read.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn count_form(&self, kind: &'static str, client: &Client) -> Result<Option<Throttled>, SessionError> {
        let Some(address) = client.address else { return Ok(None) };
        let now = self.now();
        let sent = self.parts.database.read(move |connection| throttle::forms_sent(connection, kind, address)).await?;
        let throttled = Throttled::of(judge_form(sent, FORMS_BY_ADDRESS, now), now);
        if throttled.is_some() {
            self.counts.throttled.add();
            return Ok(throttled);
        }
        let counted = self.write(move |connection| {
            let verdict = throttle::count_form(connection, kind, address, FORMS_BY_ADDRESS, now)?;
            Ok((verdict, Vec::<Change>::new()))
        });
        let throttled = Throttled::of(counted.await?, now);
        if throttled.is_some() {
            self.counts.throttled.add();
        }
        Ok(throttled)
    }
}
