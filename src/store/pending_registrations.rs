//! Accounts that wait for their address to be confirmed.
//!
//! Whoever uses the link gets the account of that link, with the password that was chosen with it: of several that wait
//! for one address, no other counts.

use diesel::prelude::*;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::schema::pending_registrations as pending;
use super::times::seconds;
use crate::domain::id::{FormId, UserId};
use crate::domain::mail_token::CONFIRMATION_LIFE;
use crate::domain::token::SecretHash;
use crate::domain::user::{Email, FullName};

/// How much further ahead than it could have been written an end may be before the link counts as dead, because it was
/// made before the clock was set back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// An account that waits for its address to be confirmed.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingRegistration {
    /// The address to confirm.
    pub email: Email,
    /// What its owner is called.
    pub full_name: FullName,
    /// The hash of the password that was chosen with it.
    pub password_hash: String,
    /// Whether it may be the first account of all, which is an administrator's.
    pub may_be_first: bool,
    /// Whether the session that begins with it is to outlive the browser session.
    pub kept: bool,
}

impl std::fmt::Debug for PendingRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingRegistration")
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = pending)]
struct Row {
    email: String,
    full_name: String,
    password_hash: String,
    may_be_first: bool,
    kept: bool,
}

impl TryFrom<Row> for PendingRegistration {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            email: row.email.parse().map_err(|_| StoreError::Corrupt("an address that is none"))?,
            full_name: row.full_name.parse().map_err(|_| StoreError::Corrupt("a name that is none"))?,
            password_hash: row.password_hash,
            may_be_first: row.may_be_first,
            kept: row.kept,
        })
    }
}

/// Adds an account that waits; `browser` alone can have its link sent again.
///
/// # Errors
/// If the database cannot write.
pub fn insert(
    connection: &mut Connection,
    token: SecretHash,
    wish: &PendingRegistration,
    browser: Option<FormId>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = (
        pending::token_hash.eq(token.as_bytes().as_slice()),
        pending::email.eq(wish.email.as_str()),
        pending::full_name.eq(wish.full_name.as_str()),
        pending::password_hash.eq(&wish.password_hash),
        pending::browser_hash.eq(browser.map(hash)),
        pending::may_be_first.eq(wish.may_be_first),
        pending::kept.eq(wish.kept),
        pending::created_at.eq(seconds(now)),
        pending::expires_at.eq(seconds(now + CONFIRMATION_LIFE)),
    );
    diesel::insert_into(pending::table).values(row).execute(connection)?;
    Ok(())
}

/// Returns what waits for the link of a token; it changes nothing.
///
/// # Errors
/// If the database cannot read.
pub fn find(
    connection: &mut Connection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<PendingRegistration>, StoreError> {
    let live = pending::table.filter(is_live(now)).filter(pending::token_hash.eq(token.as_bytes().as_slice()));
    live.select(Row::as_select()).get_result(connection).optional()?.map(Row::try_into).transpose()
}

/// Tells whether a browser has a registration under way for an address.
///
/// # Errors
/// If the database cannot read.
pub fn is_waiting(
    connection: &mut Connection,
    email: &Email,
    browser: FormId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    Ok(newest(connection, email, browser, now)?.is_some())
}

/// Gives the newest registration of a browser for an address another token, in the place of the one it had.
///
/// # Errors
/// If the database cannot write.
pub fn replace_token(
    connection: &mut Connection,
    email: &Email,
    browser: FormId,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let Some(old) = newest(connection, email, browser, now)? else { return Ok(()) };
    let renewed =
        (pending::token_hash.eq(token.as_bytes().as_slice()), pending::expires_at.eq(seconds(now + CONFIRMATION_LIFE)));
    let old = pending::table.find(old).filter(pending::used_at.is_null());
    diesel::update(old).set(renewed).execute(connection)?;
    Ok(())
}

fn newest(
    connection: &mut Connection,
    email: &Email,
    browser: FormId,
    now: OffsetDateTime,
) -> Result<Option<Vec<u8>>, StoreError> {
    let own = pending::table
        .filter(is_live(now))
        .filter(pending::email.eq(email.as_str()))
        .filter(pending::browser_hash.eq(hash(browser)));
    Ok(own.order(pending::created_at.desc()).select(pending::token_hash).first(connection).optional()?)
}

/// Uses a link up; returns whether this call was the one.
///
/// # Errors
/// If the database cannot write.
pub fn use_up(connection: &mut Connection, token: SecretHash, now: OffsetDateTime) -> Result<bool, StoreError> {
    let unused = pending::table.find(token.as_bytes().as_slice()).filter(pending::used_at.is_null());
    Ok(diesel::update(unused).set(pending::used_at.eq(seconds(now))).execute(connection)? == 1)
}

/// Notes the account that a used link has made, forgets what else there is of it here, and deletes every other
/// registration for its address.
///
/// # Errors
/// If the database cannot write.
pub fn done(connection: &mut Connection, token: SecretHash, email: &Email, user: UserId) -> Result<(), StoreError> {
    let token = token.as_bytes().as_slice();
    let made = (pending::user_id.eq(user.0), pending::password_hash.eq(""));
    diesel::update(pending::table.find(token)).set(made).execute(connection)?;
    let others = pending::table.filter(pending::email.eq(email.as_str())).filter(pending::token_hash.ne(token));
    diesel::delete(others).execute(connection)?;
    Ok(())
}

/// Returns the account that the link of a token has made since `since`.
///
/// # Errors
/// If the database cannot read.
pub fn made_since(
    connection: &mut Connection,
    token: SecretHash,
    since: OffsetDateTime,
) -> Result<Option<UserId>, StoreError> {
    let used = pending::table.find(token.as_bytes().as_slice()).filter(pending::used_at.ge(seconds(since)));
    let user: Option<Option<i64>> = used.select(pending::user_id).get_result(connection).optional()?;
    Ok(user.flatten().map(UserId))
}

/// Deletes at most `limit` registrations that expired before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(pending as listed);
    let over = listed
        .filter(listed.field(pending::expires_at).lt(seconds(before)))
        .order(listed.field(pending::expires_at))
        .select(listed.field(pending::token_hash))
        .limit(limit);
    Ok(diesel::delete(pending::table.filter(pending::token_hash.eq_any(over))).execute(connection)?)
}

/// What is neither used nor too old; an end that lies too far ahead was written before the clock was set back.
#[diesel::dsl::auto_type]
fn is_live(now: OffsetDateTime) -> _ {
    let (earliest, latest): (i64, i64) = (seconds(now), seconds(now + CONFIRMATION_LIFE + TOLERANCE));
    pending::used_at.is_null().and(pending::expires_at.gt(earliest)).and(pending::expires_at.le(latest))
}

/// Returns what stands for a browser: its name binds its form tokens, and does not belong into a backup.
fn hash(browser: FormId) -> Vec<u8> {
    Sha256::digest(browser.as_bytes()).to_vec()
}
