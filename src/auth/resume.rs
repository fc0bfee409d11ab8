//! On the way in: who is this request?

use std::sync::Arc;

use time::OffsetDateTime;

use super::devices::THEFT_WARNING;
use super::remembered::{Grant, News};
use super::{Auth, AuthError, Trail};
use crate::crypto::SignedValues;
use crate::domain::access::AccessToken;
use crate::domain::client::Client;
use crate::domain::event::{Event, Theft};
use crate::domain::id::SessionId;
use crate::domain::rotation::{Decision, decide};
use crate::domain::session::{EndReason, Session};
use crate::domain::token::RefreshToken;
use crate::domain::user::User;
use crate::store::changes::Change;
use crate::store::{Connection, StoreError, events, sessions, users};

/// What a request brought: every cookie of exactly the right name, in the order of the header.
///
/// All of them, because a cookie that somebody else planted beside a good one must not hide it.
#[derive(Debug, Default)]
pub struct Presented<'a> {
    /// Values of the access-token cookie.
    pub access: Vec<&'a str>,
    /// Values of the refresh cookie.
    pub refresh: Vec<&'a str>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Resumed {
    /// It brought nothing.
    Anonymous,
    /// It is signed in by its access token: nothing is to be done.
    Current(Arc<Grant>),
    /// It is signed in by its refresh token: on the way out, [`Auth::settle`] renews what it holds.
    Continued(Box<Continuation>),
    /// What it brought opens nothing any more; its cookies are to be cleared.
    Ended(Ended),
}

/// A sign-in that is over, as far as a request could show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The sign-in, if the request proved that it held one; its tombstone says why.
    pub session: Option<SessionId>,
    /// Why it ended; nothing where the row is gone or was never there.
    pub reason: Option<EndReason>,
}

/// What the way in leaves for the way out.
#[derive(Debug)]
pub struct Continuation {
    pub(super) presented: RefreshToken,
    pub(super) session: Session,
    pub(super) decision: Decision,
    pub(super) arrived: OffsetDateTime,
    pub(super) grant: Arc<Grant>,
    pub(super) tick: u64,
    pub(super) away: time::Duration,
}

impl Continuation {
    /// Returns who is signed in.
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Returns the generation that the rotation will lead to, unless another request is faster.
    pub fn generation(&self) -> i64 {
        match self.decision {
            Decision::Rotate => self.session.generation + 1,
            _ => self.session.generation,
        }
    }
}

/// A row with its user and what they are to be warned of, and the tick from before they were read.
struct Found {
    row: Option<(Session, User, Option<Theft>)>,
    tick: u64,
}

impl Auth {
    /// Returns the grant of an access token that this process has verified before: the way of nearly every request.
    ///
    /// It asks no database and waits for nothing. `None` says only that [`Auth::resume`] must be asked.
    pub fn remembered(&self, presented: &Presented<'_>, now: OffsetDateTime) -> Option<Arc<Grant>> {
        let [text] = presented.access.as_slice() else { return None };
        let grant = self.remembered.get(self.remembered.tag(text), now, self.clock.elapsed())?;
        if !agrees(&presented.refresh, grant.session.id) {
            return None;
        }
        self.remembered.note_seen(&grant, now);
        Some(grant)
    }

    /// Tells whether a grant that [`Auth::remembered`] returned for the same cookies still stands.
    pub fn stands(&self, grant: &Grant, now: OffsetDateTime) -> bool {
        let stands = self.remembered.stands(grant, now, self.clock.elapsed());
        if stands {
            self.remembered.note_seen(grant, now);
        }
        stands
    }

    /// Decides who a request is at the time of its arrival.
    ///
    /// A good access token answers from memory. Anything else about it (expired, missing, oversized, broken) is a cache
    /// miss: the refresh token is asked, in the same request, whatever its method.
    ///
    /// # Errors
    /// If the database has no answer; then nobody is signed in or out, and no cookie may be touched.
    pub async fn resume(
        &self,
        presented: &Presented<'_>,
        client: &Client,
        trail: &mut Trail,
    ) -> Result<Resumed, AuthError> {
        let now = self.clock.now();
        let refresh = self.verified_refresh(presented, trail);
        let mut ended = None;
        if let Some((text, token)) = self.verified_access(presented, refresh.as_ref(), now, trail) {
            match self.by_access(text, token, client, now, trail).await? {
                Resumed::Ended(end) => ended = Some(end),
                resumed => return Ok(resumed),
            }
        }
        match refresh {
            Some(token) => self.by_refresh(token, client, now, trail).await,
            None if presented.access.is_empty() && presented.refresh.is_empty() => {
                trail.note(|| "signed out: no cookies".to_owned());
                Ok(Resumed::Anonymous)
            }
            None => Ok(Resumed::Ended(ended.unwrap_or(Ended { session: None, reason: None }))),
        }
    }

    /// Returns the first access token in force that no verified refresh token of another sign-in speaks against.
    fn verified_access<'a>(
        &self,
        presented: &Presented<'a>,
        refresh: Option<&RefreshToken>,
        now: OffsetDateTime,
        trail: &mut Trail,
    ) -> Option<(&'a str, AccessToken)> {
        presented.access.iter().find_map(|text| match self.access_tokens.verify(text, now) {
            Ok(token) if refresh.is_some_and(|refresh| refresh.session != token.session) => {
                trail.note(|| "access token set aside: the refresh token is of another session".to_owned());
                None
            }
            Ok(token) => Some((*text, token)),
            Err(refusal) => {
                trail.note(|| format!("access token set aside: {refusal}"));
                None
            }
        })
    }

    /// Returns the first refresh token that we signed; a forged one costs no database call.
    fn verified_refresh(&self, presented: &Presented<'_>, trail: &mut Trail) -> Option<RefreshToken> {
        let token = presented.refresh.iter().find_map(|text| self.refresh_cookie.verify(text)?.parse().ok());
        if token.is_none() && !presented.refresh.is_empty() {
            trail.note(|| "refresh token set aside: none of the keys signed it".to_owned());
        }
        token
    }

    async fn find(&self, id: SessionId) -> Result<Found, AuthError> {
        let tick = self.remembered.tick();
        let now = self.clock.now();
        let row = self.database.read(move |connection| find_with_theft(connection, id, now)).await?;
        let row = row.map(|(mut session, user, theft)| {
            if let Some(seen) = self.remembered.seen(id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
            (session, user, theft)
        });
        Ok(Found { row, tick })
    }

    /// Looks the sign-in of a verified access token up: this process sees it for the first time, or something changed.
    async fn by_access(
        &self,
        text: &str,
        token: AccessToken,
        client: &Client,
        now: OffsetDateTime,
        trail: &mut Trail,
    ) -> Result<Resumed, AuthError> {
        let found = self.find(token.session).await?;
        let ended = |reason| Resumed::Ended(Ended { session: Some(token.session), reason });
        let Some((session, user, theft)) = found.row else {
            trail.note(|| "access token set aside: its session is gone".to_owned());
            return Ok(ended(None));
        };
        if let Some(reason) = session.ended(&self.lifetimes, now) {
            trail.note(|| format!("access token set aside: its session ended, {}", reason.as_str()));
            return Ok(ended(Some(reason)));
        }
        if !user.is_active {
            trail.note(|| "signed out: the account is deactivated".to_owned());
            return self.end_deactivated(&session, client).await;
        }
        trail.note(|| format!("signed in: access token of session {}, looked up", session.id));
        let (news, elapsed) = (News { theft, ..News::default() }, self.clock.elapsed());
        let grant = Arc::new(Grant::new(user, &session, token, news, found.tick, elapsed));
        self.remembered.insert(self.remembered.tag(text), Arc::clone(&grant), elapsed);
        self.remembered.note_seen(&grant, now);
        Ok(Resumed::Current(grant))
    }

    async fn by_refresh(
        &self,
        presented: RefreshToken,
        client: &Client,
        now: OffsetDateTime,
        trail: &mut Trail,
    ) -> Result<Resumed, AuthError> {
        let id = presented.session;
        loop {
            let Found { row, tick } = self.find(id).await?;
            let decision = decide(row.as_ref().map(|(session, ..)| session), &presented, &self.lifetimes, now);
            trail.note(|| format!("refresh token of session {id}, generation {}: {decision:?}", presented.generation));
            let Some((session, user, theft)) = row else {
                return Ok(Resumed::Ended(Ended { session: None, reason: None }));
            };
            match decision {
                Decision::Unknown => return Ok(Resumed::Ended(Ended { session: None, reason: None })),
                Decision::Ended(reason) => {
                    return Ok(Resumed::Ended(Ended { session: Some(id), reason: Some(reason) }));
                }
                Decision::Rotate | Decision::Overlap | Decision::Reissue if !user.is_active => {
                    return self.end_deactivated(&session, client).await;
                }
                Decision::Rotate | Decision::Overlap | Decision::Reissue => {
                    let access = self.access_token(&session, now);
                    let away = now - session.last_seen_at;
                    let (news, elapsed) = (News { theft, away }, self.clock.elapsed());
                    let grant = Arc::new(Grant::new(user, &session, access, news, tick, elapsed));
                    let continuation = Continuation { presented, session, decision, arrived: now, grant, tick, away };
                    return Ok(Resumed::Continued(Box::new(continuation)));
                }
                Decision::Replayed if self.end_replayed(&session, &user, client, now).await? => {
                    return Ok(Resumed::Ended(Ended { session: Some(id), reason: Some(EndReason::Replayed) }));
                }
                // The row moved between the read and the write: read it again.
                Decision::Replayed => {}
            }
        }
    }

    /// Ends a sign-in that two parties hold, with its event, in one transaction; `false` if the row has moved since it
    /// was read.
    ///
    /// The user is told by mail once that is committed, and by the process that did it alone: one theft, one mail.
    async fn end_replayed(
        &self,
        session: &Session,
        user: &User,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, AuthError> {
        let event = Event::of_end(EndReason::Replayed, session.user_id, client, now)
            .about(session.id)
            .against(&session.address, &session.user_agent);
        let read = session.clone();
        let ended = self
            .database
            .write(move |connection| {
                // A rotation that was under way may have made the presented token a predecessor, or ended the row.
                if !sessions::revoke_unmoved(connection, &read, EndReason::Replayed, now)? {
                    return Ok(false);
                }
                events::insert(connection, &event)?;
                users::theft_noticed(connection, read.user_id, now)?;
                Ok(true)
            })
            .await?;
        if ended {
            tracing::warn!(session = %session.id, user = %session.user_id, "a refresh token was replayed: session ended");
            self.forget(&[Change::Session(session.id)]);
            let theft = Theft {
                at: now,
                address: client.address_text(),
                user_agent: client.user_agent.clone(),
                other_address: session.address.clone(),
                other_user_agent: session.user_agent.clone(),
            };
            self.tell_of_theft(user, &theft, now);
        }
        Ok(ended)
    }

    /// Ends a live sign-in of a user who may not sign in any more, so that its tombstone can say why.
    async fn end_deactivated(&self, session: &Session, client: &Client) -> Result<Resumed, AuthError> {
        let (id, now, reason) = (session.id, self.clock.now(), EndReason::Deactivated);
        let event = Event::of_end(reason, session.user_id, client, now).about(id);
        self.database
            .write(move |connection| {
                if sessions::revoke(connection, id, reason, now)? {
                    events::insert(connection, &event)?;
                }
                Ok(())
            })
            .await?;
        self.forget(&[Change::Session(id)]);
        Ok(Resumed::Ended(Ended { session: Some(id), reason: Some(reason) }))
    }

    /// Makes this process ask the database again about what it just changed, before the answer goes out.
    pub(crate) fn forget(&self, changes: &[Change]) {
        self.remembered.apply(changes, self.clock.elapsed());
    }
}

/// Reads a sign-in, its user, and the theft that it is the first sign-in after.
pub(super) fn find_with_theft(
    connection: &mut Connection,
    id: SessionId,
    now: OffsetDateTime,
) -> Result<Option<(Session, User, Option<Theft>)>, StoreError> {
    let Some((session, user)) = sessions::find_with_user(connection, id)? else { return Ok(None) };
    let since = now - THEFT_WARNING;
    let warned = user.theft_noticed_at.is_some_and(|at| at >= since && at <= session.created_at);
    let theft = if warned { events::theft_before_sign_in(connection, user.id, id, since)? } else { None };
    Ok(Some((session, user, theft)))
}

/// Tells whether no refresh cookie claims to be of another sign-in; one that does must be verified first.
fn agrees(refresh: &[&str], session: SessionId) -> bool {
    refresh.iter().all(|text| {
        let claimed = SignedValues::claimed(text).split('.').next().unwrap_or_default();
        claimed.parse::<SessionId>().is_ok_and(|claimed| claimed == session)
    })
}
