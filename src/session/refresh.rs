//! What the refresh tokens of a request mean, all of them together.

use std::sync::Arc;

use time::OffsetDateTime;

use super::authenticate::Authenticated;
use super::decision_log::DecisionLog;
use super::ended::Ended;
use super::error::SessionError;
use super::found::Found;
use super::identity::Identity;
use super::pending::Pending;
use super::sessions::Sessions;
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::SessionId;
use crate::domain::rotation::{Decision, Effect, Transition, decide};
use crate::domain::session::{EndReason, Session, end_of_minute};
use crate::domain::token::RefreshToken;
use crate::store::sessions::Which;

/// Sessions that the refresh cookies of one request may name, besides that of its access token: a jar holds one, and a
/// stranger who plants more must not make each request cost more.
const OTHER_SESSIONS: usize = 4;

/// How long somebody must have been away to be welcomed back.
const WELCOME_AFTER: time::Duration = time::Duration::minutes(30);

/// Times that the end of a session is tried while others move its row.
const END_TRIES: usize = 8;

/// The tokens of one session that a request brought, and what the best of them means.
struct Candidate {
    found: Option<Found>,
    presented: RefreshToken,
    transition: Transition,
}

impl Sessions {
    /// Asks the refresh tokens: the best decision on a session counts, and nothing is ended while any of them opens.
    pub(super) async fn by_refresh_tokens(
        &self,
        audience: Audience,
        tokens: Vec<RefreshToken>,
        ended: Option<Ended>,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Authenticated, SessionError> {
        let mut sessions: Vec<SessionId> = Vec::new();
        for token in &tokens {
            if !sessions.contains(&token.session) && sessions.len() <= OTHER_SESSIONS {
                sessions.push(token.session);
            }
        }
        let (mut over, mut harmful) = (ended, Vec::new());
        let (mut unsure, mut unproven) = (false, None);
        for id in sessions {
            if let Some(ended) = self.cache.ended(id, self.parts.clock.elapsed()) {
                log.note(|| format!("refresh token of session {id}: ended, {}", ended.reason.as_str()));
                self.counts.decided(Decision::Ended(ended.reason));
                over.get_or_insert(ended);
                continue;
            }
            let own: Vec<_> = tokens.iter().filter(|token| token.session == id).cloned().collect();
            let Some(candidate) = self.candidate(id, own, now, log).await? else { continue };
            let decision = candidate.transition.decision;
            match (candidate.found, candidate.transition.effect) {
                (Some(found), _) if decision.opens() && !found.user.is_active => {
                    over.get_or_insert(self.end_deactivated(&found.session, client, now).await?);
                }
                (Some(found), _) if decision.opens() => {
                    let others = tokens.into_iter().filter(|token| token.session != id).collect();
                    let Candidate { presented, transition, .. } = candidate;
                    return Ok(self.opened(audience, found, presented, transition, others, now));
                }
                (Some(found), _) if decision == Decision::NotProven => {
                    unproven.get_or_insert(found);
                }
                (Some(found), Effect::Ends(_)) => harmful.push((found, candidate.presented)),
                (Some(found), _) => match decision {
                    Decision::Ended(reason) => {
                        over.get_or_insert(self.note_ended(&found.session, reason, now));
                    }
                    _ => unsure = true,
                },
                (None, _) => {}
            }
        }
        for (found, presented) in harmful {
            if let Some(ended) = self.end_harmful(found, &presented, client, now).await? {
                over.get_or_insert(ended);
            }
        }
        if unsure {
            return Err(SessionError::Unsure);
        }
        Ok(Authenticated { ended: over, others: tokens, closed: unproven.map(Box::new), ..Authenticated::default() })
    }

    /// Reads a session and decides about each of its tokens; the best decision counts.
    async fn candidate(
        &self,
        id: SessionId,
        tokens: Vec<RefreshToken>,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Option<Candidate>, SessionError> {
        let found = self.find(id, now).await?;
        let circumstances = self.circumstances(now);
        let session = found.as_ref().map(|found| &found.session);
        let decided = tokens.into_iter().map(|token| (decide(session, &token, &circumstances), token));
        let best = decided.max_by_key(|(transition, _)| transition.decision.rank());
        Ok(best.map(|(transition, presented)| {
            self.counts.decided(transition.decision);
            let (generation, decision) = (presented.generation, transition.decision);
            log.note(|| format!("refresh token of session {id}, generation {generation}: {decision:?}"));
            Candidate { found, presented, transition }
        }))
    }

    /// Signs a request in by its refresh token.
    fn opened(
        &self,
        audience: Audience,
        found: Found,
        presented: RefreshToken,
        transition: Transition,
        others: Vec<RefreshToken>,
        now: OffsetDateTime,
    ) -> Authenticated {
        let Found { session, user, theft, read } = found;
        let access = self.access_token(audience, &session, now);
        let (last_seen_at, away_from) = (last_use(&session), away_from(&session, now));
        let identity = Arc::new(Identity::new(user, &session, access, theft, away_from, read));
        if transition.effect == Effect::Stays {
            // A rotation writes its use down; this one would go unnoticed, for as long as the window is.
            self.note_use(&identity, now);
        }
        let circumstances = self.circumstances(now);
        let kept = Arc::clone(&identity);
        let pending = Pending { presented, session, transition, circumstances, identity: kept, last_seen_at };
        Authenticated { identity: Some(identity), pending: Some(Box::new(pending)), others, ..Authenticated::default() }
    }

    /// Ends a session that its tokens show to be in the wrong hands, or from another time; nothing where the row has moved
    /// so that they do not any more.
    async fn end_harmful(
        &self,
        mut found: Found,
        presented: &RefreshToken,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Option<Ended>, SessionError> {
        for _ in 0..END_TRIES {
            let session = &found.session;
            let transition = decide(Some(session), presented, &self.circumstances(now));
            let reason = match (transition.decision, transition.effect) {
                (_, Effect::Ends(reason)) => reason,
                (Decision::Ended(reason), _) => return Ok(Some(self.note_ended(session, reason, now))),
                // A rotation that was under way has made the token a predecessor: the browser's next try shows it.
                _ => return Err(SessionError::Unsure),
            };
            let id = session.id;
            if self.end_unmoved(&found, reason, client, now).await? {
                return Ok(Some(Ended { session: id, reason, at: now }));
            }
            match self.find(id, now).await? {
                Some(again) => found = again,
                None => return Ok(None),
            }
        }
        Err(SessionError::Unsure)
    }

    /// Ends a live session of a user who may not sign in any more, so that its row can say why.
    pub(super) async fn end_deactivated(
        &self,
        session: &Session,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Ended, SessionError> {
        let reason = EndReason::Deactivated;
        let event = Event::of_end(reason, session.user_id, client, now);
        self.end(Which::These(vec![session.id]), reason, event).await?;
        Ok(Ended { session: session.id, reason, at: now })
    }

    /// Returns what is left of a session that ended. One that was revoked is remembered for a while, so that a browser that
    /// goes on presenting it does not cost a database call each time.
    pub(super) fn note_ended(&self, session: &Session, reason: EndReason, now: OffsetDateTime) -> Ended {
        let ended = Ended { session: session.id, reason, at: session.end(self.lifetimes(), now) };
        if session.revoked.is_some() {
            self.cache.remember_ended(ended, self.parts.clock.elapsed());
        }
        ended
    }
}

/// Returns when whoever comes back after a pause was last here.
pub(super) fn away_from(session: &Session, now: OffsetDateTime) -> Option<OffsetDateTime> {
    (now - last_use(session) >= WELCOME_AFTER).then_some(session.last_seen_at)
}

/// Returns when a session was last used, to the second where that was its last rotation.
fn last_use(session: &Session) -> OffsetDateTime {
    if session.last_seen_at == end_of_minute(session.rotated_at) { session.rotated_at } else { session.last_seen_at }
}
