//! Make an account and sign its owner in.

use crate::auth::{Auth, AuthError, IssuedTokens, record_sign_in};
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::password::Password;
use crate::domain::user::{Email, FullName};
use crate::store::events;
use crate::store::users::{self, Inserted};

/// Somebody's wish for an account.
#[derive(Debug)]
pub struct Registration {
    /// What they are called.
    pub full_name: FullName,
    /// Where they are reached; no other account has it.
    pub email: Email,
    /// A password that meets the policy.
    pub password: Password,
    /// Whether the sign-in that begins with it is to outlive the browser session.
    pub keep: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum RegistrationOutcome {
    /// They have an account and are signed in.
    Registered(IssuedTokens),
    /// The address has an account.
    EmailTaken,
}

/// Makes an account and begins its first sign-in, in one transaction.
///
/// The password is hashed before the address is looked at, so the answer takes as long either way.
///
/// # Errors
/// If the database or the password pool has no answer; no account was made.
pub async fn register(auth: &Auth, wish: Registration, client: &Client) -> Result<RegistrationOutcome, AuthError> {
    let Registration { full_name, email, password, keep } = wish;
    let hash = auth.hash_password(password).await?;
    let now = auth.now();
    // The user's number is not known before the row is written; everything else of the sign-in is.
    let draft = auth.draft_session(keep, client, now)?;
    let from = client.clone();
    let registered = auth
        .database()
        .write(move |connection| {
            let user = match users::insert(connection, &email, &full_name, &hash, now)? {
                Inserted::User(user) => user,
                Inserted::EmailTaken => return Ok(None),
            };
            let begun = draft.for_user(user.id);
            events::insert(connection, &Event::new(EventType::Registered, Some(user.id), &from, now))?;
            record_sign_in(connection, &begun.session, &from)?;
            Ok(Some((user, begun)))
        })
        .await?;
    match registered {
        Some((user, begun)) => auth.first_tokens(&begun, &user, None).map(RegistrationOutcome::Registered),
        None => Ok(RegistrationOutcome::EmailTaken),
    }
}
