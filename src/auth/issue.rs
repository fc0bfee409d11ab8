//! Tokens on their way to a browser.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::remembered::{Grant, News};
use super::{Auth, AuthError};
use crate::crypto::random_bytes;
use crate::domain::access::AccessToken;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType, Theft};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::token::{RefreshSecret, RefreshToken};
use crate::domain::user::User;
use crate::store::{Connection, StoreError, events, sessions, users};

/// The values of the cookies that an answer carries.
pub struct IssuedTokens {
    /// The access token.
    pub access: Zeroizing<String>,
    /// When it expires.
    pub access_expires_at: OffsetDateTime,
    /// The signed refresh token; none for a parallel request, whose winner brings it.
    pub refresh: Option<Zeroizing<String>>,
    /// When the sign-in ends for good.
    pub session_expires_at: OffsetDateTime,
    /// Whether the cookies outlive the browser session.
    pub kept: bool,
}

impl fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuedTokens")
    }
}

impl Auth {
    /// Makes the access token that `session` gets at `now`.
    pub(super) fn access_token(&self, session: &Session, now: OffsetDateTime) -> AccessToken {
        AccessToken {
            user: session.user_id,
            session: session.id,
            issued_at: now,
            expires_at: self.lifetimes.access_expires(now, session),
            authenticated_at: session.authenticated_at,
        }
    }

    /// Writes out the tokens for a browser, and remembers the access token so that its first use asks no database.
    pub(super) fn tokens(
        &self,
        session: &Session,
        user: &User,
        refresh: Option<&RefreshToken>,
        news: News,
        tick: u64,
        now: OffsetDateTime,
    ) -> Result<IssuedTokens, AuthError> {
        let token = self.access_token(session, now);
        let access = Zeroizing::new(self.access_tokens.issue(&token)?);
        let access_expires_at = token.expires_at;
        let grant = Arc::new(Grant::new(user.clone(), session, token, news, tick, self.clock.elapsed()));
        self.remembered.insert(self.remembered.tag(&access), grant, self.clock.elapsed());
        Ok(IssuedTokens {
            access,
            access_expires_at,
            refresh: refresh.map(|refresh| self.refresh_cookie.sign(&refresh.reveal())),
            session_expires_at: session.expires_at,
            kept: session.kept,
        })
    }

    /// Prepares a sign-in that begins at `now`; it exists once [`record_sign_in`] is committed.
    ///
    /// Every identifier is new: nothing that the browser held before can name it (OWASP, "Session fixation").
    pub(crate) fn draft_session(&self, kept: bool, client: &Client, now: OffsetDateTime) -> Result<Draft, AuthError> {
        Ok(Draft {
            id: SessionId::from_bytes(random_bytes()?),
            secret: RefreshSecret::from_bytes(random_bytes()?),
            now,
            expires_at: self.lifetimes.sign_in_ends(now, kept),
            kept,
            client: client.clone(),
            tick: self.remembered.tick(),
        })
    }

    /// Writes out the tokens of a sign-in that was just recorded.
    pub(crate) fn first_tokens(
        &self,
        begun: &Begun,
        user: &User,
        theft: Option<Theft>,
    ) -> Result<IssuedTokens, AuthError> {
        let session = &begun.session;
        let user = User { last_login_at: Some(session.created_at), ..user.clone() };
        let news = News { theft, ..News::default() };
        self.tokens(session, &user, Some(&begun.refresh), news, begun.tick, session.created_at)
    }
}

/// A sign-in that wants only its user.
#[derive(Debug)]
pub(crate) struct Draft {
    id: SessionId,
    secret: RefreshSecret,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
    kept: bool,
    client: Client,
    tick: u64,
}

/// A sign-in that wants only to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) session: Session,
    refresh: RefreshToken,
    tick: u64,
}

impl Draft {
    /// Makes the row and the first refresh token of `user`'s sign-in.
    pub(crate) fn for_user(self, user: UserId) -> Begun {
        let session = Session {
            id: self.id,
            user_id: user,
            generation: 0,
            token_hash: self.secret.hash(),
            previous_hash: None,
            rotated_at: self.now,
            created_at: self.now,
            authenticated_at: self.now,
            last_seen_at: self.now,
            expires_at: self.expires_at,
            kept: self.kept,
            revoked: None,
            address: self.client.address_text(),
            user_agent: self.client.user_agent,
        };
        let refresh = RefreshToken { session: self.id, generation: 0, secret: self.secret };
        Begun { session, refresh, tick: self.tick }
    }
}

/// Records a sign-in with its audit event; call it in the transaction that decides that it may begin.
pub(crate) fn record_sign_in(
    connection: &mut Connection,
    session: &Session,
    client: &Client,
) -> Result<(), StoreError> {
    sessions::insert(connection, session)?;
    users::signed_in(connection, session.user_id, session.created_at)?;
    let event = Event::new(EventType::SignedIn, Some(session.user_id), client, session.created_at);
    events::insert(connection, &event.about(session.id))
}
