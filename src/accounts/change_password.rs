//! Take another password, knowing the one that stands.

use super::reset_password::changed_mail;
use crate::domain::event::{Event, EventType};
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::session::EndReason;
use crate::session::{
    Acting, IssuedTokens, PasswordOutcome, ProvenPassword, SessionError, Sessions, Throttled, announced,
    note_password_entered,
};
use crate::store::changes::Change;
use crate::store::session_locks::Reach;
use crate::store::sessions::{self, Which};
use crate::store::{auth_tokens, events, outbox, users};

/// What came of it.
#[derive(Debug)]
pub enum PasswordChangeOutcome {
    /// It is changed. Every other sign-in has ended; this one goes on with these tokens.
    Done(IssuedTokens),
    /// The current password was not the one that was entered; nothing was changed.
    Refused,
    /// Too many wrong passwords were entered, and this one was not looked at.
    Throttled(Throttled),
    /// The new one is too easy to guess; nothing was changed.
    WeakPassword(Weakness),
}

/// Changes the password of whoever asks for it and knows the current one, ends all of their other sign-ins, cancels the
/// links to set a new one, and tells them by mail: in one transaction. The sign-in that asks stays, with new tokens.
///
/// The current password is counted as one that is entered to sign in. A button that was clicked twice sends one that is
/// current no more: where the new one already stands, it is what was asked for.
///
/// # Errors
/// If the database or the password pool has no answer; `SignedOut` if the session has ended meanwhile. Nothing was changed
/// then.
pub async fn change_password(
    sessions: &Sessions,
    acting: Acting<'_>,
    current: Password,
    password: Password,
) -> Result<PasswordChangeOutcome, SessionError> {
    let user = acting.identity.user();
    let proven = match sessions.prove_password(acting, current).await? {
        PasswordOutcome::Right(proven) => proven,
        PasswordOutcome::Refused => return again(sessions, acting, password).await,
        PasswordOutcome::Throttled(throttled) => return Ok(PasswordChangeOutcome::Throttled(throttled)),
    };
    let hashed = sessions.hash_chosen_password(password.clone(), &user.full_name, &user.email).await;
    if !matches!(hashed, Ok(Ok(_))) {
        // The current one was right, whatever becomes of the new one.
        forgive(sessions, &proven).await?;
    }
    let hash = match hashed? {
        Ok(hash) => hash,
        Err(weakness) => return Ok(PasswordChangeOutcome::WeakPassword(weakness)),
    };
    let (owner, session, now) = (user.id, acting.identity.session(), sessions.now());
    let notice = changed_mail(sessions, user, false, acting.client, now);
    let (client, entered) = (acting.client.clone(), ProvenPassword::clone(&proven));
    let changed = sessions.act_on(acting.identity, Reach::AllOf(owner), move |connection| {
        if !entered.still_holds(connection)? {
            return Ok((None, Vec::<Change>::new()));
        }
        users::set_password_hash(connection, owner, &hash)?;
        let row = note_password_entered(connection, &entered, session, now)?;
        auth_tokens::cancel_resets(connection, owner)?;
        let because = EndReason::PasswordChanged;
        let end = Event::of_end(because, owner, &client, now);
        let ended = sessions::end(connection, &Which::All { spared: Some(session) }, because, &end)?;
        let event = Event::new(EventType::PasswordChanged, Some(owner), &client, now).about(session);
        events::insert(connection, &event)?;
        if let Some(notice) = notice {
            outbox::insert(connection, &notice, now)?;
        }
        Ok((row, announced(&ended)))
    });
    let Some(row) = changed.await? else {
        sessions.refuse_outdated(&proven, acting.client).await?;
        // It holds the turn of whoever enters this account's password.
        drop(proven);
        return again(sessions, acting, password).await;
    };
    sessions.database().wake_outbox();
    tracing::info!(user = %owner, address = acting.client.address_text(), "a password was changed");
    sessions.tokens_after_password(acting, row).await.map(PasswordChangeOutcome::Done)
}

/// Answers a form whose current password is none: the second click on its button, if this very sign-in has changed the
/// password a moment ago, and the new one stands. Without such a change, nothing more is looked at, or a person who
/// mistypes would have half as many tries.
async fn again(
    sessions: &Sessions,
    acting: Acting<'_>,
    password: Password,
) -> Result<PasswordChangeOutcome, SessionError> {
    let (owner, session, now) = (acting.identity.user().id, acting.identity.session(), sessions.now());
    let since = now - sessions.lifetimes().window();
    let read = move |connection: &mut _| events::password_changed_by(connection, owner, session, since);
    if !sessions.database().read(read).await? {
        return Ok(PasswordChangeOutcome::Refused);
    }
    let PasswordOutcome::Right(proven) = sessions.prove_password(acting, password).await? else {
        return Ok(PasswordChangeOutcome::Refused);
    };
    let entered = ProvenPassword::clone(&proven);
    let noted = sessions.act(acting.identity, move |connection| {
        let row = note_password_entered(connection, &entered, session, now)?;
        Ok((row, Vec::<Change>::new()))
    });
    match noted.await? {
        Some(row) => sessions.tokens_after_password(acting, row).await.map(PasswordChangeOutcome::Done),
        None => Ok(PasswordChangeOutcome::Refused),
    }
}

/// Takes back what was counted before the password was looked at, since it was right.
async fn forgive(sessions: &Sessions, proven: &ProvenPassword) -> Result<(), SessionError> {
    let (proven, now) = (ProvenPassword::clone(proven), sessions.now());
    sessions.write(move |connection| Ok((proven.succeeded(connection, now)?, Vec::<Change>::new()))).await
}
