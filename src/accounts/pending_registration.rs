//! Ask for an account whose address is confirmed by a mailed link first.
//!
//! The answer is the same for every address, and so is what it costs: the password is hashed before the address is looked
//! at, and one mail is written either way.

use time::OffsetDateTime;

use crate::crypto::random_bytes;
use crate::domain::id::FormId;
use crate::domain::mail_token::{CONFIRMATION_LIFE, MailToken};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::public_url::PublicUrl;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, FullName};
use crate::mail::MailError;
use crate::mail::messages::{AddressInUse, RegistrationLink};
use crate::session::{SessionError, Sessions};
use crate::store::outbox::{self, NewMail};
use crate::store::pending_registrations::{self, PendingRegistration};
use crate::store::{Connection, StoreError, addresses};

/// Somebody's wish for an account with an address that nobody has confirmed.
#[derive(Debug)]
pub struct UnconfirmedWish {
    /// What they are called.
    pub full_name: FullName,
    /// Where they say that they are reached.
    pub email: Email,
    /// A password that is long enough.
    pub password: Password,
    /// Whether it may be the first of all, which is an administrator's.
    pub may_be_first: bool,
    /// Whether the session that begins with it is to outlive the browser session.
    pub keep: bool,
}

/// Returns the link that holds a token.
pub(super) fn url(public_url: &PublicUrl, token: &MailToken) -> String {
    format!("{public_url}/verify-email/{}", *token.reveal())
}

/// Writes the mail to an address that somebody wants and that has an account.
pub(super) fn in_use_mail(sessions: &Sessions, email: &Email, now: OffsetDateTime) -> Result<NewMail, MailError> {
    let site = sessions.public_url();
    let message = AddressInUse { login_url: &format!("{site}/login"), reset_url: &format!("{site}/password-reset") };
    sessions.write_mail(email.clone(), &message, now + CONFIRMATION_LIFE)
}

/// Hashes the password of a wish, which costs the same whatever the address.
///
/// # Errors
/// If the password pool has no answer.
pub async fn prepare_registration(
    sessions: &Sessions,
    wish: UnconfirmedWish,
) -> Result<Result<PendingRegistration, Weakness>, SessionError> {
    let UnconfirmedWish { full_name, email, password, may_be_first, keep } = wish;
    let hashed = sessions.hash_chosen_password(password, full_name.as_str(), email.as_str()).await?;
    Ok(hashed.map(|password_hash| PendingRegistration { email, full_name, password_hash, may_be_first, kept: keep }))
}

/// Sends the link that makes the account, or, to an address that has one, a mail that says so.
///
/// What is done takes a little longer in one of the cases; whoever answers a request keeps that to themselves. Past the
/// mails that strangers may cause to one address, nothing is sent and nothing is kept.
///
/// # Errors
/// If the database cannot write, or there are no random bytes; then nothing was sent.
pub async fn request_registration(
    sessions: &Sessions,
    wish: PendingRegistration,
    browser: Option<FormId>,
) -> Result<(), SessionError> {
    let email = wish.email.clone();
    send(sessions, email, move |connection, mails, now| {
        if addresses::is_taken(connection, &wish.email, None, now)? {
            outbox::insert_limited(connection, &mails.in_use, now)?;
        } else if outbox::insert_limited(connection, &mails.link, now)? {
            pending_registrations::insert(connection, mails.token, &wish, browser, now)?;
        }
        Ok(())
    })
    .await
}

/// Sends the link of a registration again, in the place of the one that was sent: the newest that `browser` asked for.
///
/// Why not the newest for the address: somebody else may have asked for that one, with a password of theirs.
///
/// # Errors
/// As [`request_registration`].
pub async fn resend_registration(sessions: &Sessions, email: Email, browser: FormId) -> Result<(), SessionError> {
    send(sessions, email.clone(), move |connection, mails, now| {
        if addresses::is_taken(connection, &email, None, now)? {
            outbox::insert_limited(connection, &mails.in_use, now)?;
        } else if pending_registrations::is_waiting(connection, &email, browser, now)?
            && outbox::insert_limited(connection, &mails.link, now)?
        {
            pending_registrations::replace_token(connection, &email, browser, mails.token, now)?;
        }
        Ok(())
    })
    .await
}

/// Both mails that may go to an address, and the token of the link in one of them.
struct Mails {
    token: SecretHash,
    link: NewMail,
    in_use: NewMail,
}

/// Writes both mails, and lets `decide` put one of them into the outbox.
async fn send(
    sessions: &Sessions,
    email: Email,
    decide: impl FnOnce(&mut Connection, &Mails, OffsetDateTime) -> Result<(), StoreError> + Send + 'static,
) -> Result<(), SessionError> {
    let now = sessions.now();
    let token = MailToken::from_bytes(random_bytes()?);
    let link = RegistrationLink { url: &url(sessions.public_url(), &token), hours: CONFIRMATION_LIFE.whole_hours() };
    let link = sessions.write_mail(email.clone(), &link, now + CONFIRMATION_LIFE);
    let mails =
        link.and_then(|link| Ok(Mails { token: token.hash(), link, in_use: in_use_mail(sessions, &email, now)? }));
    let mails = match mails {
        Ok(mails) => mails,
        Err(error) => {
            tracing::error!(%error, "a link to confirm an address cannot be written");
            return Ok(());
        }
    };
    sessions.write(move |connection| Ok((decide(connection, &mails, now)?, Vec::new()))).await?;
    sessions.database().wake_outbox();
    Ok(())
}
