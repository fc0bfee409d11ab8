//! What an administrator does to accounts on a page.
//!
//! Each act is what a command does as well, and differs in who is asked: that the sign-in of the administrator goes on, and
//! that they still are one, is looked up in the transaction of the act, under the lock of everything that decides about
//! administrators. None of it sets a password or shows one.

use time::OffsetDateTime;

use super::administer::{Administered, activate, deactivate, give_role};
use super::reset_password::url;
use crate::crypto::random_bytes;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::domain::session::EndReason;
use crate::domain::user::{Email, Role};
use crate::mail::messages::ResetLink;
use crate::session::{Identity, SessionError, Sessions, announced};
use crate::store::changes::Change;
use crate::store::operator::{is_last_admin, lock_admins};
use crate::store::session_locks::Reach;
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, auth_tokens, events, outbox, throttle, users};

/// What came of an administrator's act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operated {
    /// It is done.
    Done {
        /// How many sign-ins ended with it.
        ended: usize,
    },
    /// There was nothing to do.
    Unchanged,
    /// It would leave no active administrator; nothing was changed.
    LastAdmin,
    /// It would lock out whoever does it; nothing was changed.
    Oneself,
    /// The account may not sign in, so a link would open nothing; nothing was changed.
    Deactivated,
    /// The address of the account takes no mail; nothing was changed.
    NoAddress,
    /// There is no such account, or no such sign-in of it.
    NotFound,
    /// Whoever asked is no administrator any more; nothing was changed.
    NotAllowed,
}

/// Does something to the account of `target` in the name of an administrator, in one transaction.
///
/// # Errors
/// `SignedOut` if the sign-in has ended meanwhile; and if the database cannot write.
async fn operate(
    sessions: &Sessions,
    acting: &Identity,
    target: UserId,
    reach: Reach,
    act: impl FnOnce(&mut Connection, By) -> Result<(Operated, Vec<SessionId>), StoreError> + Send + 'static,
) -> Result<Operated, SessionError> {
    let by = By::new(acting, sessions.now());
    let lock = move |connection: &mut Connection| lock_users(connection, by.user, target);
    let operated = sessions.act_under(lock, acting, reach, move |connection| {
        if !by.may(connection)? {
            return Ok((Operated::NotAllowed, vec![Change::User(by.user)]));
        }
        let (operated, ended) = act(connection, by)?;
        let mut changes = announced(&ended);
        changes.push(Change::User(target));
        Ok((operated, changes))
    });
    let operated = operated.await?;
    if matches!(operated, Operated::Done { .. }) {
        tracing::info!(user = %target, administrator = %by.user, "an administrator acted on an account");
    }
    Ok(operated)
}

/// Who acts.
#[derive(Debug, Clone, Copy)]
pub(super) struct By {
    user: UserId,
    session: SessionId,
    pub(super) now: OffsetDateTime,
}

impl By {
    /// Describes an administrator who acts now.
    pub(super) fn new(acting: &Identity, now: OffsetDateTime) -> Self {
        Self { user: acting.user().id, session: acting.session(), now }
    }

    /// Returns the event of what happens to a user.
    pub(super) fn event(self, kind: EventType, user: UserId) -> Event {
        Event::of_administrator(kind, user, self.user, self.session, self.now)
    }

    /// Tells whether they are an administrator now; call it in the transaction of what they do.
    pub(super) fn may(self, connection: &mut Connection) -> Result<bool, StoreError> {
        Ok(users::find(connection, self.user)?.is_some_and(|user| user.role == Role::ADMIN))
    }
}

/// Locks what decides about administrators, and the rows of both users in the order of their numbers, before any sign-in of
/// theirs: in another order, this and whoever signs in or ends sign-ins would wait for each other.
fn lock_users(connection: &mut Connection, acting: UserId, target: UserId) -> Result<(), StoreError> {
    lock_admins(connection)?;
    for user in [acting.min(target), acting.max(target)] {
        users::lock_row(connection, user)?;
    }
    Ok(())
}

fn operated(outcome: Administered) -> (Operated, Vec<SessionId>) {
    match outcome {
        Administered::Done { ended, .. } => (Operated::Done { ended: ended.len() }, ended),
        Administered::Unchanged(_) => (Operated::Unchanged, Vec::new()),
        Administered::LastAdmin(_) => (Operated::LastAdmin, Vec::new()),
        Administered::NotFound => (Operated::NotFound, Vec::new()),
    }
}

/// Keeps somebody from signing in, and ends the sign-ins they have.
///
/// # Errors
/// As for every act: `SignedOut` if the administrator's sign-in has ended; and if the database cannot write.
pub async fn deactivate_user(sessions: &Sessions, acting: &Identity, user: UserId) -> Result<Operated, SessionError> {
    let own = user == acting.user().id;
    operate(sessions, acting, user, Reach::AllOf(user), move |connection, by| {
        if own && !is_last_admin(connection, user)? {
            return Ok((Operated::Oneself, Vec::new()));
        }
        deactivate(connection, user, |kind| by.event(kind, user)).map(operated)
    })
    .await
}

/// Lets somebody sign in again.
///
/// # Errors
/// As [`deactivate_user`].
pub async fn activate_user(sessions: &Sessions, acting: &Identity, user: UserId) -> Result<Operated, SessionError> {
    operate(sessions, acting, user, Reach::Own, move |connection, by| {
        activate(connection, user, |kind| by.event(kind, user)).map(operated)
    })
    .await
}

/// Gives somebody a role.
///
/// # Errors
/// As [`deactivate_user`].
pub async fn set_user_role(
    sessions: &Sessions,
    acting: &Identity,
    user: UserId,
    role: Role,
) -> Result<Operated, SessionError> {
    let own = user == acting.user().id && role != Role::ADMIN;
    operate(sessions, acting, user, Reach::Own, move |connection, by| {
        if own && !is_last_admin(connection, user)? {
            return Ok((Operated::Oneself, Vec::new()));
        }
        give_role(connection, user, &role, |kind| by.event(kind, user)).map(operated)
    })
    .await
}

/// Forgets the wrong passwords that were tried for an account.
///
/// # Errors
/// As [`deactivate_user`].
pub async fn unlock_user(sessions: &Sessions, acting: &Identity, user: UserId) -> Result<Operated, SessionError> {
    operate(sessions, acting, user, Reach::Own, move |connection, by| {
        let Some(found) = users::find(connection, user)? else { return Ok((Operated::NotFound, Vec::new())) };
        let Ok(email) = found.email.parse::<Email>() else { return Ok((Operated::NoAddress, Vec::new())) };
        if !throttle::clear(connection, &email, by.now)? {
            return Ok((Operated::Unchanged, Vec::new()));
        }
        events::insert(connection, &by.event(EventType::AccountUnlocked, user))?;
        Ok((Operated::Done { ended: 0 }, Vec::new()))
    })
    .await
}

/// Ends one sign-in of a user, or all of them; of one's own, the one that asks goes on.
///
/// # Errors
/// As [`deactivate_user`].
pub async fn end_sign_ins(
    sessions: &Sessions,
    acting: &Identity,
    user: UserId,
    one: Option<SessionId>,
) -> Result<Operated, SessionError> {
    let own = acting.session();
    let reach = one.map_or(Reach::AllOf(user), Reach::One);
    operate(sessions, acting, user, reach, move |connection, by| {
        if users::lock_row(connection, user)?.is_none() {
            return Ok((Operated::NotFound, Vec::new()));
        }
        let which = match one {
            Some(id) if id == own => return Ok((Operated::Oneself, Vec::new())),
            Some(id) if sessions::find(connection, id)?.is_none_or(|session| session.user_id != user) => {
                return Ok((Operated::NotFound, Vec::new()));
            }
            Some(id) => Which::These(vec![id]),
            None => Which::All { spared: Some(own) },
        };
        let because = EndReason::RevokedByOperator;
        let event = by.event(EventType::SessionRevoked, user).because(because.as_str());
        let ended = sessions::end(connection, &which, because, &event)?;
        let operated = if ended.is_empty() { Operated::Unchanged } else { Operated::Done { ended: ended.len() } };
        Ok((operated, ended))
    })
    .await
}

/// Mails somebody a link to set a new password, in the place of any under way. What strangers ask for does not count
/// against it.
///
/// # Errors
/// As [`deactivate_user`], and if there are no random bytes.
pub async fn mail_reset_link(sessions: &Sessions, acting: &Identity, user: UserId) -> Result<Operated, SessionError> {
    let token = MailToken::from_bytes(random_bytes()?);
    let writing = sessions.clone();
    let operated = operate(sessions, acting, user, Reach::Own, move |connection, by| {
        let Some(found) = users::find(connection, user)? else { return Ok((Operated::NotFound, Vec::new())) };
        if !users::lock_row(connection, user)?.is_some_and(|user| user.is_active) {
            return Ok((Operated::Deactivated, Vec::new()));
        }
        let Ok(email) = found.email.parse::<Email>() else { return Ok((Operated::NoAddress, Vec::new())) };
        let link = ResetLink { url: &url(writing.public_url(), &token), minutes: RESET_LIFE.whole_minutes() };
        let mail = match writing.write_mail(email, &link, by.now + RESET_LIFE) {
            Ok(mail) => mail,
            Err(error) => {
                tracing::error!(%user, %error, "a link to set a new password cannot be written");
                return Ok((Operated::NoAddress, Vec::new()));
            }
        };
        auth_tokens::replace_reset(connection, &found, token.hash(), by.now)?;
        outbox::insert(connection, &mail, by.now)?;
        events::insert(connection, &by.event(EventType::PasswordResetRequested, user))?;
        Ok((Operated::Done { ended: 0 }, Vec::new()))
    })
    .await?;
    sessions.database().wake_outbox();
    Ok(operated)
}
