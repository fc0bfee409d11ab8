//! Make an account and sign its owner in.

use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{DeviceId, FormId};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::user::{Email, FullName, User};
use crate::session::{Authenticated, IssuedTokens, SessionError, Sessions, SignIn, announced, end_replaced};
use crate::store::users::{self, Inserted};
use crate::store::{events, throttle};

/// Somebody's wish for an account.
#[derive(Debug)]
pub struct Registration {
    /// What they are called.
    pub full_name: FullName,
    /// Where they are reached; no other account has it.
    pub email: Email,
    /// A password that is long enough.
    pub password: Password,
    /// Whether it may be the first of all, which is an administrator's.
    pub may_be_first: bool,
    /// Whether the session that begins with it is to outlive the browser session.
    pub keep: bool,
    /// The form that they sent: sent twice, it makes one account and begins one session.
    pub form: Option<FormId>,
    /// The device that they are at: from now on, it is known.
    pub device: DeviceId,
}

/// What came of it.
#[derive(Debug)]
pub enum RegistrationOutcome {
    /// They have an account and are signed in.
    Registered(IssuedTokens),
    /// The address has an account.
    EmailTaken,
    /// There is no account yet, and this one may not be the first.
    MayNotBeFirst,
    /// The password is too easy to guess; nobody asked whether the address has an account.
    WeakPassword(Weakness),
}

/// Makes an account and begins its first session, in one transaction; that ends the ones that the same browser still held.
///
/// The password is hashed before the address is looked at, so the answer takes as long either way.
///
/// # Errors
/// If the database or the password pool has no answer; no account was made.
pub async fn register(
    sessions: &Sessions,
    wish: Registration,
    held: &Authenticated,
    client: &Client,
) -> Result<RegistrationOutcome, SessionError> {
    let Registration { full_name, email, password, may_be_first, keep, form, device } = wish;
    let (device, audience, shared_computer) = (Some(device), Audience::Pages, false);
    let (email_again, password_again) = (Some(email.clone()), password.clone());
    let again = SignIn { email: email_again, password: password_again, keep, shared_computer, form, device, audience };
    let hash = match sessions.hash_chosen_password(password, full_name.as_str(), email.as_str()).await? {
        Ok(hash) => hash,
        Err(weakness) => return Ok(RegistrationOutcome::WeakPassword(weakness)),
    };
    let now = sessions.now();
    let replaced = sessions.opening(held, now).await?;
    // The user's number is not known before the row is written; everything else of the session is.
    let draft = sessions.draft(keep, form, client, now)?;
    let (from, recording) = (client.clone(), sessions.clone());
    let registered = sessions.write(move |connection| {
        let insert = if may_be_first { users::insert } else { users::insert_unless_first };
        let user = match insert(connection, &email, &full_name, &hash, now)? {
            Inserted::User(user) => user,
            Inserted::EmailTaken => return Ok((Err(RegistrationOutcome::EmailTaken), Vec::new())),
            Inserted::WouldBeFirst => return Ok((Err(RegistrationOutcome::MayNotBeFirst), Vec::new())),
        };
        events::insert(connection, &Event::new(EventType::Registered, Some(user.id), &from, now))?;
        let ended = end_replaced(connection, &replaced, &from, now)?;
        let begun = recording.record(connection, draft.for_user(user.id), form, None, &from)?;
        // What strangers tried while there was no account is not held against its owner.
        throttle::succeeded(connection, &email, device, None, now)?;
        // As any process reads the row from now on.
        let user = User { last_login_at: Some(now), ..user };
        Ok((Ok((user, begun)), announced(&ended)))
    });
    match registered.await? {
        Ok((user, begun)) => sessions.first_tokens(&begun, user, None).map(RegistrationOutcome::Registered),
        // The address may have its account from this very form: its button was clicked twice.
        Err(RegistrationOutcome::EmailTaken) => Ok(match sessions.join(again, client).await? {
            Some(tokens) => RegistrationOutcome::Registered(tokens),
            None => RegistrationOutcome::EmailTaken,
        }),
        Err(refused) => Ok(refused),
    }
}
