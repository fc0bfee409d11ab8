//! On the way out: rotate, right before the answer's headers go.

use time::OffsetDateTime;

use super::resume::Continuation;
use super::{Auth, AuthError, IssuedTokens};
use crate::crypto::random_bytes;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::rotation::{Decision, decide};
use crate::domain::token::{RefreshSecret, RefreshToken};
use crate::store::events;
use crate::store::sessions::{self, Swap};

/// Swaps tried at most; each one lost means that another request won, so a second loss is rare and a third is not seen.
const TRIES: usize = 8;

impl Auth {
    /// Renews what a continued request holds, and returns the cookies for its answer.
    ///
    /// `None` where there is nothing to give: the sign-in ended meanwhile, and a sign-out is not undone by a page that
    /// was under way.
    ///
    /// # Errors
    /// If the database has no answer. The reader loses nothing: the answer goes out without cookies, and the presented
    /// token goes on working.
    pub async fn settle(&self, continued: Continuation, client: &Client) -> Result<Option<IssuedTokens>, AuthError> {
        let Continuation { presented, mut session, mut decision, arrived, grant, tick, away } = continued;
        let noteworthy = session.generation == 0 || away >= self.lifetimes.access;
        // What no page has told goes with the new token, for the page that this one leads to.
        let untold = grant.untold();
        for _ in 0..TRIES {
            let (generation, previous) = match decision {
                Decision::Rotate => (session.generation + 1, Some(session.token_hash)),
                Decision::Reissue => (session.generation, session.previous_hash),
                Decision::Overlap => {
                    return self.tokens(&session, &grant.user, None, untold, tick, self.clock.now()).map(Some);
                }
                Decision::Unknown | Decision::Ended(_) | Decision::Replayed => return Ok(None),
            };
            let now = self.clock.now();
            let secret = RefreshSecret::from_bytes(random_bytes()?);
            let swap = Swap {
                generation,
                token_hash: secret.hash(),
                previous_hash: previous,
                at: now,
                address: client.address_text(),
            };
            let event = noteworthy
                .then(|| Event::new(EventType::AutoSignedIn, Some(session.user_id), client, now).about(session.id));
            let row = session.clone();
            let swapped = self
                .database
                .write(move |connection| {
                    let swapped = sessions::swap(connection, &row, &swap)?;
                    if let (true, Some(event)) = (swapped, event) {
                        events::insert(connection, &event)?;
                    }
                    Ok(swapped)
                })
                .await?;
            if swapped {
                let refresh = RefreshToken { session: session.id, generation, secret };
                return self.tokens(&session, &grant.user, Some(&refresh), untold, tick, now).map(Some);
            }
            let id = session.id;
            let found = self.database.read(move |connection| sessions::find(connection, id)).await?;
            decision = self.decide_after_loss(found.as_ref(), &presented, arrived);
            match found {
                Some(found) => session = found,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Decides again, with the row that another request left, as of the arrival of this one.
    ///
    /// Whoever moved the row did so while this request was under way: that is a parallel request, however long this
    /// one took. A reissue here would kill the branch that the winner has just delivered to the same jar.
    fn decide_after_loss(
        &self,
        found: Option<&crate::domain::session::Session>,
        presented: &RefreshToken,
        arrived: OffsetDateTime,
    ) -> Decision {
        match decide(found, presented, &self.lifetimes, arrived) {
            Decision::Reissue => Decision::Overlap,
            decision => decision,
        }
    }
}
