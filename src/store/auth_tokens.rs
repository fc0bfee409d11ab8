//! Single-use tokens that travel by mail.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::schema::{auth_tokens, users};
use super::times::seconds;
use super::users::UserRow;
use crate::domain::id::UserId;
use crate::domain::mail_token::RESET_LIFE;
use crate::domain::token::SecretHash;
use crate::domain::user::User;

/// What the column `token_type` says of a link to set a new password: a token for anything else never opens it.
const PASSWORD_RESET: &str = "password_reset";

/// How much further ahead than it could have been written an end may be before the token counts as dead, because it was
/// made before the clock was set back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// Adds the token of a link to set a new password, in the place of any that the user has: only the newest link works.
///
/// Call it under [`users::lock_row`](super::users::lock_row), so that of two that are asked for at once one stays.
///
/// # Errors
/// If the database cannot write.
pub fn replace_reset(
    connection: &mut Connection,
    user: &User,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let older = unused_of(user.id).filter(auth_tokens::token_type.eq(PASSWORD_RESET));
    diesel::delete(older).execute(connection)?;
    let row = (
        auth_tokens::token_hash.eq(token.as_bytes().as_slice()),
        auth_tokens::token_type.eq(PASSWORD_RESET),
        auth_tokens::user_id.eq(user.id.0),
        auth_tokens::email.eq(&*user.email),
        auth_tokens::created_at.eq(seconds(now)),
        auth_tokens::expires_at.eq(seconds(now + RESET_LIFE)),
    );
    diesel::insert_into(auth_tokens::table).values(row).execute(connection)?;
    Ok(())
}

/// Returns the user whose password may be set by a token: it is unused and young, the account is active, and its address
/// is the one that the link was sent to. It changes nothing.
///
/// # Errors
/// If the database cannot read.
pub fn find_reset(
    connection: &mut Connection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<User>, StoreError> {
    let latest = seconds(now + RESET_LIFE + TOLERANCE);
    let found = auth_tokens::table
        .inner_join(users::table)
        .filter(auth_tokens::token_hash.eq(token.as_bytes().as_slice()))
        .filter(auth_tokens::token_type.eq(PASSWORD_RESET))
        .filter(auth_tokens::used_at.is_null())
        .filter(auth_tokens::expires_at.gt(seconds(now)))
        .filter(auth_tokens::expires_at.le(latest))
        .filter(users::is_active)
        .filter(users::email.eq(auth_tokens::email))
        .select(UserRow::as_select());
    found.get_result(connection).optional()?.map(User::try_from).transpose()
}

/// Uses a token up and deletes what else the user has of links under way; returns whether this call was the one.
///
/// # Errors
/// If the database cannot write.
pub fn use_up(
    connection: &mut Connection,
    user: UserId,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let own = unused_of(user).filter(auth_tokens::token_hash.eq(token.as_bytes().as_slice()));
    if diesel::update(own).set(auth_tokens::used_at.eq(seconds(now))).execute(connection)? == 0 {
        return Ok(false);
    }
    cancel_all(connection, user)?;
    Ok(true)
}

/// Deletes the links to set a new password that a user has under way.
///
/// # Errors
/// If the database cannot write.
pub fn cancel_resets(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    diesel::delete(unused_of(user).filter(auth_tokens::token_type.eq(PASSWORD_RESET))).execute(connection)?;
    Ok(())
}

/// Deletes whatever a user has of links under way.
///
/// # Errors
/// If the database cannot write.
pub fn cancel_all(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    diesel::delete(unused_of(user)).execute(connection)?;
    Ok(())
}

#[diesel::dsl::auto_type]
fn unused_of(user: UserId) -> _ {
    let user: i64 = user.0;
    auth_tokens::table.filter(auth_tokens::user_id.eq(user)).filter(auth_tokens::used_at.is_null())
}

/// Deletes at most `limit` tokens that expired or were used before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_spent(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let before = seconds(before);
    let listed = diesel::alias!(auth_tokens as listed);
    let spent = listed
        .filter(
            listed
                .field(auth_tokens::expires_at)
                .nullable()
                .lt(before)
                .or(listed.field(auth_tokens::used_at).lt(before)),
        )
        .select(listed.field(auth_tokens::token_hash))
        .limit(limit);
    Ok(diesel::delete(auth_tokens::table.filter(auth_tokens::token_hash.eq_any(spent))).execute(connection)?)
}
