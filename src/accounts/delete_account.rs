//! Leave, and leave nothing behind that says who was here.

use time::OffsetDateTime;

use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::mail::messages::{AccountDeleted, TimeWords};
use crate::session::{Identity, SessionError, Sessions, address_in_words};
use crate::store::changes::Change;
use crate::store::deletion::{self, Deletion};
use crate::store::operator::lock_admins;
use crate::store::outbox::{self, NewMail};
use crate::store::session_locks::Reach;
use crate::store::{Connection, StoreError, events, users};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// The account is gone, and every sign-in with it.
    Deleted,
    /// Nobody else could run the site for the others who have accounts; nothing was changed.
    LastAdmin,
}

/// Deletes the account of whoever asks for it, with all that is kept about them, and sends them a last mail: in one
/// transaction. What stays of the audit trail names nobody.
///
/// # Errors
/// If the database cannot write; `SignedOut` if the session has ended meanwhile. Nothing was changed then.
pub async fn delete_account(
    sessions: &Sessions,
    acting: &Identity,
    client: &Client,
) -> Result<DeletionOutcome, SessionError> {
    let (user, now) = (acting.user().id, sessions.now());
    let (writing, client) = (sessions.clone(), client.clone());
    let delete = move |connection: &mut Connection| carry_out(connection, &writing, user, &client, now);
    let outcome = sessions.act_under(lock_admins, acting, Reach::AllOf(user), delete).await?;
    if outcome == DeletionOutcome::Deleted {
        tracing::info!(%user, "an account was deleted by its owner");
        sessions.database().wake_outbox();
    }
    Ok(outcome)
}

/// Deletes an account at the wish of the application's own code; nothing if there is none.
///
/// # Errors
/// If the database cannot write; nothing was changed then.
pub async fn delete_user(sessions: &Sessions, user: UserId) -> Result<Option<DeletionOutcome>, SessionError> {
    let (writing, now) = (sessions.clone(), sessions.now());
    let deleted = sessions.write(move |connection| {
        lock_admins(connection)?;
        if users::lock_row(connection, user)?.is_none() {
            return Ok((None, Vec::new()));
        }
        let (outcome, changes) = carry_out(connection, &writing, user, &Client::new(None, ""), now)?;
        Ok((Some(outcome), changes))
    });
    let outcome = deleted.await?;
    if outcome == Some(DeletionOutcome::Deleted) {
        tracing::info!(%user, "an account was deleted by the application");
        sessions.database().wake_outbox();
    }
    Ok(outcome)
}

/// Deletes a user who is locked, in the transaction of the caller.
fn carry_out(
    connection: &mut Connection,
    sessions: &Sessions,
    user: UserId,
    client: &Client,
    now: OffsetDateTime,
) -> Result<(DeletionOutcome, Vec<Change>), StoreError> {
    match deletion::delete_user(connection, user)? {
        // The rows of the sign-ins are gone; what is remembered of them is found by their user.
        Deletion::Deleted(user) => {
            events::insert(connection, &Event::of_deletion(user.id, now))?;
            if let Some(farewell) = farewell(sessions, &user, client, now) {
                outbox::insert(connection, &farewell, now)?;
            }
            Ok((DeletionOutcome::Deleted, vec![Change::User(user.id)]))
        }
        Deletion::LastAdmin => Ok((DeletionOutcome::LastAdmin, Vec::new())),
    }
}

/// Writes the last mail.
fn farewell(sessions: &Sessions, user: &User, client: &Client, now: OffsetDateTime) -> Option<NewMail> {
    let at = DisplayTime::in_zone(now, now, user.time_zone);
    let notice = AccountDeleted {
        at: TimeWords { iso: &at.iso, words: &at.words },
        address: &address_in_words(client),
        site_url: sessions.public_url().as_str(),
    };
    sessions.write_notice(user, &notice, now)
}
