//! Set a new password by a mailed link, without the old one.
//!
//! A link works once, for 30 minutes, and only the newest of an account (OWASP Forgot Password Cheat Sheet). The database
//! knows its token by a hash alone; while the mail waits, its text is in the outbox. Reading a link changes nothing, however
//! often it is done: what scans mail opens links. Only a new password uses it up.

use time::OffsetDateTime;

use crate::crypto::random_bytes;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::public_url::PublicUrl;
use crate::domain::session::EndReason;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, User};
use crate::mail::MailError;
use crate::mail::messages::{PasswordChanged, ResetLink, TimeWords};
use crate::session::{SessionError, Sessions, address_in_words, announced};
use crate::store::outbox::{self, NewMail};
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, auth_tokens, events, throttle, users};

/// A link that would set the password of an account, if it were used now.
#[derive(Debug, Clone)]
pub struct LiveLink {
    token: SecretHash,
    /// Whose password it sets.
    pub user: User,
}

/// What came of a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetOutcome {
    /// It is set, and every sign-in of the account has ended.
    Done,
    /// The password is too easy to guess; nothing was changed, and the link goes on working.
    WeakPassword(Weakness),
    /// The link was used, replaced or outlived meanwhile; nothing was changed.
    DeadLink,
}

/// Returns the link that holds a token.
pub(super) fn url(public_url: &PublicUrl, token: &MailToken) -> String {
    format!("{public_url}/password-reset/{}", *token.reveal())
}

/// Sends a link to an address if an active account has it, and says nothing of whether one does.
///
/// What is done takes a little longer where there is an account; whoever answers a request keeps that to themselves. Past
/// the mails that strangers may cause to one address, the link that was sent last stays the one that works.
///
/// # Errors
/// If the database cannot write, or there are no random bytes; then nothing was sent.
pub async fn request_reset(sessions: &Sessions, email: Email, client: &Client) -> Result<(), SessionError> {
    let now = sessions.now();
    let token = MailToken::from_bytes(random_bytes()?);
    let link = ResetLink { url: &url(sessions.public_url(), &token), minutes: RESET_LIFE.whole_minutes() };
    let mail = sessions.write_mail(email.clone(), &link, now + RESET_LIFE);
    let client = client.clone();
    sessions
        .write(move |connection| Ok((record_request(connection, &email, &token, mail, &client, now)?, Vec::new())))
        .await?;
    sessions.database().wake_outbox();
    Ok(())
}

fn record_request(
    connection: &mut Connection,
    email: &Email,
    token: &MailToken,
    mail: Result<NewMail, MailError>,
    client: &Client,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let user = match users::find_by_email(connection, email)? {
        // As whoever sets a password does: two links that are asked for at once take turns. One that was deleted since it
        // was read is no account.
        Some(user) => users::lock_row(connection, user.id)?.map(|locked| (user, locked.is_active)),
        None => None,
    };
    let id = user.as_ref().map(|(user, _)| user.id);
    let event = Event::new(EventType::PasswordResetRequested, id, client, now);
    let refused = match (&user, mail) {
        (None, _) => Some("unknown_account"),
        (Some((_, false)), _) => Some("deactivated"),
        (Some((user, true)), Ok(mail)) if outbox::insert_limited(connection, &mail, now)? => {
            auth_tokens::replace_reset(connection, user, token.hash(), now)?;
            None
        }
        (Some(_), Ok(_)) => Some("mail_limit"),
        (Some((user, _)), Err(error)) => {
            tracing::error!(user = %user.id, %error, "a link to set a new password cannot be written");
            Some("no_mail")
        }
    };
    let event = match refused {
        Some(reason) => event.because(reason),
        None => event,
    };
    events::insert(connection, &event)
}

/// Returns the first of these tokens that still works; it changes nothing.
///
/// # Errors
/// If the database has no answer.
pub async fn find_link(sessions: &Sessions, tokens: Vec<MailToken>) -> Result<Option<LiveLink>, SessionError> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let now = sessions.now();
    let found = sessions.database().read(move |connection| {
        for token in tokens {
            let token = token.hash();
            if let Some(user) = auth_tokens::find_reset(connection, token, now)? {
                return Ok(Some(LiveLink { token, user }));
            }
        }
        Ok(None)
    });
    Ok(found.await?)
}

/// Sets a new password by a link and uses the link up, ends every sign-in of the account, and tells its owner by mail: in
/// one transaction. Of any number at once, on any number of processes, one does.
///
/// Nobody is signed in by it: whoever holds the link proves that they know the new password.
///
/// # Errors
/// If the database or the password pool has no answer; nothing was changed then.
pub async fn reset_password(
    sessions: &Sessions,
    link: LiveLink,
    password: Password,
    client: &Client,
) -> Result<ResetOutcome, SessionError> {
    let LiveLink { token, user } = link;
    let hash = match sessions.hash_chosen_password(password, &user.full_name, &user.email).await? {
        Ok(hash) => hash,
        Err(weakness) => return Ok(ResetOutcome::WeakPassword(weakness)),
    };
    let now = sessions.now();
    let notice = changed_mail(sessions, &user, true, client, now);
    let (client, owner, address) = (client.clone(), user.id, client.address_text());
    let email = user.email.parse::<Email>().ok();
    let outcome = sessions
        .write(move |connection| {
            // Before anything else of theirs: so no session begins beside the end of all, and no other link is made.
            users::lock_row(connection, owner)?;
            let live = auth_tokens::find_reset(connection, token, now)?.is_some_and(|user| user.id == owner);
            if !live || !auth_tokens::use_up(connection, owner, token, now)? {
                return Ok((ResetOutcome::DeadLink, Vec::new()));
            }
            users::set_password_hash(connection, owner, &hash)?;
            if let Some(email) = &email {
                // Whoever locked the account out guessed at a password that is gone.
                throttle::clear(connection, email, now)?;
            }
            let because = EndReason::PasswordChanged;
            let end = Event::of_end(because, owner, &client, now);
            let ended = sessions::end(connection, &Which::All { spared: None }, because, &end)?;
            let event = |kind| Event::new(kind, Some(owner), &client, now);
            events::insert(connection, &event(EventType::PasswordReset))?;
            events::insert(connection, &event(EventType::PasswordChanged).because(EventType::PasswordReset.as_str()))?;
            if let Some(notice) = notice {
                outbox::insert(connection, &notice, now)?;
            }
            Ok((ResetOutcome::Done, announced(&ended)))
        })
        .await?;
    if outcome == ResetOutcome::Done {
        tracing::info!(user = %owner, address, "a password was set by a mailed link");
        sessions.database().wake_outbox();
    }
    Ok(outcome)
}

/// Writes the mail that tells `user` of a new password, set by a mailed link or by whoever knew the one before.
pub(super) fn changed_mail(
    sessions: &Sessions,
    user: &User,
    by_link: bool,
    client: &Client,
    now: OffsetDateTime,
) -> Option<NewMail> {
    let at = DisplayTime::new(now, now);
    let notice = PasswordChanged {
        at: TimeWords { iso: &at.iso, words: &at.words },
        address: &address_in_words(client),
        by_link,
        reset_url: &format!("{}/password-reset", sessions.public_url()),
    };
    sessions.write_notice(user, &notice, now)
}
