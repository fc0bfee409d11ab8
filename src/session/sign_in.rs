//! Begin a session with a password.

use time::OffsetDateTime;

use super::authenticate::Authenticated;
use super::end::{announced, end_replaced};
use super::error::SessionError;
use super::new_device::NewDeviceNotice;
use super::password_try::{PasswordOutcome, ProvenPassword, Throttled};
use super::sessions::Sessions;
use super::tokens::{Begun, IssuedTokens};
use super::unproven::Unproven;
use crate::crypto::Verification;
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType, Theft, WEAK_PASSWORD};
use crate::domain::id::{DeviceId, FormId, SessionId, UserId};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::rotation::decide;
use crate::domain::session::Session;
use crate::domain::token::RefreshToken;
use crate::domain::user::{Email, User};
use crate::store::{Connection, StoreError, events, sessions, sign_in_forms, users};

/// Somebody's attempt to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Who they say they are; an address that is none has no account.
    pub email: Option<Email>,
    /// Their proof.
    pub password: Password,
    /// Whether the session is to outlive the browser session.
    pub keep: bool,
    /// Whether others use the computer too: then the session is not kept, whatever [`SignIn::keep`] says.
    pub shared_computer: bool,
    /// The form that they sent: sent twice, it begins one session.
    pub form: Option<FormId>,
    /// The device that they are at: once they are in, it is known. A client that keeps no cookie names none.
    pub device: Option<DeviceId>,
    /// What the tokens of the session are to be for.
    pub audience: Audience,
}

/// What came of it.
#[derive(Debug)]
pub enum SignInOutcome {
    /// They are in.
    SignedIn {
        /// Their first tokens.
        tokens: IssuedTokens,
        /// What makes their password too easy to guess: they are to be told to change it.
        weakness: Option<Weakness>,
    },
    /// They are not; the answer does not say whether the account exists, is deactivated, or has another password.
    Refused,
    /// Too many tries were wrong, and this one was not looked at.
    Throttled(Throttled),
}

/// What a sign-in takes the place of in the jar.
#[derive(Debug)]
pub(super) struct Replaced {
    /// What the cookies opened.
    sessions: Vec<SessionId>,
    /// What they would have opened with a proof, of the very user who signs in.
    unproven: Option<Unproven>,
}

impl Replaced {
    /// Returns what `held` has of it for the sign-in of `user`; `sessions` are those that the cookies open.
    pub(super) fn by(user: UserId, sessions: Vec<SessionId>, held: &Authenticated) -> Self {
        Self { sessions, unproven: held.unproven.clone().filter(|unproven| unproven.user == user) }
    }

    /// Ends all of it; the browser without a proof was its owner's, and nobody is mailed about it.
    pub(super) fn end(
        mut self,
        connection: &mut Connection,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        if let Some(Unproven { session, browser, .. }) = self.unproven {
            self.sessions.push(session);
            if let Some(browser) = browser {
                Sessions::absolve(connection, session, &browser)?;
            }
        }
        end_replaced(connection, &self.sessions, client, now)
    }
}

/// A session that was recorded, with what its first page shows.
pub(crate) type Recorded = (Begun, User, Option<Theft>);

impl Sessions {
    /// Checks a password and begins a session; it ends the ones that the same browser still held.
    ///
    /// # Errors
    /// If the database or the password pool has no answer; nothing was begun.
    pub async fn sign_in(
        &self,
        attempt: SignIn,
        held: &Authenticated,
        client: &Client,
    ) -> Result<SignInOutcome, SessionError> {
        let SignIn { email, password, keep, shared_computer, form, device, audience } = attempt;
        let keep = keep && !shared_computer;
        let proven = match self.try_password(email, password, device, client).await? {
            PasswordOutcome::Right(proven) => proven,
            PasswordOutcome::Refused => return Ok(SignInOutcome::Refused),
            PasswordOutcome::Throttled(throttled) => return Ok(SignInOutcome::Throttled(throttled)),
        };
        let now = self.now();
        let replaced = Replaced::by(proven.user.id, self.opening(held, now).await?, held);
        let draft = self.draft(keep, form, client, now)?.with_tokens_for(audience).on_shared_computer(shared_computer);
        let begun = draft.for_user(proven.user.id);
        let notice = self.new_device_notice(&proven.user, client, now)?;
        let password = ProvenPassword::clone(&proven);
        let recorded = self.record_after_password(begun, password, notice, form, replaced, client.clone());
        match recorded.await? {
            Some((begun, user, theft)) => {
                self.parts.database.wake_outbox();
                let tokens = self.first_tokens(&begun, user, theft)?;
                Ok(SignInOutcome::SignedIn { tokens, weakness: proven.weakness })
            }
            None => {
                self.refuse_outdated(&proven, client).await?;
                Ok(SignInOutcome::Refused)
            }
        }
    }

    /// Records the session of a user whose password was right; nothing if that, or their account, has changed while it was
    /// hashed.
    async fn record_after_password(
        &self,
        begun: Begun,
        proven: ProvenPassword,
        notice: NewDeviceNotice,
        form: Option<FormId>,
        replaced: Replaced,
        client: Client,
    ) -> Result<Option<Recorded>, SessionError> {
        let (sessions, now) = (self.clone(), begun.session.created_at);
        self.write(move |connection| {
            let user = begun.session.user_id;
            let locked = users::lock_row(connection, user)?;
            if !locked.is_some_and(|user| user.is_active && user.password_hash == proven.hash) {
                return Ok((None, Vec::new()));
            }
            let ended = replaced.end(connection, &client, now)?;
            let begun = sessions.record(connection, begun, form, proven.weakness, &client)?;
            if proven.is_from_new_device(connection, &client, now)? {
                notice.insert(connection, &proven.user, begun.session.id, now)?;
            }
            proven.succeeded(connection, now)?;
            let found = Self::find_with_theft(connection, begun.session.id, now)?;
            Ok((found.map(|(_, user, theft)| (begun, user, theft)), announced(&ended)))
        })
        .await
    }

    /// Records a session with its audit event; call it in the transaction that decides that it may begin.
    ///
    /// One form begins one session: where the same form began one for the same user within the window, that one is
    /// returned, and both clicks on its button end up with the same tokens.
    pub(crate) fn record(
        &self,
        connection: &mut Connection,
        begun: Begun,
        form: Option<FormId>,
        weakness: Option<Weakness>,
        client: &Client,
    ) -> Result<Begun, StoreError> {
        let (user, now) = (begun.session.user_id, begun.session.created_at);
        if let Some(form) = form {
            if let Some((session, refresh)) = self.begun_by(connection, form, user, now)? {
                return Ok(begun.joining(session, refresh));
            }
            sign_in_forms::note(connection, form, begun.session.id, now)?;
        }
        sessions::insert(connection, &begun.session)?;
        users::signed_in(connection, user, now)?;
        let event = Event::new(EventType::SignedIn, Some(user), client, now);
        let event = event.about(begun.session.id);
        events::insert(connection, &if weakness.is_some() { event.because(WEAK_PASSWORD) } else { event })?;
        Ok(begun)
    }

    /// Returns the live session that a form has begun for `user` within the window, and its first refresh token.
    pub(crate) fn begun_by(
        &self,
        connection: &mut Connection,
        form: FormId,
        user: UserId,
        now: OffsetDateTime,
    ) -> Result<Option<(Session, RefreshToken)>, StoreError> {
        let Some(id) = sign_in_forms::session_of(connection, form)? else { return Ok(None) };
        let session = sessions::find(connection, id)?.filter(|session| {
            let young = (now - session.created_at).abs() <= self.lifetimes().window();
            session.user_id == user && session.generation == 0 && session.revoked.is_none() && young
        });
        let first = session.and_then(|session| {
            let secret = self.parts.first_secrets.find(form, id, |secret| secret.hash() == session.token_hash)?;
            Some((session, RefreshToken { session: id, generation: 0, secret }))
        });
        Ok(first)
    }

    /// Joins the session that the same form began a moment ago, with the same address and password: the button of a
    /// registration was clicked twice. Nothing if there is none.
    ///
    /// # Errors
    /// If the database or the password pool has no answer.
    pub async fn join(&self, attempt: SignIn, client: &Client) -> Result<Option<IssuedTokens>, SessionError> {
        let (Some(email), Some(form)) = (attempt.email, attempt.form) else { return Ok(None) };
        let (now, sessions) = (self.now(), self.clone());
        // Before the rows are read: whatever changes while the password is hashed outdates what is made of them.
        let draft = self.draft(attempt.keep, None, client, now)?;
        let read = self.parts.database.read(move |connection| {
            let found = users::find_with_password(connection, &email)?;
            let Some((user, hash)) = found.filter(|(user, _)| user.is_active) else { return Ok(None) };
            let begun = sessions.begun_by(connection, form, user.id, now)?;
            Ok(begun.map(|(session, refresh)| (user, hash, session, refresh)))
        });
        let Some((user, hash, session, refresh)) = read.await? else { return Ok(None) };
        let verification = self.parts.passwords.slot().await?.verify(attempt.password, Some(hash)).await?;
        if verification == Verification::Wrong {
            return Ok(None);
        }
        let begun = draft.for_user(user.id).joining(session, refresh);
        self.first_tokens(&begun, user, None).map(Some)
    }

    /// Returns the sessions that the tokens of a request open: a jar holds one, so a sign-in ends them.
    pub(crate) async fn opening(
        &self,
        held: &Authenticated,
        now: OffsetDateTime,
    ) -> Result<Vec<SessionId>, SessionError> {
        let mut opening: Vec<SessionId> = held.identity.iter().map(|identity| identity.session()).collect();
        for token in &held.others {
            if opening.contains(&token.session) {
                continue;
            }
            let found = self.find(token.session, now).await?;
            let transition = decide(found.as_ref().map(|found| &found.session), token, &self.circumstances(now));
            if transition.decision.opens() {
                opening.push(token.session);
            }
        }
        Ok(opening)
    }

    /// Replaces a hash of another cost or scheme, now that the password is known to be right; returns the one that stands.
    pub(super) async fn renew_hash(
        &self,
        user: UserId,
        password: Password,
        old: String,
    ) -> Result<String, SessionError> {
        let new = self.parts.passwords.hash(password).await?;
        let next = new.clone();
        let replaced = self.write(move |connection| {
            let replaced = users::replace_password_hash(connection, user, &old, &next)?;
            Ok((if replaced { next } else { old }, Vec::new()))
        });
        replaced.await
    }
}
