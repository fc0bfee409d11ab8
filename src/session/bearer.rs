//! Clients of the API: one token a request, in its `Authorization` header.

use std::sync::Arc;

use time::OffsetDateTime;

use super::decision_log::DecisionLog;
use super::error::SessionError;
use super::identity::Identity;
use super::sessions::Sessions;
use super::tokens::IssuedTokens;
use crate::crypto::AccessTokenRefusal;
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::session::EndReason;
use crate::domain::token::RefreshToken;
use crate::store::StoreError;

/// Why a bearer token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerRefusal {
    /// It is none of the API's, or none of the kind that was asked for.
    Wrong,
    /// It is one of the API's, and its time is over.
    Expired,
    /// Its session has ended; none where nothing is known of that session any more.
    Ended(Option<EndReason>),
}

impl BearerRefusal {
    fn of(ended: Option<EndReason>) -> Self {
        match ended {
            Some(EndReason::Expired | EndReason::Idle) => Self::Expired,
            reason => Self::Ended(reason),
        }
    }
}

impl Sessions {
    /// Returns the identity of an access token of the API that this process has verified before: the way of nearly every
    /// request.
    ///
    /// It asks no database and waits for nothing. `None` says only that [`Sessions::authenticate_bearer`] must be asked.
    pub fn recognize_bearer(&self, token: &str, now: OffsetDateTime) -> Option<Arc<Identity>> {
        let identity = self.cache.get(token.as_bytes(), Audience::Api, now, self.parts.clock.elapsed())?;
        self.note_use(&identity, now);
        Some(identity)
    }

    /// Decides who brought an access token of the API that arrived at `now`.
    ///
    /// Unlike a page, it is refused once it has expired, since there is no refresh token beside it.
    ///
    /// # Errors
    /// If the database has no answer; then nobody is signed in or out.
    pub async fn authenticate_bearer(
        &self,
        token: &str,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Result<Arc<Identity>, BearerRefusal>, SessionError> {
        let verified = match self.parts.api_access_tokens.verify(token, now) {
            Ok(verified) => verified,
            Err(refusal) => {
                log.note(|| format!("bearer token refused: {refusal}"));
                return Ok(Err(match refusal {
                    // One from the future was issued before the clock was set back: a new one is what helps there, too.
                    AccessTokenRefusal::Time | AccessTokenRefusal::Life => BearerRefusal::Expired,
                    _ => BearerRefusal::Wrong,
                }));
            }
        };
        Ok(self
            .by_access_token(token, verified, false, client, now, log)
            .await?
            .map_err(|ended| BearerRefusal::of(ended.map(|ended| ended.reason))))
    }

    /// Exchanges a refresh token of the API that arrived at `now` for new tokens, by the rules that a refresh cookie
    /// follows: within the window the access token comes alone, and a token that was replaced longer ago ends its session.
    ///
    /// From the decision on, the work runs to its end: a client that hangs up takes nothing back.
    ///
    /// # Errors
    /// If the database has no answer, or this process cannot judge or lacks the key that signs. The token that was presented
    /// goes on working.
    pub async fn refresh_bearer(
        &self,
        token: &str,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Result<IssuedTokens, BearerRefusal>, SessionError> {
        let Some(presented) = self.parts.api_refresh_tokens.read(token) else {
            log.note(|| "bearer token refused: none of the keys signed it as a refresh token".to_owned());
            return Ok(Err(BearerRefusal::Wrong));
        };
        let (sessions, client, mut steps) = (self.clone(), client.clone(), std::mem::take(log));
        let task = tokio::spawn(async move { (sessions.exchange(presented, &client, now, &mut steps).await, steps) });
        let (outcome, steps) = task.await.map_err(|error| StoreError::Query(error.into()))?;
        *log = steps;
        outcome
    }

    /// Decides what a refresh token means and carries it out.
    async fn exchange(
        &self,
        presented: RefreshToken,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Result<IssuedTokens, BearerRefusal>, SessionError> {
        let session = presented.session;
        let found = self.by_refresh_tokens(Audience::Api, vec![presented], None, client, now, log).await?;
        let Some(pending) = found.pending else {
            return Ok(Err(BearerRefusal::of(found.ended.map(|ended| ended.reason))));
        };
        match self.finish(*pending, client).await? {
            Some(tokens) => Ok(Ok(tokens)),
            // It ended while the swap was under way.
            None => Ok(Err(BearerRefusal::of(self.tombstone(session).await?.map(|tombstone| tombstone.reason)))),
        }
    }
}
