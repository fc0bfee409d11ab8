//! Make an account for somebody, as whoever runs the site does.

use time::OffsetDateTime;

use super::reset_password::url;
use crate::crypto::{PasswordHasher, RandomError, random_bytes};
use crate::display::duration::exactly;
use crate::domain::event::{Event, EventType};
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::domain::password::Password;
use crate::domain::password_quality::{OwnWords, Weakness, weakness};
use crate::domain::public_url::PublicUrl;
use crate::domain::user::{Email, FullName, Role, User};
use crate::mail::messages::Invitation;
use crate::mail::{MailError, MailTemplates};
use crate::session::queued;
use crate::store::outbox::NewMail;
use crate::store::users::{self, Inserted};
use crate::store::{Connection, Database, StoreError, auth_tokens, events, outbox, peppers, throttle};

/// Somebody who is to have an account.
#[derive(Debug)]
pub struct NewAccount {
    /// Where they are reached; no other account has it.
    pub email: Email,
    /// What they are called.
    pub full_name: FullName,
    /// What they may do; where nobody says, the first of all is an administrator and everybody else is a user.
    pub role: Option<Role>,
    /// Their password; where there is none, a link to set one is mailed.
    pub password: Option<Password>,
}

/// What came of it.
#[derive(Debug)]
pub enum Added {
    /// They have an account.
    User(User),
    /// The address has an account.
    EmailTaken,
    /// The password is too easy to guess.
    WeakPassword(Weakness),
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The database has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The password cannot be hashed.
    #[error("cannot hash a password: {0}")]
    Hash(#[from] bcrypt::BcryptError),
    /// The mail with the link cannot be written.
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Adds an account, with its event and the mail with the link in the same transaction.
///
/// It blocks for as long as a password hash takes.
///
/// # Errors
/// If the database cannot write, or there are no random bytes; no account was made.
pub fn add_account(
    database: &Database,
    public_url: &PublicUrl,
    site_name: &str,
    texts: &MailTemplates,
    bcrypt_cost: u32,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Added, AddError> {
    let NewAccount { email, full_name, role, password } = account;
    let own = OwnWords::new(full_name.as_str(), email.as_str(), site_name, public_url.host());
    if let Some(weakness) = password.as_ref().and_then(|password| weakness(password, &own)) {
        return Ok(Added::WeakPassword(weakness));
    }
    // Without a password, that of nobody: a link is the only way in.
    let (link, password) = match password {
        Some(password) => (None, password),
        None => (Some(MailToken::from_bytes(random_bytes()?)), nobodys_password::<AddError>()?),
    };
    let fresh = zeroize::Zeroizing::new(random_bytes::<32>()?);
    let peppers = database.write_blocking(move |connection| peppers::find_or_insert(connection, &fresh, now))?;
    let hash = PasswordHasher::new(bcrypt_cost, peppers.current).hash(&password)?;
    let mail = match &link {
        Some(token) => Some((token.clone(), link_mail(texts, email.clone(), public_url, token, now)?)),
        None => None,
    };
    let added = database.write_blocking(move |connection| {
        let inserted = match &role {
            Some(role) => users::insert_as(connection, role.clone(), &email, &full_name, &hash, now)?,
            None => users::insert(connection, &email, &full_name, &hash, now)?,
        };
        let user = match inserted {
            Inserted::User(user) => user,
            Inserted::EmailTaken | Inserted::WouldBeFirst => return Ok(Added::EmailTaken),
        };
        let event = |kind| Event::of_command(kind, Some(user.id), now);
        record(connection, &user, &email, mail.as_ref(), event, now)?;
        Ok(Added::User(user))
    })?;
    database.wake_outbox();
    Ok(added)
}

/// Writes down that an account was made for somebody, and queues the mail with its link; `event` makes an event of what
/// happened to them.
pub(super) fn record(
    connection: &mut Connection,
    user: &User,
    email: &Email,
    mail: Option<&(MailToken, NewMail)>,
    event: impl Fn(EventType) -> Event,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    events::insert(connection, &event(EventType::Registered).with_role(&user.role))?;
    // What strangers tried while there was no account is not held against its owner.
    throttle::clear(connection, email, now)?;
    if let Some((token, mail)) = mail {
        auth_tokens::replace_reset(connection, user, token.hash(), now)?;
        events::insert(connection, &event(EventType::PasswordResetRequested))?;
        outbox::insert(connection, mail, now)?;
    }
    Ok(())
}

/// Writes the mail with the link that sets the first password.
pub(super) fn link_mail(
    texts: &MailTemplates,
    to: Email,
    site: &PublicUrl,
    token: &MailToken,
    now: OffsetDateTime,
) -> Result<NewMail, MailError> {
    let link =
        Invitation { url: &url(site, token), life: &exactly(RESET_LIFE), again_url: &format!("{site}/password-reset") };
    Ok(queued(texts.write(to, &link)?, now + RESET_LIFE))
}

/// Returns a password that nobody knows.
pub(super) fn nobodys_password<E: From<RandomError> + From<StoreError>>() -> Result<Password, E> {
    let token = MailToken::from_bytes(random_bytes()?);
    let password = Password::entered(token.reveal());
    password.map_err(|_| StoreError::Corrupt("a random password of no length").into())
}
