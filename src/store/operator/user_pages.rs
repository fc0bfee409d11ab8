//! Accounts page by page, the newest first, however many there are: no page counts them or skips over them.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::user_list::{Account, read};
use crate::domain::event::Window;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::events::ids_within;
use crate::store::schema::users;
use crate::store::users::UserRow;

/// How many accounts are looked through for one page of a search: some ten milliseconds of reading, however many accounts
/// there are. Whoever wants to go on looking follows the link to the next page.
const LOOKED_THROUGH: i64 = 10_000;

/// Accounts that are read in one go: a search that finds a page of them among the newest reads no more.
const CHUNK: i64 = 1_000;

/// Returns at most `limit` accounts of a window of their numbers, the newest first.
///
/// # Errors
/// If the database cannot read.
pub fn accounts_within(connection: &mut Connection, window: Window, limit: i64) -> Result<Vec<Account>, StoreError> {
    let (from, to) = ids_within(window);
    let found = users::table.filter(users::id.between(from, to)).limit(limit);
    let found = found.select((UserRow::as_select(), users::created_at));
    let mut rows: Vec<(UserRow, i64)> = if matches!(window, Window::After(_)) {
        found.order(users::id.asc()).load(connection)?
    } else {
        found.order(users::id.desc()).load(connection)?
    };
    if matches!(window, Window::After(_)) {
        rows.reverse();
    }
    rows.into_iter().map(read).collect()
}

/// Returns at most `limit` accounts whose address, name, or name after its first word begins with `text`, whatever the
/// case, the newest first: found by indexes, however many accounts there are.
///
/// In a file, an index has the upper and lower case of A to Z alone.
///
/// # Errors
/// If the database cannot read.
pub fn accounts_beginning(connection: &mut Connection, text: &str, limit: usize) -> Result<Vec<Account>, StoreError> {
    let (bytewise, position) = match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => ("", "instr"),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => (" COLLATE \"C\"", "strpos"),
    };
    let last_name = format!("lower(substr(full_name, {position}(full_name, ' ') + 1))");
    let from = text.to_lowercase();
    // Whatever begins with a text lies between it and itself with the last of all characters behind it.
    let to = format!("{from}\u{10FFFF}");
    let mut ids = Vec::new();
    for place in ["email", "lower(full_name)", &last_name] {
        let begins = sql::<Bool>(&format!("{place}{bytewise} >= "))
            .bind::<Text, _>(&from)
            .sql(&format!(" AND {place}{bytewise} < "))
            .bind::<Text, _>(&to);
        ids.extend(users::table.filter(begins).limit(limit as i64).select(users::id).load::<i64>(connection)?);
    }
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    ids.dedup();
    ids.truncate(limit);
    by_ids(connection, ids)
}

fn by_ids(connection: &mut Connection, ids: Vec<i64>) -> Result<Vec<Account>, StoreError> {
    let rows = users::table.filter(users::id.eq_any(ids)).order(users::id.desc());
    let rows: Vec<(UserRow, i64)> = rows.select((UserRow::as_select(), users::created_at)).load(connection)?;
    rows.into_iter().map(read).collect()
}

/// What a search has found so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The accounts, the newest first.
    pub accounts: Vec<Account>,
    /// The last account that was looked at, where there may be older ones.
    pub reached: Option<i64>,
}

/// Returns at most `limit` accounts with `text` in the name or the address, whatever the case, the newest first, from
/// before the account `before` on.
///
/// Texts are compared here and not in the database: what is upper and lower case depends on its kind and on how it was set
/// up, and every character of `text` means itself.
///
/// # Errors
/// If the database cannot read.
pub fn accounts_containing(
    connection: &mut Connection,
    text: &str,
    before: Option<i64>,
    limit: usize,
) -> Result<Found, StoreError> {
    let wanted = text.to_lowercase();
    let mut reached = before.unwrap_or(i64::MAX);
    let (mut ids, mut looked_at, mut exhausted) = (Vec::new(), 0, false);
    while ids.len() < limit && looked_at < LOOKED_THROUGH && !exhausted {
        let chunk = users::table
            .filter(users::id.lt(reached))
            .order(users::id.desc())
            .limit(CHUNK)
            .select((users::id, users::email, users::full_name))
            .load::<(i64, String, String)>(connection)?;
        exhausted = (chunk.len() as i64) < CHUNK;
        for (id, email, full_name) in chunk {
            if ids.len() == limit {
                exhausted = false;
                break;
            }
            (reached, looked_at) = (id, looked_at + 1);
            if email.to_lowercase().contains(&wanted) || full_name.to_lowercase().contains(&wanted) {
                ids.push(id);
            }
        }
    }
    Ok(Found { accounts: by_ids(connection, ids)?, reached: Some(reached).filter(|_| !exhausted) })
}
