//! Accounts, as whoever runs the site sees them.

use diesel::prelude::*;
use diesel::sql_types::Text;
use time::OffsetDateTime;

use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::schema::users;
use crate::store::times::moment;
use crate::store::users::UserRow;

#[diesel::declare_sql_function]
extern "SQL" {
    /// Returns a text in lower case: of all scripts on a server, of ASCII in a file.
    fn lower(text: Text) -> Text;
}

/// An account, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub user: User,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Returns at most `limit` accounts in the order in which they were made; those with `search` in the name or the address, if
/// it is given, whatever the case.
///
/// # Errors
/// If the database cannot read.
pub fn list_accounts(
    connection: &mut Connection,
    search: Option<&str>,
    limit: i64,
) -> Result<Vec<Account>, StoreError> {
    let columns = (UserRow::as_select(), users::created_at);
    let all = users::table.order(users::id).limit(limit).select(columns);
    let rows: Vec<(UserRow, i64)> = match search {
        None => all.load(connection)?,
        Some(text) => {
            let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
            let in_address = lower(users::email).like(lower(pattern.clone())).escape('\\');
            let in_name = lower(users::full_name).like(lower(pattern)).escape('\\');
            all.filter(in_address.or(in_name)).load(connection)?
        }
    };
    rows.into_iter().map(read).collect()
}

/// Returns an account by its number.
///
/// # Errors
/// If the database cannot read.
pub fn account(connection: &mut Connection, user: UserId) -> Result<Option<Account>, StoreError> {
    let row = users::table.find(user.0).select((UserRow::as_select(), users::created_at));
    row.get_result(connection).optional()?.map(read).transpose()
}

pub(super) fn read((user, created_at): (UserRow, i64)) -> Result<Account, StoreError> {
    Ok(Account { user: user.try_into()?, created_at: moment(created_at)? })
}
