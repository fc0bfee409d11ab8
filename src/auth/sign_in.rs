//! Begin a sign-in with a password.

use time::OffsetDateTime;

use super::issue::record_sign_in;
use super::resume::find_with_theft;
use super::{Auth, AuthError, IssuedTokens};
use crate::crypto::Verification;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::UserId;
use crate::domain::password::Password;
use crate::domain::user::Email;
use crate::store::{events, users};

/// Somebody's attempt to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Who they say they are; an address that is none has no account.
    pub email: Option<Email>,
    /// Their proof.
    pub password: Password,
    /// Whether the sign-in is to outlive the browser session.
    pub keep: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum SignInOutcome {
    /// They are in.
    SignedIn(IssuedTokens),
    /// They are not; the answer does not say whether the account exists, is deactivated, or has another password.
    Refused,
}

impl Auth {
    /// Checks a password and begins a sign-in.
    ///
    /// An unknown address costs the same hash as a known one, so that time tells nobody which accounts exist.
    ///
    /// # Errors
    /// If the database or the password pool has no answer; nothing was begun.
    pub async fn sign_in(&self, attempt: SignIn, client: &Client) -> Result<SignInOutcome, AuthError> {
        let now = self.clock.now();
        let place = self.passwords.place().await?;
        let email = attempt.email.clone();
        let found = self
            .database
            .read(move |connection| match &email {
                Some(email) => users::find_with_password(connection, email),
                None => Ok(None),
            })
            .await?;
        let (user, stored) = found.unzip();
        let verification = place.verify(attempt.password.clone(), stored.clone()).await?;
        let (Some(user), Some(stored)) = (user, stored) else {
            return self.refuse(None, "unknown_account", client, now).await;
        };
        match verification {
            Verification::Wrong => return self.refuse(Some(user.id), "wrong_password", client, now).await,
            Verification::Right | Verification::RightButOutdated if !user.is_active => {
                return self.refuse(Some(user.id), "deactivated", client, now).await;
            }
            Verification::Right => {}
            Verification::RightButOutdated => self.renew_hash(user.id, attempt.password, stored).await?,
        }
        self.begin(user.id, attempt.keep, client, now).await
    }

    /// Begins the sign-in of a user who has proved who they are.
    async fn begin(
        &self,
        user: UserId,
        keep: bool,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<SignInOutcome, AuthError> {
        let begun = self.draft_session(keep, client, now)?.for_user(user);
        let (row, from) = (begun.session.clone(), client.clone());
        let recorded = self
            .database
            .write(move |connection| {
                // Hashing takes a while; the account may have been deactivated meanwhile.
                if !users::is_active(connection, row.user_id)? {
                    return Ok(None);
                }
                record_sign_in(connection, &row, &from)?;
                find_with_theft(connection, row.id, now)
            })
            .await?;
        match recorded {
            Some((_, user, theft)) => self.first_tokens(&begun, &user, theft).map(SignInOutcome::SignedIn),
            None => Ok(SignInOutcome::Refused),
        }
    }

    async fn refuse(
        &self,
        user: Option<UserId>,
        reason: &'static str,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<SignInOutcome, AuthError> {
        let event = Event::new(EventType::SignInFailed, user, client, now).because(reason);
        self.database.write(move |connection| events::insert(connection, &event)).await?;
        Ok(SignInOutcome::Refused)
    }

    /// Replaces a hash of another cost or scheme, now that the password is known to be right.
    async fn renew_hash(&self, user: UserId, password: Password, old: String) -> Result<(), AuthError> {
        let new = self.passwords.hash(password).await?;
        self.database.write(move |connection| users::replace_password_hash(connection, user, &old, &new)).await?;
        Ok(())
    }
}
