//! Who is an administrator, and that there is always one.

use diesel::prelude::*;

use crate::domain::id::UserId;
use crate::domain::user::Role;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::locks::{Lock, take_turns};
use crate::store::schema::users;

/// Keeps anybody else from deciding who is an administrator until the transaction ends.
///
/// Two administrators who demote each other at the same moment would otherwise each see the other, and none would be left.
/// Call it before any row is locked. Writes to a file take turns as it is.
///
/// # Errors
/// If the database has no answer.
pub fn lock_admins(connection: &mut Connection) -> Result<(), StoreError> {
    take_turns(connection, Lock::Admins)
}

/// Tells whether a user is an active administrator and nobody else is; call it under [`lock_admins`].
///
/// # Errors
/// If the database cannot read.
pub fn is_last_admin(connection: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let active = users::table.filter(users::role.eq(Role::ADMIN.as_str())).filter(users::is_active);
    let admins = active.order(users::id).limit(2).select(users::id).load::<i64>(connection)?;
    let own = users::table.find(user.0).filter(users::role.eq(Role::ADMIN.as_str())).filter(users::is_active);
    let is_one = own.count().get_result::<i64>(connection)? == 1;
    Ok(is_one && admins.len() == 1)
}

/// Gives a user a role; call it under [`lock_admins`].
///
/// # Errors
/// If the database cannot write.
pub fn set_role(connection: &mut Connection, user: UserId, role: &Role) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::role.eq(role.as_str())).execute(connection)?;
    Ok(())
}

/// Says whether a user may sign in; call it under [`lock_admins`].
///
/// # Errors
/// If the database cannot write.
pub fn set_active(connection: &mut Connection, user: UserId, active: bool) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::is_active.eq(active)).execute(connection)?;
    Ok(())
}
