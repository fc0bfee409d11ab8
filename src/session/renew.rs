//! Renew by a proof of the device that a sign-in is bound to.

use time::OffsetDateTime;

use super::authenticate::Presented;
use super::device_binding::DeviceSession;
use super::error::SessionError;
use super::found::Found;
use super::identity::Identity;
use super::refresh::away_from;
use super::sessions::Sessions;
use super::unproven::TryName;
use crate::crypto::{Challenge, UnverifiedProof, random_bytes};
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::SessionId;
use crate::domain::rotation::{Decision, Proof, Transition, decide_proof};
use crate::domain::session::{EndReason, Session};
use crate::domain::token::{RefreshSecret, RefreshToken};
use crate::store::changes::Change;
use crate::store::sessions;

/// Sessions of other refresh cookies of a request that are looked at: a jar holds one.
const OTHER_SESSIONS: usize = 4;

/// Swaps tried at most; each one lost means that another proof won.
const TRIES: usize = 8;

/// What came of a request to renew.
#[derive(Debug)]
pub enum RenewOutcome {
    /// The session goes on, with these cookies.
    Renewed(Box<DeviceSession>),
    /// A proof is wanted, over this challenge.
    Challenged {
        /// The session.
        id: SessionId,
        /// What its device is to sign.
        challenge: String,
    },
    /// The device has proved itself, and there is nothing more to renew.
    Over,
    /// Nobody can say anything about it at this moment, or there is no such session to renew by a proof.
    Unavailable,
}

impl Sessions {
    /// Renews a session by a proof, or asks for one.
    ///
    /// # Errors
    /// If the database has no answer, or this process lacks the key that signs; nothing has changed then, and the same
    /// proof is good once more.
    pub async fn renew_by_proof(
        &self,
        id: SessionId,
        proof: Option<&str>,
        presented: &Presented<'_>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<RenewOutcome, SessionError> {
        self.parts.node.keys().require()?;
        if !self.binds() || !self.renewals.allows((id, client.address), self.parts.clock.elapsed()) {
            return Ok(RenewOutcome::Unavailable);
        }
        let Some(found) = self.find(id, now).await? else { return Ok(RenewOutcome::Unavailable) };
        let session = &found.session;
        let over = session.ended(self.lifetimes(), now);
        // That a session has expired is computed, and the clock may be wrong.
        if session.proving_key().is_none() || matches!(over, Some(EndReason::Expired | EndReason::Idle)) {
            return Ok(RenewOutcome::Unavailable);
        }
        let Some(generation) = proof.and_then(|proof| self.proved_generation(proof, session)) else {
            if proof.is_some() {
                self.counts.proved(None);
            }
            return Ok(RenewOutcome::Challenged { id, challenge: self.renewal_challenge(session)? });
        };
        if over.is_some() {
            return Ok(RenewOutcome::Over);
        }
        if !found.user.is_active {
            self.end_deactivated(session, client, now).await?;
            return Ok(RenewOutcome::Over);
        }
        let (tokens, others): (Vec<_>, Vec<_>) =
            self.refresh_tokens(presented).into_iter().partition(|token| token.session == id);
        let closed = !session.kept && tokens.is_empty();
        if closed || tokens.is_empty() && self.is_newer_live(session, others, now).await? {
            return Ok(RenewOutcome::Over);
        }
        // From here on, the work runs to its end: a client that hangs up takes nothing back.
        let (sessions, client, browser) = (self.clone(), client.clone(), presented.browser.clone());
        let task =
            tokio::spawn(
                async move { sessions.carry_out_proof(found, generation, tokens, &client, browser, now).await },
            );
        task.await.map_err(|error| crate::store::StoreError::Query(error.into()))?
    }

    /// Returns the generation whose challenge a proof is over, if it is the current or the one before, and the device of
    /// the session signed it.
    ///
    /// The challenge comes first: it costs a hash, and most of what proves nothing has another.
    fn proved_generation(&self, proof: &str, session: &Session) -> Option<i64> {
        let (proofs, key) = (&self.parts.device_proofs, session.proving_key()?);
        let proof = UnverifiedProof::read(proof).ok()?;
        let generations = [session.generation, session.generation.checked_sub(1)?];
        let generation = generations.into_iter().find(|generation| {
            proofs.answers(&proof, Challenge::Renewal { session: session.id, generation: *generation })
        })?;
        match proofs.verify(&proof, key) {
            Ok(()) => Some(generation),
            Err(error) => {
                tracing::info!(session = %session.id, %error, "a proof was refused");
                None
            }
        }
    }

    /// Tells whether one of these refresh tokens is of a live session that began later: the browser has signed in again,
    /// and the cookies of this session must not take the place of those.
    async fn is_newer_live(
        &self,
        session: &Session,
        others: Vec<RefreshToken>,
        now: OffsetDateTime,
    ) -> Result<bool, SessionError> {
        for token in others.into_iter().take(OTHER_SESSIONS) {
            if let Some(other) = self.find(token.session, now).await? {
                let live = other.session.ended(self.lifetimes(), now).is_none() && other.user.is_active;
                if live && other.session.created_at > session.created_at {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Does what a proof that was verified leads to.
    async fn carry_out_proof(
        &self,
        mut found: Found,
        generation: i64,
        tokens: Vec<RefreshToken>,
        client: &Client,
        browser: Option<TryName>,
        now: OffsetDateTime,
    ) -> Result<RenewOutcome, SessionError> {
        let circumstances = self.circumstances(now);
        let proof = Proof { generation, tokens: &tokens };
        if let Some(browser) = browser {
            let id = found.session.id;
            self.write(move |connection| Ok((Self::absolve(connection, id, &browser)?, Vec::<Change>::new()))).await?;
        }
        for _ in 0..TRIES {
            let session = &found.session;
            let transition = decide_proof(Some(session), &proof, &circumstances);
            if !transition.decision.opens() {
                self.counts.proved(Some(transition.decision));
            }
            match transition.decision {
                Decision::Ended(EndReason::Expired | EndReason::Idle | EndReason::LeftAlone) | Decision::Unknown => {
                    return Ok(RenewOutcome::Unavailable);
                }
                Decision::Ended(_) => return Ok(RenewOutcome::Over),
                decision if !decision.opens() => {
                    let challenge = self.renewal_challenge(session)?;
                    return Ok(RenewOutcome::Challenged { id: session.id, challenge });
                }
                _ => {}
            }
            let secret = RefreshSecret::from_bytes(random_bytes()?);
            let Some(row) = transition.row(session, secret.hash(), now) else {
                self.counts.proved(Some(transition.decision));
                return self.proved(found, None, None, now);
            };
            let after = Session { address: client.address_text(), ..row };
            if self.swap_proved(session, &after, transition, client, now).await? {
                self.counts.proved(Some(transition.decision));
                let rotated = transition.decision == Decision::Rotate;
                let refresh =
                    rotated.then_some(RefreshToken { session: after.id, generation: after.generation, secret });
                let away = away_from(&found.session, now).filter(|_| rotated);
                return self.proved(Found { session: after, ..found }, refresh, away, now);
            }
            let Some(again) = self.find(session.id, now).await? else { return Ok(RenewOutcome::Unavailable) };
            found = again;
        }
        Ok(RenewOutcome::Unavailable)
    }

    /// Puts the row in place that a proof leads to, with its event; `false` if another request was faster.
    async fn swap_proved(
        &self,
        before: &Session,
        after: &Session,
        transition: Transition,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, SessionError> {
        let away = now - before.last_seen_at;
        let noteworthy = before.generation == 0 || away >= self.lifetimes().access;
        let event = (noteworthy && transition.decision == Decision::Rotate)
            .then(|| Event::new(EventType::AutoSignedIn, Some(before.user_id), client, now).about(before.id));
        let (before, after) = (before.clone(), after.clone());
        let swap = move |connection: &mut _| sessions::swap(connection, &before, &after, event.as_ref());
        Ok(self.parts.database.write_statement(swap).await?)
    }

    /// Issues the cookies of a session whose device has proved itself.
    fn proved(
        &self,
        found: Found,
        refresh: Option<RefreshToken>,
        away: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<RenewOutcome, SessionError> {
        let Found { session, user, theft, read } = found;
        let challenge = self.renewal_challenge(&session)?;
        let access = self.access_token(Audience::Pages, &session, now);
        let identity = Identity::new(user, &session, access, theft, away, read);
        if refresh.is_none() {
            self.note_use(&identity, now);
        }
        let tokens = self.issue(identity, &session, refresh.as_ref())?;
        Ok(RenewOutcome::Renewed(Box::new(DeviceSession { id: session.id, challenge, tokens: Some(tokens) })))
    }
}
