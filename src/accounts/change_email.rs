//! Ask for another address of an account, and undo that by the link that the old address was sent.

use time::OffsetDateTime;

use super::pending_registration::{in_use_mail, url};
use crate::crypto::random_bytes;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::mail_token::{CONFIRMATION_LIFE, MailToken, NOTICE_LINK_LIFE};
use crate::domain::session::EndReason;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, User};
use crate::mail::messages::{EmailChangeLink, EmailChanged, TimeWords};
use crate::session::{Identity, SessionError, Sessions, address_in_words, announced};
use crate::store::changes::Change;
use crate::store::email_changes::{self, EmailChange};
use crate::store::outbox::{self, NewMail};
use crate::store::sessions::{self, Which};
use crate::store::{addresses, auth_tokens, events, notice_links, throttle, users};

/// What stands in the place of the password's hash while an account has none: no text is a password for it, and saying so
/// takes as long as ever.
const NO_PASSWORD: &str = "!";

/// What the account page tells of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailStanding {
    /// Whether a mail server refused the last mail to it.
    pub refused: bool,
    /// The change under way.
    pub change: Option<EmailChange>,
}

/// A link that would undo a change of address, if it were used now.
#[derive(Debug, Clone)]
pub struct UndoLink {
    token: SecretHash,
    user: User,
    /// The address that comes back.
    pub email: Email,
}

/// Returns what the account page tells of the address of whoever asks.
///
/// # Errors
/// If the database has no answer.
pub async fn email_standing(sessions: &Sessions, acting: &Identity) -> Result<EmailStanding, SessionError> {
    let (user, now) = (acting.user().id, sessions.now());
    let read = sessions.database().read(move |connection| {
        let refused = addresses::is_refused(connection, user)?;
        Ok(EmailStanding { refused, change: email_changes::of_user(connection, user, now)? })
    });
    Ok(read.await?)
}

/// Sends a link to the address that the account of whoever asks is to have; until it is used, nothing changes.
///
/// Where the address has an account, that one's owner is told instead, and whoever asks sees no difference. Past the mails
/// that strangers may cause to one address, the link that was sent last stays the one that works.
///
/// # Errors
/// `SignedOut` if the session has ended; if the database cannot write, or there are no random bytes.
pub async fn request_email_change(sessions: &Sessions, acting: &Identity, email: Email) -> Result<(), SessionError> {
    let (user, now) = (acting.user().id, sessions.now());
    let token = MailToken::from_bytes(random_bytes()?);
    let link = EmailChangeLink { url: &url(sessions.public_url(), &token), hours: CONFIRMATION_LIFE.whole_hours() };
    let link = sessions.write_mail(email.clone(), &link, now + CONFIRMATION_LIFE);
    let mails = link.and_then(|link| Ok((link, in_use_mail(sessions, &email, now)?)));
    let (link, in_use) = match mails {
        Ok(mails) => mails,
        Err(error) => {
            tracing::error!(%user, %error, "a link to confirm an address cannot be written");
            return Ok(());
        }
    };
    sessions
        .act(acting, move |connection| {
            let taken = addresses::is_taken(connection, &email, Some(user), now)?;
            let sent = outbox::insert_limited(connection, if taken { &in_use } else { &link }, now)?;
            let before = email_changes::of_user(connection, user, now)?;
            if sent || before.is_none_or(|before| before.email != email.as_str()) {
                email_changes::replace(connection, user, &email, token.hash(), now)?;
            }
            Ok(((), Vec::new()))
        })
        .await?;
    sessions.database().wake_outbox();
    Ok(())
}

/// Gives up the change that the account of whoever asks has under way.
///
/// # Errors
/// `SignedOut` if the session has ended; if the database cannot write.
pub async fn cancel_email_change(sessions: &Sessions, acting: &Identity) -> Result<(), SessionError> {
    let user = acting.user().id;
    sessions.act(acting, move |connection| Ok((email_changes::cancel(connection, user)?, Vec::new()))).await
}

/// Writes the mail that tells the old address of `user` of the change.
///
/// It does not name the new one: whoever chose it would choose words that this server sends to somebody.
pub(super) fn changed_mail(
    sessions: &Sessions,
    user: &User,
    undo: &MailToken,
    client: &Client,
    now: OffsetDateTime,
) -> Option<NewMail> {
    let at = DisplayTime::new(now, now);
    let notice = EmailChanged {
        at: TimeWords { iso: &at.iso, words: &at.words },
        address: &address_in_words(client),
        undo_url: &format!("{}/email-undo/{}", sessions.public_url(), *undo.reveal()),
        days: NOTICE_LINK_LIFE.whole_days(),
    };
    sessions.write_notice_until(user, &notice, now + NOTICE_LINK_LIFE)
}

/// Returns the change that the first of these tokens that still works undoes; it changes nothing.
///
/// # Errors
/// If the database has no answer.
pub async fn find_undo(sessions: &Sessions, tokens: Vec<MailToken>) -> Result<Option<UndoLink>, SessionError> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let now = sessions.now();
    let found = sessions.database().read(move |connection| {
        for token in tokens {
            let token = token.hash();
            if let Some((user, email)) = notice_links::find_undo(connection, token, now)?
                && let Ok(email) = email.parse()
            {
                return Ok(Some(UndoLink { token, user, email }));
            }
        }
        Ok(None)
    });
    Ok(found.await?)
}

/// Gives an account the address back that a link names, however often it was changed since: every sign-in ends, what is
/// under way is given up, and the password is void, because whoever changed the address knew it. Returns the token by
/// which a new password is set; nothing if the link was used or outlived meanwhile.
///
/// # Errors
/// If the database cannot write, or there are no random bytes; nothing was changed then.
pub async fn undo_email_change(
    sessions: &Sessions,
    link: UndoLink,
    client: &Client,
) -> Result<Option<MailToken>, SessionError> {
    let UndoLink { token, user, email } = link;
    let (id, now, client) = (user.id, sessions.now(), client.clone());
    let reset = MailToken::from_bytes(random_bytes()?);
    let new_password = reset.hash();
    let undone = sessions.write(move |connection| {
        // Before anything else of theirs: so no session begins beside the end of all.
        users::lock_row(connection, id)?;
        if notice_links::find_undo(connection, token, now)?.is_none()
            || !addresses::change(connection, id, &email, now)?
            || !notice_links::use_undo(connection, id, token)?
        {
            return Ok((false, Vec::new()));
        }
        users::set_password_hash(connection, id, NO_PASSWORD)?;
        auth_tokens::cancel_all(connection, id)?;
        let owner = User { email: email.as_str().into(), ..user };
        auth_tokens::replace_reset(connection, &owner, new_password, now)?;
        throttle::clear(connection, &email, now)?;
        let because = EndReason::PasswordChanged;
        let end = Event::of_end(because, id, &client, now);
        let ended = sessions::end(connection, &Which::All { spared: None }, because, &end)?;
        events::insert(connection, &Event::new(EventType::EmailChanged, Some(id), &client, now).because("undone"))?;
        let changes = announced(&ended).into_iter().chain([Change::User(id)]).collect();
        Ok((true, changes))
    });
    let undone = undone.await?;
    if undone {
        tracing::info!(user = %id, "a change of address was undone, and every sign-in ended");
    }
    Ok(undone.then_some(reset))
}
