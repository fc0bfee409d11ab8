//! The rows of users.

use diesel::Connection as _;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use time::OffsetDateTime;

use super::Connection;
use super::addresses::is_reserved;
use super::error::StoreError;
use super::locks::{Lock, take_turns};
use super::schema::users;
use super::times::{moment, seconds};
use crate::domain::id::UserId;
use crate::domain::time_zone::TimeZone;
use crate::domain::user::{Email, FullName, Role, User};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: i64,
    email: String,
    full_name: String,
    role: String,
    is_active: bool,
    last_login_at: Option<i64>,
    previous_login_at: Option<i64>,
    time_zone: Option<String>,
}

/// Stands in `previous_login_at` where the version before made the row, or signed its user in.
const NOT_NOTED: i64 = 0;

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let previous = if row.previous_login_at == Some(NOT_NOTED) { row.last_login_at } else { row.previous_login_at };
        Ok(Self {
            id: UserId(row.id),
            email: row.email.into_boxed_str(),
            full_name: row.full_name.into_boxed_str(),
            role: Role::from(row.role),
            is_active: row.is_active,
            last_login_at: row.last_login_at.map(moment).transpose()?,
            previous_login_at: previous.map(moment).transpose()?,
            // One that was put there by hand, or that another version knew, is none.
            time_zone: row.time_zone.and_then(|name| name.parse().ok()),
        })
    }
}

/// What comes of an attempt to add a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// Here they are.
    User(User),
    /// The address has an account, or may come back to one.
    EmailTaken,
    /// There is no account yet, and this one was not to be the first.
    WouldBeFirst,
}

/// Adds a user; the first of all becomes an administrator.
///
/// Two people who are first at once do not both become one: writes to a file take turns, and on a server they are made
/// to while there is nobody yet.
///
/// # Errors
/// If the database cannot write.
pub fn insert(
    connection: &mut Connection,
    email: &Email,
    full_name: &FullName,
    password_hash: &str,
    now: OffsetDateTime,
) -> Result<Inserted, StoreError> {
    let role = if is_first(connection)? { Role::ADMIN } else { Role::USER };
    insert_as(connection, role, email, full_name, password_hash, now)
}

/// Adds a user, unless they would be the first of all.
///
/// # Errors
/// If the database cannot write.
pub fn insert_unless_first(
    connection: &mut Connection,
    email: &Email,
    full_name: &FullName,
    password_hash: &str,
    now: OffsetDateTime,
) -> Result<Inserted, StoreError> {
    if !any(connection)? {
        return Ok(Inserted::WouldBeFirst);
    }
    insert_as(connection, Role::USER, email, full_name, password_hash, now)
}

/// Adds a user with a role of the caller's choice, be they the first or not.
///
/// # Errors
/// If the database cannot write.
pub fn insert_as(
    connection: &mut Connection,
    role: Role,
    email: &Email,
    full_name: &FullName,
    password_hash: &str,
    now: OffsetDateTime,
) -> Result<Inserted, StoreError> {
    let row = (
        users::email.eq(email.as_str()),
        users::full_name.eq(full_name.as_str()),
        users::password_hash.eq(password_hash),
        users::role.eq(role.as_str()),
        users::is_active.eq(true),
        users::created_at.eq(seconds(now)),
        users::previous_login_at.eq(None::<i64>),
    );
    // A savepoint: on a server, a refused row would take the whole transaction with it.
    let inserted = connection.transaction(|connection| {
        let id = diesel::insert_into(users::table).values(row).returning(users::id).get_result::<i64>(connection)?;
        if is_reserved(connection, email.as_str(), None, now)? {
            return Err(Error::RollbackTransaction);
        }
        Ok(id)
    });
    match inserted {
        Ok(id) => Ok(Inserted::User(User {
            id: UserId(id),
            email: email.as_str().into(),
            full_name: full_name.as_str().into(),
            role,
            is_active: true,
            last_login_at: None,
            previous_login_at: None,
            time_zone: None,
        })),
        Err(Error::RollbackTransaction | Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            Ok(Inserted::EmailTaken)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_first(connection: &mut Connection) -> Result<bool, StoreError> {
    if any(connection)? {
        return Ok(false);
    }
    take_turns(connection, Lock::FirstRows)?;
    Ok(!any(connection)?)
}

/// Tells whether there is any account at all.
///
/// # Errors
/// If the database cannot read.
pub fn any(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(users::table.select(users::id).first::<i64>(connection).optional()?.is_some())
}

/// Returns a user by the number of the account.
///
/// # Errors
/// If the database cannot read.
pub fn find(connection: &mut Connection, user: UserId) -> Result<Option<User>, StoreError> {
    let row = users::table.find(user.0).select(UserRow::as_select()).get_result(connection).optional()?;
    row.map(User::try_from).transpose()
}

/// Returns a user by the address they sign in with.
///
/// # Errors
/// If the database cannot read.
pub fn find_by_email(connection: &mut Connection, email: &Email) -> Result<Option<User>, StoreError> {
    let found = users::table.filter(users::email.eq(email.as_str())).select(UserRow::as_select());
    found.get_result(connection).optional()?.map(User::try_from).transpose()
}

/// Returns a user and their password's hash.
///
/// # Errors
/// If the database cannot read.
pub fn find_with_password(connection: &mut Connection, email: &Email) -> Result<Option<(User, String)>, StoreError> {
    let row = users::table
        .filter(users::email.eq(email.as_str()))
        .select((UserRow::as_select(), users::password_hash))
        .get_result::<(UserRow, String)>(connection)
        .optional()?;
    row.map(|(user, hash)| Ok((user.try_into()?, hash))).transpose()
}

/// Returns the user whom an operator names, by number or by address.
///
/// # Errors
/// If the database cannot read.
pub fn find_named(connection: &mut Connection, named: &str) -> Result<Option<User>, StoreError> {
    if let Ok(number) = named.parse() {
        return find(connection, UserId(number));
    }
    match named.parse::<Email>() {
        Ok(email) => find_by_email(connection, &email),
        Err(_) => Ok(None),
    }
}

/// Writes down that a user signed in, and keeps when they did so before.
///
/// # Errors
/// If the database cannot write.
pub fn signed_in(connection: &mut Connection, user: UserId, now: OffsetDateTime) -> Result<(), StoreError> {
    let change = (users::previous_login_at.eq(users::last_login_at), users::last_login_at.eq(seconds(now)));
    diesel::update(users::table.find(user.0)).set(change).execute(connection)?;
    Ok(())
}

/// Replaces a password's hash if it is still the one that was verified; returns whether it was.
///
/// # Errors
/// If the database cannot write.
pub fn replace_password_hash(
    connection: &mut Connection,
    user: UserId,
    old: &str,
    new: &str,
) -> Result<bool, StoreError> {
    let unchanged = users::table.find(user.0).filter(users::password_hash.eq(old));
    Ok(diesel::update(unchanged).set(users::password_hash.eq(new)).execute(connection)? == 1)
}

/// Sets the hash of a user's password; call it under [`lock_row`].
///
/// # Errors
/// If the database cannot write.
pub fn set_password_hash(connection: &mut Connection, user: UserId, hash: &str) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::password_hash.eq(hash)).execute(connection)?;
    Ok(())
}

/// Sets the name of a user.
///
/// # Errors
/// If the database cannot write.
pub fn set_full_name(connection: &mut Connection, user: UserId, full_name: &FullName) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::full_name.eq(full_name.as_str())).execute(connection)?;
    Ok(())
}

/// Sets the time zone of a user, or UTC.
///
/// # Errors
/// If the database cannot write.
pub fn set_time_zone(connection: &mut Connection, user: UserId, zone: Option<TimeZone>) -> Result<(), StoreError> {
    let name = zone.map(TimeZone::name);
    diesel::update(users::table.find(user.0)).set(users::time_zone.eq(name)).execute(connection)?;
    Ok(())
}

/// What must still hold when something is done in a user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedUser {
    /// Whether they may sign in at all.
    pub is_active: bool,
    /// The hash of their password.
    pub password_hash: String,
}

/// Keeps a user's row from being changed by anybody else until the transaction ends, and returns what it holds.
///
/// Whoever begins a session or ends all of them locks the user first: so no session begins beside the end of all.
///
/// # Errors
/// If the database has no answer.
pub fn lock_row(connection: &mut Connection, user: UserId) -> Result<Option<LockedUser>, StoreError> {
    let found = users::table.find(user.0).select((users::is_active, users::password_hash));
    let row: Option<(bool, String)> = match connection {
        // The writer's transaction holds the lock on all of the file already.
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => found.get_result(file).optional()?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => found.for_no_key_update().get_result(server).optional()?,
    };
    Ok(row.map(|(is_active, password_hash)| LockedUser { is_active, password_hash }))
}

/// Writes down that one of a user's sign-ins was found in two hands.
///
/// # Errors
/// If the database cannot write.
pub fn theft_noticed(connection: &mut Connection, user: UserId, now: OffsetDateTime) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::theft_noticed_at.eq(seconds(now))).execute(connection)?;
    Ok(())
}

/// Writes down that a user has taken note of the thefts that were noticed up to `noticed`; of a later one they know nothing
/// yet.
///
/// # Errors
/// If the database cannot write.
pub fn acknowledge_theft(connection: &mut Connection, user: UserId, noticed: OffsetDateTime) -> Result<(), StoreError> {
    let known = users::table.find(user.0).filter(users::theft_noticed_at.le(seconds(noticed)));
    diesel::update(known).set(users::theft_noticed_at.eq(None::<i64>)).execute(connection)?;
    Ok(())
}

/// Writes down that a user was told by mail of the thefts that were noticed up to `noticed`.
///
/// # Errors
/// If the database cannot write.
pub fn theft_told(connection: &mut Connection, user: UserId, noticed: OffsetDateTime) -> Result<(), StoreError> {
    diesel::update(users::table.find(user.0)).set(users::theft_told_at.eq(seconds(noticed))).execute(connection)?;
    Ok(())
}

/// Writes down that a user is told by mail of the thefts that were noticed up to `noticed`, unless they were already;
/// returns whether this call did.
///
/// # Errors
/// If the database cannot write.
pub fn tell_of_theft(connection: &mut Connection, user: UserId, noticed: OffsetDateTime) -> Result<bool, StoreError> {
    let untold = users::theft_told_at.is_null().or(users::theft_told_at.lt(seconds(noticed)).assume_not_null());
    let user = users::table.find(user.0).filter(untold);
    Ok(diesel::update(user).set(users::theft_told_at.eq(seconds(noticed))).execute(connection)? == 1)
}

/// Returns at most `limit` users with a theft that was noticed in `during` and that no mail has told them of, and when that
/// was.
///
/// # Errors
/// If the database cannot read.
pub fn untold_of_theft(
    connection: &mut Connection,
    during: std::ops::Range<OffsetDateTime>,
    limit: i64,
) -> Result<Vec<(User, OffsetDateTime)>, StoreError> {
    let untold = users::theft_told_at.is_null().or(users::theft_told_at.lt(users::theft_noticed_at).assume_not_null());
    let rows = users::table
        .filter(users::theft_noticed_at.ge(seconds(during.start)))
        .filter(users::theft_noticed_at.lt(seconds(during.end)))
        .filter(untold)
        .order(users::theft_noticed_at)
        .limit(limit)
        .select((UserRow::as_select(), users::theft_noticed_at.assume_not_null()))
        .load::<(UserRow, i64)>(connection)?;
    rows.into_iter().map(|(user, noticed)| Ok((user.try_into()?, moment(noticed)?))).collect()
}
