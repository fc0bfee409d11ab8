//! On the way out: renew what a request holds, right before its answer's headers go.

use super::error::SessionError;
use super::pending::Pending;
use super::sessions::Sessions;
use super::tokens::IssuedTokens;
use crate::crypto::random_bytes;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::rotation::{Effect, NOTED_LOSSES, decide};
use crate::domain::session::Session;
use crate::domain::token::{RefreshSecret, RefreshToken};
use crate::store::sessions;

/// Swaps tried at most; each one lost means that another request won, so a second loss is rare and a third is not seen.
const TRIES: usize = 8;

impl Sessions {
    /// Renews what a request holds that its refresh token signed in, and returns the cookies for its answer.
    ///
    /// `None` where there is nothing to give: the session ended meanwhile, and a sign-out is not undone by a page that was
    /// under way.
    ///
    /// # Errors
    /// If the database has no answer, or this process lacks the key that signs. The reader loses nothing: the answer goes
    /// out without cookies, and the presented token goes on working.
    pub async fn finish(&self, pending: Pending, client: &Client) -> Result<Option<IssuedTokens>, SessionError> {
        // A renewal that could not be signed would be committed and never delivered.
        self.parts.node.keys().require()?;
        let Pending { presented, mut session, mut transition, circumstances, identity, last_seen_at } = pending;
        // The page may have taken a minute: the window of this rotation begins when its answer goes.
        let now = self.now();
        let away = circumstances.now - last_seen_at;
        let noteworthy =
            session.generation == 0 || away >= self.lifetimes().access || transition.losses >= NOTED_LOSSES;
        for _ in 0..TRIES {
            let secret = RefreshSecret::from_bytes(random_bytes()?);
            let swapped = match transition.row(&session, secret.hash(), now) {
                _ if !transition.decision.opens() => return Ok(None),
                None if self.cache.is_up_to_date(&identity, self.parts.clock.elapsed()) => {
                    let access = self.access_token(identity.audience(), &session, now);
                    return self.issue(identity.renewed(&session, access), &session, None).map(Some);
                }
                // Something changed while the page was made, or so long ago that it may have been forgotten.
                None => None,
                Some(row) => {
                    let after = Session { address: client.address_text(), ..row };
                    let losses = transition.losses;
                    let event = noteworthy.then(|| {
                        let event = Event::new(EventType::AutoSignedIn, Some(session.user_id), client, now);
                        let event = event.about(session.id);
                        if losses >= NOTED_LOSSES { event.because("renewals_lost") } else { event }
                    });
                    let (before, next) = (session.clone(), after.clone());
                    let swap = move |connection: &mut _| sessions::swap(connection, &before, &next, event.as_ref());
                    self.parts.database.write_statement(swap).await?.then_some(after)
                }
            };
            if let Some(after) = swapped {
                let refresh = RefreshToken { session: after.id, generation: after.generation, secret };
                let access = self.access_token(identity.audience(), &after, now);
                return self.issue(identity.renewed(&after, access), &after, Some(&refresh)).map(Some);
            }
            let (id, read) = (session.id, self.reading());
            let found = self.parts.database.read(move |connection| Self::find_with_theft(connection, id, now)).await?;
            let Some((found, user, theft)) = found.filter(|(_, user, _)| user.is_active) else { return Ok(None) };
            transition = decide(Some(&found), &presented, &circumstances).after_lost_swap();
            session = found;
            if transition.decision.opens() && transition.effect == Effect::Stays {
                // Read just now: what changed meanwhile is in it.
                let access = self.access_token(identity.audience(), &session, now);
                let identity = identity.reread(&session, user, theft, access, read);
                return self.issue(identity, &session, None).map(Some);
            }
        }
        Ok(None)
    }
}
