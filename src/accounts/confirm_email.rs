//! Confirm an address by a mailed link: it makes the account that waits for it, or gives an account its new address.
//!
//! Reading a link changes nothing, however often it is done; only the button of its page uses it up. Of any number at
//! once, on any number of processes, one does.

use super::change_email::changed_mail;
use crate::crypto::random_bytes;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{DeviceId, FormId, UserId};
use crate::domain::mail_token::MailToken;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, User};
use crate::session::{Authenticated, IssuedTokens, SessionError, Sessions};
use crate::store::changes::Change;
use crate::store::pending_registrations;
use crate::store::users::{self, Inserted};
use crate::store::{addresses, auth_tokens, email_changes, events, notice_links, outbox, throttle};

/// A link that confirms an address, as it was found.
#[derive(Debug, Clone)]
pub struct Confirmation {
    token: SecretHash,
    /// The address.
    pub email: Email,
    /// Whose new address it is; nobody's where it makes an account.
    pub owner: Option<User>,
}

/// Who uses a link.
#[derive(Debug, Clone)]
pub struct Confirming {
    /// The form that they sent: its button clicked twice begins one session.
    pub form: Option<FormId>,
    /// The device that they are at.
    pub device: DeviceId,
    /// Where they are.
    pub client: Client,
}

/// What came of it.
#[derive(Debug)]
pub enum ConfirmOutcome {
    /// They have an account and are signed in.
    SignedIn(IssuedTokens),
    /// They have an account, and stay signed in to another.
    Registered,
    /// The account has the new address.
    Changed(UserId),
    /// The link was used or outlived meanwhile, or the address has an account by now; nothing was changed.
    DeadLink,
}

/// Returns what the first of these tokens that still works confirms; it changes nothing.
///
/// # Errors
/// If the database has no answer.
pub async fn find_confirmation(
    sessions: &Sessions,
    tokens: Vec<MailToken>,
) -> Result<Option<Confirmation>, SessionError> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let now = sessions.now();
    let found = sessions.database().read(move |connection| {
        for token in tokens {
            let token = token.hash();
            if let Some(pending) = pending_registrations::find(connection, token, now)?
                && !addresses::is_taken(connection, &pending.email, None, now)?
            {
                return Ok(Some(Confirmation { token, email: pending.email, owner: None }));
            }
            if let Some((owner, email)) = email_changes::find(connection, token, now)?
                && let Ok(email) = email.parse()
                && !addresses::is_taken(connection, &email, Some(owner.id), now)?
            {
                return Ok(Some(Confirmation { token, email, owner: Some(owner) }));
            }
        }
        Ok(None)
    });
    Ok(found.await?)
}

/// Uses a link up.
///
/// Whoever is signed in stays so: a new account waits for them to sign in to it.
///
/// # Errors
/// If the database cannot write; nothing was changed then.
pub async fn confirm_email(
    sessions: &Sessions,
    confirmation: Confirmation,
    held: &Authenticated,
    by: Confirming,
) -> Result<ConfirmOutcome, SessionError> {
    match confirmation.owner {
        Some(owner) => {
            let at_home = held.identity.as_ref().is_some_and(|identity| identity.user().id == owner.id);
            change(sessions, confirmation.token, confirmation.email, owner, at_home, by).await
        }
        None => make_account(sessions, confirmation.token, held, by).await,
    }
}

/// Makes the account that waits, in one transaction with its first session.
async fn make_account(
    sessions: &Sessions,
    token: SecretHash,
    held: &Authenticated,
    by: Confirming,
) -> Result<ConfirmOutcome, SessionError> {
    let now = sessions.now();
    let stays = held.identity.is_some();
    let Confirming { form, device, client } = by;
    // Whether the session is to be kept stands in the row, which is read first; what is decided on is read again below.
    let pending = sessions.database().read(move |connection| pending_registrations::find(connection, token, now));
    let Some(pending) = pending.await? else { return Ok(ConfirmOutcome::DeadLink) };
    let draft = sessions.draft(pending.kept, form, &client, now)?;
    let recording = sessions.clone();
    let made = sessions.write(move |connection| {
        if pending_registrations::find(connection, token, now)?.is_none()
            || !pending_registrations::use_up(connection, token, now)?
        {
            return Ok((None, Vec::new()));
        }
        let insert = if pending.may_be_first { users::insert } else { users::insert_unless_first };
        let inserted = insert(connection, &pending.email, &pending.full_name, &pending.password_hash, now)?;
        let Inserted::User(user) = inserted else { return Ok((None, Vec::new())) };
        pending_registrations::done(connection, token, &pending.email, user.id)?;
        for kind in [EventType::Registered, EventType::EmailVerified] {
            events::insert(connection, &Event::new(kind, Some(user.id), &client, now))?;
        }
        if stays {
            return Ok((Some((user, None)), Vec::new()));
        }
        let begun = recording.record(connection, draft.for_user(user.id), form, None, &client)?;
        // What strangers tried while there was no account is not held against its owner.
        throttle::succeeded(connection, &pending.email, Some(device), None, now)?;
        // As any process reads the row from now on.
        let user = User { last_login_at: Some(now), ..user };
        Ok((Some((user, Some(begun))), Vec::new()))
    });
    match made.await? {
        Some((user, Some(begun))) => sessions.first_tokens(&begun, user, None).map(ConfirmOutcome::SignedIn),
        Some((_, None)) => Ok(ConfirmOutcome::Registered),
        None => Ok(ConfirmOutcome::DeadLink),
    }
}

/// Joins the session that the same form began a moment ago with one of these tokens: its button was clicked twice. Nothing
/// if there is none.
///
/// # Errors
/// If the database has no answer.
pub async fn join_confirmed(
    sessions: &Sessions,
    tokens: Vec<MailToken>,
    by: &Confirming,
) -> Result<Option<IssuedTokens>, SessionError> {
    let Some(form) = by.form else { return Ok(None) };
    let (now, window, joining) = (sessions.now(), sessions.lifetimes().window(), sessions.clone());
    let draft = sessions.draft(false, None, &by.client, now)?;
    let found = sessions.database().read(move |connection| {
        for token in tokens {
            let made = pending_registrations::made_since(connection, token.hash(), now - window)?;
            let user = made.map(|user| users::find(connection, user)).transpose()?.flatten();
            let Some(user) = user.filter(|user| user.is_active) else { continue };
            if let Some(begun) = joining.begun_by(connection, form, user.id, now)? {
                return Ok(Some((user, begun)));
            }
        }
        Ok(None)
    });
    let Some((user, (session, refresh))) = found.await? else { return Ok(None) };
    let begun = draft.for_user(user.id).joining(session, refresh);
    sessions.first_tokens(&begun, user, None).map(Some)
}

/// Gives an account its new address, and tells the old one how to undo that, in one transaction.
async fn change(
    sessions: &Sessions,
    token: SecretHash,
    email: Email,
    owner: User,
    at_home: bool,
    by: Confirming,
) -> Result<ConfirmOutcome, SessionError> {
    let now = sessions.now();
    let Confirming { device, client, .. } = by;
    let undo = MailToken::from_bytes(random_bytes()?);
    let notice = changed_mail(sessions, &owner, &undo, &client, now);
    let id = owner.id;
    let changed = sessions.write(move |connection| {
        users::lock_row(connection, id)?;
        let live = email_changes::find(connection, token, now)?;
        // The address that the notice goes to must be the one that is given up.
        let live = live.is_some_and(|(user, wanted)| user.email == owner.email && wanted == email.as_str());
        if !live || !addresses::change(connection, id, &email, now)? {
            return Ok((false, Vec::new()));
        }
        auth_tokens::use_up(connection, id, token, now)?;
        notice_links::insert_undo(connection, id, undo.hash(), &owner.email, now)?;
        if at_home {
            throttle::know(connection, &email, device, now)?;
        }
        for kind in [EventType::EmailChanged, EventType::EmailVerified] {
            events::insert(connection, &Event::new(kind, Some(id), &client, now))?;
        }
        if let Some(notice) = notice {
            outbox::insert(connection, &notice, now)?;
        }
        Ok((true, vec![Change::User(id)]))
    });
    if !changed.await? {
        return Ok(ConfirmOutcome::DeadLink);
    }
    tracing::info!(user = %id, "the address of an account was changed");
    sessions.database().wake_outbox();
    Ok(ConfirmOutcome::Changed(id))
}
