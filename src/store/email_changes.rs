//! Changes of address under way, one of each user at most: rows of `auth_tokens` beside those of a new password.
//!
//! A reset deletes them with everything else that is under way for its user.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::schema::{auth_tokens, outbox, users};
use super::times::seconds;
use super::users::UserRow;
use crate::domain::id::UserId;
use crate::domain::mail_token::CONFIRMATION_LIFE;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, User};

/// What the column `token_type` says of a link that confirms an address: a token for anything else never opens it.
const EMAIL_VERIFICATION: &str = "email_verification";

/// How much further ahead than it could have been written an end may be before the link counts as dead, because it was
/// made before the clock was set back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// A change of address that waits for its link to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailChange {
    /// The new address.
    pub email: String,
    /// Whether a mail server refused mail to it.
    pub refused: bool,
}

/// Adds a change of address, in the place of any that the user has under way.
///
/// Call it under [`users::lock_row`](super::users::lock_row), so that of two that are asked for at once one stays.
///
/// # Errors
/// If the database cannot write.
pub fn replace(
    connection: &mut Connection,
    user: UserId,
    email: &Email,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    cancel(connection, user)?;
    let row = (
        auth_tokens::token_hash.eq(token.as_bytes().as_slice()),
        auth_tokens::token_type.eq(EMAIL_VERIFICATION),
        auth_tokens::user_id.eq(user.0),
        auth_tokens::email.eq(email.as_str()),
        auth_tokens::created_at.eq(seconds(now)),
        auth_tokens::expires_at.eq(seconds(now + CONFIRMATION_LIFE)),
    );
    diesel::insert_into(auth_tokens::table).values(row).execute(connection)?;
    Ok(())
}

/// Gives up the change that a user has under way.
///
/// # Errors
/// If the database cannot write.
pub fn cancel(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    diesel::delete(under_way(user)).execute(connection)?;
    Ok(())
}

/// Returns the change that a user has under way.
///
/// # Errors
/// If the database cannot read.
pub fn of_user(
    connection: &mut Connection,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Option<EmailChange>, StoreError> {
    let own = under_way(user).filter(is_young(now)).select((auth_tokens::email, auth_tokens::created_at));
    let Some((email, asked_at)) = own.first::<(String, i64)>(connection).optional()? else { return Ok(None) };
    // A refused mail stays in the outbox for longer than a change waits.
    let refused = outbox::table.filter(outbox::recipient.eq(&email)).filter(outbox::refused_at.ge(asked_at));
    let refused: Option<i64> = refused.select(outbox::id).first(connection).optional()?;
    Ok(Some(EmailChange { email, refused: refused.is_some() }))
}

/// Returns the user whose address the link of a token changes, and the new address; it changes nothing.
///
/// # Errors
/// If the database cannot read.
pub fn find(
    connection: &mut Connection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<(User, String)>, StoreError> {
    let found = auth_tokens::table
        .inner_join(users::table)
        .filter(auth_tokens::token_hash.eq(token.as_bytes().as_slice()))
        .filter(auth_tokens::token_type.eq(EMAIL_VERIFICATION))
        .filter(auth_tokens::used_at.is_null())
        .filter(is_young(now))
        .filter(users::is_active)
        .select((UserRow::as_select(), auth_tokens::email));
    let found: Option<(UserRow, String)> = found.get_result(connection).optional()?;
    found.map(|(user, email)| Ok((user.try_into()?, email))).transpose()
}

#[diesel::dsl::auto_type]
fn under_way(user: UserId) -> _ {
    let (user, confirms): (i64, &'static str) = (user.0, EMAIL_VERIFICATION);
    auth_tokens::table
        .filter(auth_tokens::user_id.eq(user))
        .filter(auth_tokens::token_type.eq(confirms))
        .filter(auth_tokens::used_at.is_null())
}

/// What is not too old; an end that lies too far ahead was written before the clock was set back.
#[diesel::dsl::auto_type]
fn is_young(now: OffsetDateTime) -> _ {
    let (earliest, latest): (i64, i64) = (seconds(now), seconds(now + CONFIRMATION_LIFE + TOLERANCE));
    auth_tokens::expires_at.gt(earliest).and(auth_tokens::expires_at.le(latest))
}
