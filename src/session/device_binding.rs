//! A browser registers the key of its device, right after the password.

use time::{Duration, OffsetDateTime};

use super::authenticate::Presented;
use super::error::SessionError;
use super::found::Found;
use super::identity::Identity;
use super::registration::Registration;
use super::sessions::Sessions;
use super::tokens::IssuedTokens;
use crate::crypto::{Challenge, InvalidProof, UnverifiedProof};
use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::device_key::DeviceKey;
use crate::domain::event::{Event, EventType};
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::store::changes::Change;
use crate::store::{device_keys, events};

/// How long the challenge in the answer to a password is good: a browser answers it within seconds.
const REGISTRATION_LIFE: Duration = Duration::minutes(5);

/// A session with a key, as its browser hears of it.
#[derive(Debug)]
pub struct DeviceSession {
    /// The session.
    pub id: SessionId,
    /// What its device is to sign next.
    pub challenge: String,
    /// The cookies of the answer.
    pub tokens: Option<IssuedTokens>,
}

/// What came of a registration.
#[derive(Debug)]
pub enum BindOutcome {
    /// The session has the key of its device: by this request, or by one just like it.
    Bound(DeviceSession),
    /// It proves nothing, comes too late, or brings a second key; nothing was changed.
    Refused(Option<(SessionId, String)>),
    /// No honest browser sends this.
    Malformed,
    /// Sign-ins are not bound to devices at this moment.
    Unavailable,
}

impl Sessions {
    /// Returns what the answer to a password asks a browser to do, unless its session has a key.
    ///
    /// This is the only way to a key: whoever copied a jar must not be able to bind it to a key of their own.
    pub(super) fn registration(&self, session: &Session) -> Result<Option<Registration>, SessionError> {
        if !self.binds() || session.proving_key().is_some() {
            return Ok(None);
        }
        let challenge = self.parts.device_proofs.challenge(registration(session, session.generation))?;
        Ok(Some(Registration { session: session.id, challenge }))
    }

    /// Takes the key of a device for the session whose password was entered a moment ago.
    ///
    /// The same registration, sent again because its answer was lost, gets the same answer; one with another key is
    /// refused, and written down.
    ///
    /// # Errors
    /// If the database has no answer, or this process lacks the key that signs.
    pub async fn bind_device(
        &self,
        proof: &str,
        presented: &Presented<'_>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<BindOutcome, SessionError> {
        if !self.binds() {
            return Ok(BindOutcome::Unavailable);
        }
        let proof = match UnverifiedProof::read(proof) {
            Ok(proof) => proof,
            Err(error) if error.is_malformed() => return Ok(BindOutcome::Malformed),
            Err(_) => return Ok(BindOutcome::Refused(None)),
        };
        let Some(id) = proof.authorization().and_then(|text| text.parse::<SessionId>().ok()) else {
            return Ok(BindOutcome::Refused(None));
        };
        if !self.renewals.allows((id, client.address), self.parts.clock.elapsed()) {
            return Ok(BindOutcome::Unavailable);
        }
        let Some(found) = self.find(id, now).await? else { return Ok(BindOutcome::Refused(None)) };
        let session = &found.session;
        // Whoever has no key can do nothing with this one: it is no challenge to register.
        let challenge = self.renewal_challenge(session)?;
        let alive = session.ended(self.lifetimes(), now).is_none() && found.user.is_active;
        let key = match self.registered_key(&proof, session, now) {
            Ok(key) if alive => key,
            refused => {
                let why = refused.err().map_or_else(|| "the session is over".to_owned(), |error| error.to_string());
                tracing::info!(session = %id, why, "the registration of a device was refused");
                return Ok(BindOutcome::Refused(Some((id, challenge))));
            }
        };
        match self.take_key(session, key, client, now).await? {
            Some(bound) => {
                let tokens = self.tokens_of_bound(Found { session: bound, ..found }, presented, now)?;
                Ok(BindOutcome::Bound(DeviceSession { id, challenge, tokens }))
            }
            None => Ok(BindOutcome::Refused(Some((id, challenge)))),
        }
    }

    /// Returns the key of a registration that answers the challenge in the answer to a password.
    fn registered_key(
        &self,
        proof: &UnverifiedProof<'_>,
        session: &Session,
        now: OffsetDateTime,
    ) -> Result<DeviceKey, InvalidProof> {
        let key = proof.registered_key()?;
        // The answer that carried the challenge may have been followed by a rotation.
        let generations = [session.generation, session.generation.saturating_sub(1)];
        let challenged = generations
            .iter()
            .any(|generation| self.parts.device_proofs.answers(proof, registration(session, *generation)));
        if !challenged || (now - session.authenticated_at).abs() > REGISTRATION_LIFE {
            return Err(InvalidProof::Malformed("not over the challenge of this password".to_owned()));
        }
        self.parts.device_proofs.verify(proof, &key)?;
        Ok(key)
    }

    /// Writes a key down; returns the row since then, or nothing where it has another one.
    async fn take_key(
        &self,
        session: &Session,
        key: DeviceKey,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Option<Session>, SessionError> {
        let (id, user) = (session.id, session.user_id);
        let event = |kind| Event::new(kind, Some(user), client, now).about(id);
        let bound = event(EventType::DeviceBound);
        let refused = event(EventType::DeviceNotProven).because("second_key");
        self.write(move |connection| {
            if device_keys::register(connection, id, &key)? {
                events::insert(connection, &bound)?;
            }
            let row = crate::store::sessions::find(connection, id)?.filter(|row| row.revoked.is_none());
            let has_key = row.as_ref().and_then(Session::proving_key) == Some(&key);
            if !has_key && row.is_some() {
                events::insert(connection, &refused)?;
            }
            Ok((row.filter(|_| has_key), Vec::<Change>::new()))
        })
        .await
    }

    /// Issues the access token that the browser renews from now on: before the key, that of a sign-in that ends with the
    /// browser had no end that the browser knew of. A request without the session's own refresh cookie gets none.
    fn tokens_of_bound(
        &self,
        found: Found,
        presented: &Presented<'_>,
        now: OffsetDateTime,
    ) -> Result<Option<IssuedTokens>, SessionError> {
        let Found { session, user, theft, read } = found;
        if !self.refresh_tokens(presented).iter().any(|token| token.session == session.id) {
            return Ok(None);
        }
        let access = self.access_token(Audience::Pages, &session, now);
        let identity = Identity::new(user, &session, access, theft, None, read);
        self.issue(identity, &session, None).map(Some)
    }

    /// Returns what the device of a session is to sign next.
    pub(super) fn renewal_challenge(&self, session: &Session) -> Result<String, SessionError> {
        let challenge = Challenge::Renewal { session: session.id, generation: session.generation };
        Ok(self.parts.device_proofs.challenge(challenge)?)
    }
}

fn registration(session: &Session, generation: i64) -> Challenge {
    Challenge::Registration { session: session.id, generation, authenticated_at: session.authenticated_at }
}
