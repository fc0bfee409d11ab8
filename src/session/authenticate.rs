//! On the way in: who is this request?

use std::sync::Arc;

use time::OffsetDateTime;

use super::decision_log::DecisionLog;
use super::ended::Ended;
use super::error::SessionError;
use super::found::Found;
use super::identity::Identity;
use super::pending::Pending;
use super::sessions::Sessions;
use super::unproven::{TryName, Unproven};
use crate::crypto::{AccessTokens, SignedValues};
use crate::domain::access_token::AccessToken;
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::id::SessionId;
use crate::domain::token::RefreshToken;
use crate::store::StoreError;

/// What a request brought: every cookie of exactly the right name, in the order of the header.
///
/// All of them, because a cookie that somebody else planted beside a good one must not hide it.
#[derive(Debug, Default)]
pub struct Presented<'a> {
    /// Values of the access-token cookie.
    pub access: Vec<&'a str>,
    /// Values of the refresh cookie.
    pub refresh: Vec<&'a str>,
    /// What names a browser that came without a proof before.
    pub browser: Option<TryName>,
}

/// The cookies of a request that brought one access token and at most one refresh token, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct SolePair<'a> {
    /// The value of the access-token cookie.
    pub access: &'a [u8],
    /// The value of the refresh cookie.
    pub refresh: Option<&'a [u8]>,
}

/// Who a request is.
#[derive(Debug, Default)]
pub struct Authenticated {
    /// Who is signed in, if anybody is.
    pub identity: Option<Arc<Identity>>,
    /// What [`Sessions::finish`] has to do on the way out, where the refresh token signed the request in.
    pub pending: Option<Box<Pending>>,
    /// Why nobody is signed in, where the request brought a session that is over.
    pub ended: Option<Ended>,
    /// Refresh tokens of other sessions that came along: a sign-in or a sign-out ends those that still open something.
    pub(super) others: Vec<RefreshToken>,
    /// A sign-in that would be signed in if its device proved itself.
    pub unproven: Option<Unproven>,
    /// The same, as long as nobody has written it down.
    pub(super) closed: Option<Box<Found>>,
}

impl Authenticated {
    /// Describes somebody who is signed in, with nothing left to do.
    pub fn signed_in(identity: Arc<Identity>) -> Self {
        Self { identity: Some(identity), ..Self::default() }
    }
}

impl Sessions {
    /// Returns the identity of an access token that this process has verified before: the way of nearly every request.
    ///
    /// It asks no database and waits for nothing. `None` says only that [`Sessions::authenticate`] must be asked.
    pub fn recognize(&self, presented: SolePair<'_>, now: OffsetDateTime) -> Option<Arc<Identity>> {
        let identity = self.cache.get(presented.access, Audience::Pages, now, self.parts.clock.elapsed())?;
        let beside = presented.refresh.map(|refresh| claims(refresh, identity.session()));
        if !beside.unwrap_or(!identity.counts_beside_refresh()) {
            return None;
        }
        self.note_use(&identity, now);
        Some(identity)
    }

    /// Decides who a request is that arrived at `now`.
    ///
    /// A good access token answers from memory, or from the database once. Anything else about it (expired, missing,
    /// oversized, broken) is a cache miss: the refresh tokens are asked, in the same request, whatever its method.
    ///
    /// # Errors
    /// If the database has no answer, or this process cannot judge; then nobody is signed in or out.
    pub async fn authenticate(
        &self,
        presented: &Presented<'_>,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Authenticated, SessionError> {
        let mut refresh = self.verified_refresh(presented, log);
        let access = self.verified_access(presented, &refresh, now, log);
        let mut ended = None;
        if let Some((text, token)) = access {
            let of_session = token.session;
            match self.by_access_token(text, token, refresh.is_empty(), client, now, log).await? {
                Ok(identity) => {
                    refresh.retain(|token| token.session != of_session);
                    return Ok(Authenticated { others: refresh, ..Authenticated::signed_in(identity) });
                }
                Err(end) => ended = end,
            }
            // The session of the access token is asked first.
            refresh.sort_by_key(|token| token.session != of_session);
        }
        if refresh.is_empty() {
            log.note(|| "signed out: no refresh token".to_owned());
            return Ok(Authenticated { ended, ..Authenticated::default() });
        }
        // From the decision on, the work runs to its end: a client that hangs up takes nothing back.
        let (sessions, client, mut steps) = (self.clone(), client.clone(), std::mem::take(log));
        let browser = presented.browser.clone();
        let task = tokio::spawn(async move {
            let authenticated =
                sessions.by_refresh_tokens(Audience::Pages, refresh, ended, &client, now, &mut steps).await;
            let authenticated = match authenticated {
                Ok(found) => sessions.note_closed(found, browser, &client, now).await,
                Err(error) => Err(error),
            };
            (authenticated, steps)
        });
        let (authenticated, steps) = task.await.map_err(|error| StoreError::Query(error.into()))?;
        *log = steps;
        authenticated
    }

    /// Writes a bound sign-in down whose cookies came without a proof, if the request brought one and nothing opened.
    async fn note_closed(
        &self,
        mut authenticated: Authenticated,
        browser: Option<TryName>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Authenticated, SessionError> {
        if let Some(found) = authenticated.closed.take() {
            authenticated.unproven = Some(self.note_unproven(*found, browser, client, now).await?);
        }
        Ok(authenticated)
    }

    /// Returns the first access token in force that the verified refresh tokens do not speak against: one of them is of its
    /// session, or there is none.
    fn verified_access<'a>(
        &self,
        presented: &Presented<'a>,
        refresh: &[RefreshToken],
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Option<(&'a str, AccessToken)> {
        // One that has just run out counts on a bound session; whether it is of one is looked up later.
        let verify = if self.binds() { AccessTokens::verify_late } else { AccessTokens::verify };
        let verified = |text: &&'a str| match verify(&self.parts.access_tokens, text, now) {
            Ok(token) if refresh.is_empty() || refresh.iter().any(|refresh| refresh.session == token.session) => {
                Some((*text, token))
            }
            Ok(_) => {
                log.note(|| "access token set aside: the refresh token is of another session".to_owned());
                None
            }
            Err(refusal) => {
                log.note(|| format!("access token set aside: {refusal}"));
                None
            }
        };
        let mut found: Vec<_> = presented.access.iter().filter_map(verified).collect();
        // One that is in force comes before one that has just run out.
        found.sort_by_key(|(_, token)| !token.is_current(now));
        found.into_iter().next()
    }

    /// Returns the refresh tokens that we signed; a forged one costs no database call.
    pub(super) fn verified_refresh(&self, presented: &Presented<'_>, log: &mut DecisionLog) -> Vec<RefreshToken> {
        let mut tokens: Vec<RefreshToken> = Vec::new();
        for text in &presented.refresh {
            match self.parts.refresh_cookie.verify(text).and_then(|value| value.parse().ok()) {
                Some(token) if !tokens.contains(&token) => tokens.push(token),
                Some(_) => {}
                None => log.note(|| "refresh token set aside: none of the keys signed it".to_owned()),
            }
        }
        tokens
    }

    /// Returns the refresh tokens that we signed, where nobody reads why.
    pub(super) fn refresh_tokens(&self, presented: &Presented<'_>) -> Vec<RefreshToken> {
        self.verified_refresh(presented, &mut DecisionLog::default())
    }

    /// Looks the session of a verified access token up, unless that is remembered.
    pub(super) async fn by_access_token(
        &self,
        text: &str,
        token: AccessToken,
        alone: bool,
        client: &Client,
        now: OffsetDateTime,
        log: &mut DecisionLog,
    ) -> Result<Result<Arc<Identity>, Option<Ended>>, SessionError> {
        let remembered = self.cache.get(text.as_bytes(), token.audience, now, self.parts.clock.elapsed());
        if let Some(identity) = remembered.filter(|identity| !(alone && identity.counts_beside_refresh())) {
            self.note_use(&identity, now);
            log.note(|| "signed in: access token, remembered".to_owned());
            return Ok(Ok(identity));
        }
        if let Some(ended) = self.cache.ended(token.session, self.parts.clock.elapsed()) {
            return Ok(Err(Some(ended)));
        }
        let Some(found) = self.find(token.session, now).await? else {
            log.note(|| "access token set aside: its session is gone".to_owned());
            return Ok(Err(None));
        };
        let Found { session, user, theft, read } = found;
        if token.user != session.user_id {
            log.note(|| "access token set aside: its session is another user's".to_owned());
            return Ok(Err(None));
        }
        if let Some(reason) = session.ended(self.lifetimes(), now) {
            log.note(|| format!("access token set aside: its session ended, {}", reason.as_str()));
            return Ok(Err(Some(self.note_ended(&session, reason, now))));
        }
        if !token.is_current(now) && !session.is_bound() {
            log.note(|| "access token set aside: not in force at this time".to_owned());
            return Ok(Err(None));
        }
        if !user.is_active {
            log.note(|| "signed out: the account is deactivated".to_owned());
            return Ok(Err(Some(self.end_deactivated(&session, client, now).await?)));
        }
        log.note(|| format!("signed in: access token of session {}, looked up", session.id));
        let identity = Arc::new(Identity::new(user, &session, token, theft, None, read));
        if alone && identity.counts_beside_refresh() {
            log.note(|| "access token set aside: its refresh token is gone, with the browser that held it".to_owned());
            return Ok(Err(None));
        }
        self.cache.insert(text, Arc::clone(&identity));
        self.note_use(&identity, now);
        Ok(Ok(identity))
    }

    /// Notes that a session is in use; a worker writes it down.
    pub(super) fn note_use(&self, identity: &Identity, now: OffsetDateTime) {
        if let Some(minute) = identity.note_use(now) {
            self.last_seen.note(identity.session(), minute);
        }
    }
}

/// Tells whether a refresh cookie claims to be of a session; one of another must be verified first.
fn claims(refresh: &[u8], session: SessionId) -> bool {
    RefreshToken::claims(SignedValues::claimed(refresh), session)
}
