//! What whoever runs the site does to somebody's account: deactivate, activate, give a role.
//!
//! There is always an active administrator left, once there is one: whether somebody is the last is asked in the
//! transaction that would demote them, under a lock that every such transaction takes.

use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::EndReason;
use crate::domain::user::{Role, User};
use crate::store::operator::{is_last_admin, lock_admins, set_active, set_role};
use crate::store::sessions::{self, Which};
use crate::store::{Connection, StoreError, events, users};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administered {
    /// It is done; holds the account as it is now.
    Done {
        /// Whose it is.
        user: User,
        /// The sign-ins that ended with it.
        ended: Vec<SessionId>,
    },
    /// The account was like that already.
    Unchanged(User),
    /// They are the last active administrator; nothing was changed.
    LastAdmin(User),
    /// There is no such account.
    NotFound,
}

/// Deactivates an account and ends its sign-ins, so that none of them lives again when it is activated; call it in a
/// transaction of its own. `event` makes an event of what happened to the user.
///
/// # Errors
/// If the database cannot write.
pub fn deactivate(
    connection: &mut Connection,
    user: UserId,
    event: impl Fn(EventType) -> Event,
) -> Result<Administered, StoreError> {
    let user = match find(connection, user)? {
        Ok(user) => user,
        Err(not_found) => return Ok(not_found),
    };
    if !user.is_active {
        return Ok(Administered::Unchanged(user));
    }
    if is_last_admin(connection, user.id)? {
        return Ok(Administered::LastAdmin(user));
    }
    set_active(connection, user.id, false)?;
    let end = event(EventType::SessionRevoked).because(EndReason::Deactivated.as_str());
    let ended = sessions::end(connection, &Which::All { spared: None }, EndReason::Deactivated, &end)?;
    events::insert(connection, &event(EventType::UserDeactivated))?;
    Ok(Administered::Done { user: User { is_active: false, ..user }, ended })
}

/// Lets the user of a deactivated account sign in again; call it in a transaction of its own.
///
/// # Errors
/// If the database cannot write.
pub fn activate(
    connection: &mut Connection,
    user: UserId,
    event: impl Fn(EventType) -> Event,
) -> Result<Administered, StoreError> {
    let user = match find(connection, user)? {
        Ok(user) => user,
        Err(not_found) => return Ok(not_found),
    };
    if user.is_active {
        return Ok(Administered::Unchanged(user));
    }
    set_active(connection, user.id, true)?;
    events::insert(connection, &event(EventType::UserActivated))?;
    Ok(Administered::Done { user: User { is_active: true, ..user }, ended: Vec::new() })
}

/// Gives a user a role; call it in a transaction of its own.
///
/// # Errors
/// If the database cannot write.
pub fn give_role(
    connection: &mut Connection,
    user: UserId,
    role: &Role,
    event: impl Fn(EventType) -> Event,
) -> Result<Administered, StoreError> {
    let user = match find(connection, user)? {
        Ok(user) => user,
        Err(not_found) => return Ok(not_found),
    };
    if user.role == *role {
        return Ok(Administered::Unchanged(user));
    }
    if is_last_admin(connection, user.id)? {
        return Ok(Administered::LastAdmin(user));
    }
    set_role(connection, user.id, role)?;
    events::insert(connection, &event(EventType::RoleChanged).with_role(role))?;
    Ok(Administered::Done { user: User { role: role.clone(), ..user }, ended: Vec::new() })
}

/// Returns the account as nobody else can change it until the transaction ends.
fn find(connection: &mut Connection, user: UserId) -> Result<Result<User, Administered>, StoreError> {
    lock_admins(connection)?;
    users::lock_row(connection, user)?;
    Ok(users::find(connection, user)?.ok_or(Administered::NotFound))
}
