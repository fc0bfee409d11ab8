//! Tokens on their way to a browser.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::error::SessionError;
use super::identity::{Identity, Reading};
use super::registration::Registration;
use super::sessions::{Sessions, SessionsParts};
use crate::crypto::random_bytes;
use crate::domain::access_token::AccessToken;
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::event::Theft;
use crate::domain::id::{FormId, SessionId, UserId};
use crate::domain::session::{Session, end_of_minute};
use crate::domain::token::{RefreshSecret, RefreshToken};
use crate::domain::user::User;

/// The tokens that an answer carries, as cookies or in its body.
pub struct IssuedTokens {
    /// The access token.
    pub access: Zeroizing<String>,
    /// When it expires.
    pub access_expires_at: OffsetDateTime,
    /// The signed refresh token; none where the one in the jar stays, or another answer brings it.
    pub refresh: Option<Zeroizing<String>>,
    /// When the session ends for good.
    pub session_expires_at: OffsetDateTime,
    /// Whether the cookies outlive the browser session.
    pub kept: bool,
    /// Whether the browser renews the access token by a proof: it then has to know when that runs out.
    pub by_proof: bool,
    /// What the browser is asked to do, where this is the answer to a password.
    pub registration: Option<Registration>,
    /// When they were issued.
    pub issued_at: OffsetDateTime,
}

impl fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuedTokens")
    }
}

/// A session that wants only its user.
#[derive(Debug)]
pub struct Draft {
    id: SessionId,
    secret: RefreshSecret,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
    kept: bool,
    shared_computer: bool,
    client: Client,
    read: Reading,
    audience: Audience,
}

/// A session that wants only to be recorded, or was.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its row.
    pub session: Session,
    /// Its first refresh token.
    refresh: RefreshToken,
    issued_at: OffsetDateTime,
    read: Reading,
    audience: Audience,
}

impl Draft {
    /// Makes it a session whose tokens are for `audience`.
    pub(super) fn with_tokens_for(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// Says whether others use the computer too; it is for a sign-in that is not kept.
    #[must_use]
    pub fn on_shared_computer(self, shared_computer: bool) -> Self {
        Self { shared_computer, ..self }
    }

    /// Makes the row and the first refresh token of `user`'s session.
    pub fn for_user(self, user: UserId) -> Begun {
        let session = Session {
            id: self.id,
            user_id: user,
            generation: 0,
            token_hash: self.secret.hash(),
            previous_hash: None,
            rotated_at: self.now,
            created_at: self.now,
            authenticated_at: self.now,
            last_seen_at: end_of_minute(self.now),
            expires_at: self.expires_at,
            kept: self.kept,
            shared_computer: self.shared_computer,
            revoked: None,
            address: self.client.address_text(),
            user_agent: self.client.user_agent,
            device_key: None,
            proved_generation: None,
        };
        let refresh = RefreshToken { session: self.id, generation: 0, secret: self.secret };
        Begun { session, refresh, issued_at: self.now, read: self.read, audience: self.audience }
    }
}

impl Begun {
    /// Takes the place of this session by one that the same form began before, whose first refresh token is `refresh`.
    pub(crate) fn joining(self, session: Session, refresh: RefreshToken) -> Self {
        Self { session, refresh, ..self }
    }
}

impl Sessions {
    /// Makes the access token for `audience` that `session` gets at `now`.
    pub(super) fn access_token(&self, audience: Audience, session: &Session, now: OffsetDateTime) -> AccessToken {
        AccessToken {
            audience,
            user: session.user_id,
            session: session.id,
            issued_at: now,
            expires_at: self.lifetimes().access_expires(now, session),
            authenticated_at: session.authenticated_at,
        }
    }

    /// Notes that rows are about to be read.
    pub(super) fn reading(&self) -> Reading {
        Reading::at(self.cache.epochs().current(), self.parts.clock.elapsed())
    }

    /// Issues the tokens of an identity, and remembers the access token so that its first use asks no database.
    pub(super) fn issue(
        &self,
        identity: Identity,
        session: &Session,
        refresh: Option<&RefreshToken>,
    ) -> Result<IssuedTokens, SessionError> {
        let token = identity.access();
        let (signer, sign): (_, fn(&SessionsParts, &RefreshToken) -> _) = match token.audience {
            Audience::Pages => (&self.parts.access_tokens, |parts, token| parts.refresh_cookie.sign(&token.reveal())),
            Audience::Api => (&self.parts.api_access_tokens, |parts, token| parts.api_refresh_tokens.write(token)),
        };
        let access = Zeroizing::new(signer.issue(&token)?);
        self.cache.insert(&access, Arc::new(identity));
        Ok(IssuedTokens {
            access,
            access_expires_at: token.expires_at,
            refresh: refresh.map(|refresh| sign(&self.parts, refresh)).transpose()?,
            session_expires_at: session.expires_at,
            kept: session.kept,
            by_proof: session.proving_key().is_some(),
            registration: None,
            issued_at: token.issued_at,
        })
    }

    /// Prepares a session that begins at `now`, with tokens for pages; it exists once it is recorded.
    ///
    /// Every identifier is new: nothing that the browser held before can name it (OWASP, "Session fixation"). The first
    /// secret comes from the form that asks for it, so that a second click on its button gets the same one; without a
    /// form it is random.
    pub(crate) fn draft(
        &self,
        kept: bool,
        form: Option<FormId>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Draft, SessionError> {
        let id = SessionId::new(now, random_bytes()?);
        let id = if self.reissues_in_place() { id.compact() } else { id };
        let secret = match form {
            Some(form) => self.parts.first_secrets.derive(form, id)?,
            None => RefreshSecret::from_bytes(random_bytes()?),
        };
        Ok(Draft {
            id,
            secret,
            now,
            expires_at: self.lifetimes().sign_in_ends(now, kept),
            kept,
            shared_computer: false,
            client: client.clone(),
            read: self.reading(),
            audience: Audience::Pages,
        })
    }

    /// Issues the tokens of a session that was just recorded.
    pub(crate) fn first_tokens(
        &self,
        begun: &Begun,
        user: User,
        theft: Option<Theft>,
    ) -> Result<IssuedTokens, SessionError> {
        let session = &begun.session;
        let access = self.access_token(begun.audience, session, begun.issued_at);
        let identity = Identity::new(user, session, access, theft, None, begun.read);
        // No program proves anything.
        let registration = if begun.audience == Audience::Pages { self.registration(session)? } else { None };
        Ok(IssuedTokens { registration, ..self.issue(identity, session, Some(&begun.refresh))? })
    }
}
