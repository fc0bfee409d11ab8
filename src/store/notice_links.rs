//! The links in notices to owners: one gives an account its old address back, one ends a sign-in.
//!
//! A row goes when its link is used, so a link works once.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::schema::{notice_links, users};
use super::times::seconds;
use super::users::UserRow;
use crate::domain::id::{SessionId, UserId};
use crate::domain::mail_token::NOTICE_LINK_LIFE;
use crate::domain::token::SecretHash;
use crate::domain::user::User;

/// How much further ahead than it could have been written an end may be before the link counts as dead, because it was
/// made before the clock was set back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// Adds a link that gives a user the address `old` back.
///
/// Call it under [`users::lock_row`](super::users::lock_row), so that the numbers of links are in the order of the changes.
///
/// # Errors
/// If the database cannot write.
pub fn insert_undo(
    connection: &mut Connection,
    user: UserId,
    token: SecretHash,
    old: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = (common(user, token, now), notice_links::email.eq(old));
    diesel::insert_into(notice_links::table).values(row).execute(connection)?;
    Ok(())
}

/// Adds a link that ends a sign-in.
///
/// # Errors
/// If the database cannot write.
pub fn insert_end(
    connection: &mut Connection,
    user: UserId,
    token: SecretHash,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = (common(user, token, now), notice_links::session_id.eq(session.to_string()));
    diesel::insert_into(notice_links::table).values(row).execute(connection)?;
    Ok(())
}

/// Returns the user whose change of address the link of a token undoes, and the address that comes back; it changes
/// nothing.
///
/// # Errors
/// If the database cannot read.
pub fn find_undo(
    connection: &mut Connection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<(User, String)>, StoreError> {
    let found = notice_links::table
        .inner_join(users::table)
        .filter(is_live(now))
        .filter(notice_links::token_hash.eq(token.as_bytes().as_slice()))
        .filter(notice_links::email.is_not_null())
        .filter(users::is_active)
        .select((UserRow::as_select(), notice_links::email.assume_not_null()));
    let found: Option<(UserRow, String)> = found.get_result(connection).optional()?;
    found.map(|(user, email)| Ok((user.try_into()?, email))).transpose()
}

/// Returns the sign-in that the link of a token ends; it changes nothing.
///
/// # Errors
/// If the database cannot read.
pub fn find_end(
    connection: &mut Connection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<SessionId>, StoreError> {
    let found = notice_links::table
        .filter(is_live(now))
        .filter(notice_links::token_hash.eq(token.as_bytes().as_slice()))
        .filter(notice_links::session_id.is_not_null())
        .select(notice_links::session_id.assume_not_null());
    let session: Option<String> = found.get_result(connection).optional()?;
    session.map(|id| id.parse().map_err(|_| StoreError::Corrupt("a session id of another form"))).transpose()
}

/// Uses a link up that gives an address back, and every later one of its user: whoever made the later changes must not be
/// able to undo this. Returns whether this call was the one.
///
/// # Errors
/// If the database cannot write.
pub fn use_undo(connection: &mut Connection, user: UserId, token: SecretHash) -> Result<bool, StoreError> {
    let own = notice_links::table.filter(notice_links::user_id.eq(user.0)).filter(notice_links::email.is_not_null());
    let used = own.filter(notice_links::token_hash.eq(token.as_bytes().as_slice()));
    let Some(id) = used.select(notice_links::id).get_result::<i64>(connection).optional()? else { return Ok(false) };
    Ok(diesel::delete(own.filter(notice_links::id.ge(id))).execute(connection)? > 0)
}

/// Uses a link up that ends a sign-in; returns whether this call was the one.
///
/// # Errors
/// If the database cannot write.
pub fn use_end(connection: &mut Connection, token: SecretHash) -> Result<bool, StoreError> {
    let used = notice_links::table.filter(notice_links::token_hash.eq(token.as_bytes().as_slice()));
    Ok(diesel::delete(used.filter(notice_links::session_id.is_not_null())).execute(connection)? == 1)
}

/// Deletes at most `limit` links that expired before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(notice_links as listed);
    let over = listed
        .filter(listed.field(notice_links::expires_at).lt(seconds(before)))
        .order(listed.field(notice_links::expires_at))
        .select(listed.field(notice_links::id))
        .limit(limit);
    Ok(diesel::delete(notice_links::table.filter(notice_links::id.eq_any(over))).execute(connection)?)
}

#[diesel::dsl::auto_type]
fn common(user: UserId, token: SecretHash, now: OffsetDateTime) -> _ {
    let (user, token): (i64, Vec<u8>) = (user.0, token.as_bytes().to_vec());
    let (now, end): (i64, i64) = (seconds(now), seconds(now + NOTICE_LINK_LIFE));
    (
        notice_links::user_id.eq(user),
        notice_links::token_hash.eq(token),
        notice_links::created_at.eq(now),
        notice_links::expires_at.eq(end),
    )
}

/// What is not too old; an end that lies too far ahead was written before the clock was set back.
#[diesel::dsl::auto_type]
fn is_live(now: OffsetDateTime) -> _ {
    let (earliest, latest): (i64, i64) = (seconds(now), seconds(now + NOTICE_LINK_LIFE + TOLERANCE));
    notice_links::expires_at.gt(earliest).and(notice_links::expires_at.le(latest))
}
