//! The addresses of accounts: who has which, who gets one back, and which of them mail servers refuse.

use diesel::Connection as _;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::{notice_links, users};
use super::times::seconds;
use crate::domain::id::UserId;
use crate::domain::user::Email;

/// Tells whether nobody but `user` may have an address: it has an account, or may come back to one.
///
/// # Errors
/// If the database cannot read.
pub fn is_taken(
    connection: &mut Connection,
    email: &Email,
    user: Option<UserId>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let owner: Option<i64> =
        users::table.filter(users::email.eq(email.as_str())).select(users::id).get_result(connection).optional()?;
    let another = owner.is_some_and(|owner| Some(UserId(owner)) != user);
    Ok(another || is_reserved(connection, email.as_str(), user, now)?)
}

/// Tells whether an address may come back to an account other than `user`'s, because a link to undo a change is out: until
/// then nobody else gets it, or whoever took an account over could keep its owner from taking it back.
///
/// Ask once the address is written: whoever gives one up in another transaction has then been waited for.
pub(super) fn is_reserved(
    connection: &mut Connection,
    email: &str,
    user: Option<UserId>,
    now: OffsetDateTime,
) -> QueryResult<bool> {
    let reserved =
        notice_links::table.filter(notice_links::email.eq(email)).filter(notice_links::expires_at.gt(seconds(now)));
    let owners: Vec<i64> = reserved.select(notice_links::user_id).load(connection)?;
    Ok(owners.into_iter().any(|owner| Some(UserId(owner)) != user))
}

/// Gives a user another address; returns whether it was free. Call it under [`users::lock_row`](super::users::lock_row).
///
/// # Errors
/// If the database cannot write.
pub fn change(
    connection: &mut Connection,
    user: UserId,
    email: &Email,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    // A savepoint: on a server, a refused row would take the whole transaction with it.
    let changed = connection.transaction(|connection| {
        let change = (users::email.eq(email.as_str()), users::email_refused_at.eq(None::<i64>));
        diesel::update(users::table.find(user.0)).set(change).execute(connection)?;
        if is_reserved(connection, email.as_str(), Some(user), now)? {
            return Err(Error::RollbackTransaction);
        }
        Ok(())
    });
    match changed {
        Ok(()) => Ok(true),
        Err(Error::RollbackTransaction | Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Notes that a mail server refused mail to an address, if it is an account's.
///
/// # Errors
/// If the database cannot write.
pub fn refused(connection: &mut Connection, recipient: &str, now: OffsetDateTime) -> Result<(), StoreError> {
    let own = users::table.filter(users::email.eq(recipient));
    diesel::update(own).set(users::email_refused_at.eq(seconds(now))).execute(connection)?;
    Ok(())
}

/// Notes that a mail server took mail to an address.
///
/// # Errors
/// If the database cannot write.
pub fn accepted(connection: &mut Connection, recipient: &str) -> Result<(), StoreError> {
    let own = users::table.filter(users::email.eq(recipient)).filter(users::email_refused_at.is_not_null());
    diesel::update(own).set(users::email_refused_at.eq(None::<i64>)).execute(connection)?;
    Ok(())
}

/// Tells whether a mail server refused the last mail to the address of an account.
///
/// # Errors
/// If the database cannot read.
pub fn is_refused(connection: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let refused = users::table.find(user.0).select(users::email_refused_at.is_not_null());
    Ok(refused.get_result(connection).optional()?.unwrap_or(false))
}
