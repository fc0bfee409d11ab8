//! Many users at once, who come from another program.
//!
//! All of them are added in one transaction, so that the database itself sees to it that all are there or none: also where
//! the process is killed, or another one registers the same address. A row takes some microseconds of it. On a file, other
//! writers wait meanwhile; on a server, nobody does.
//!
//! No row has a savepoint of its own: SQLite keeps what each of them changed in memory until the transaction ends, and looks
//! through all of that at the next one.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Text};
use time::OffsetDateTime;

use super::events::EventRow;
use super::schema::{auth_events, notice_links, users};
use super::times::seconds;
use super::{Connection, Database, StoreError};
use crate::domain::event::Event;
use crate::domain::user::{Email, FullName};

/// Begins, commits and rolls back on a connection of either kind.
type Transactions = <Connection as diesel::Connection>::TransactionManager;

/// Room for the index of a million addresses, which come in no order: 64 MB, and as long as the import takes.
const IMPORT_CACHE: &str = "PRAGMA cache_size = -65536";

/// The role of whoever is imported, by [`Role::USER`]'s name.
const ROLE: &str = "user";

/// A user of another program.
pub struct ImportedUser {
    /// The address, which no other account has.
    pub email: Email,
    /// The name.
    pub full_name: FullName,
    /// A hash that a password can be verified against.
    pub password_hash: String,
    /// Whether they may sign in.
    pub is_active: bool,
}

/// Why nobody was added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded<E> {
    /// One of the addresses has an account.
    #[error("one of the addresses has an account")]
    Taken,
    /// The database cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source of users has failed.
    #[error("{0}")]
    Source(E),
}

impl<E> From<Error> for NotAdded<E> {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            error => Self::Store(error.into()),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = users)]
struct UserRow<'a> {
    email: &'a str,
    full_name: &'a str,
    password_hash: &'a str,
    role: &'static str,
    is_active: bool,
    created_at: i64,
}

/// Returns those of the addresses that have an account, or may come back to one.
///
/// # Errors
/// If the database cannot read.
pub fn taken(connection: &mut Connection, emails: &[&str], now: OffsetDateTime) -> Result<Vec<String>, StoreError> {
    let mut taken: Vec<String> =
        users::table.filter(users::email.eq_any(emails)).select(users::email).load(connection)?;
    let reserved = notice_links::table.filter(notice_links::email.eq_any(emails));
    let reserved = reserved.filter(notice_links::expires_at.gt(seconds(now)));
    taken.extend(reserved.select(notice_links::email.assume_not_null()).load::<String>(connection)?);
    Ok(taken)
}

/// Tells whether an account has an address that may come back to another one, as one that was given up meanwhile may.
fn has_reserved(connection: &mut Connection, now: i64) -> QueryResult<bool> {
    let held = users::table.on(users::email.nullable().eq(notice_links::email));
    let foreign = notice_links::table.inner_join(held).filter(notice_links::user_id.ne(users::id));
    let found = foreign.filter(notice_links::expires_at.gt(now)).select(users::id).first::<i64>(connection);
    Ok(found.optional()?.is_some())
}

/// Adds every user that `next` returns, batch by batch, and `event` for each of them, or nobody at all; returns how many
/// there were. None of them is an administrator.
///
/// # Errors
/// If an address has an account, the database cannot write, or `next` fails; then nobody was added.
pub fn add_all<E>(
    database: &Database,
    event: &Event,
    mut next: impl FnMut() -> Result<Vec<ImportedUser>, E>,
) -> Result<u64, NotAdded<E>> {
    let event = EventRow::of(event)?;
    let mut connection = database.connect()?;
    match &mut connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => {
            file.batch_execute(IMPORT_CACHE)?;
            AnsiTransactionManager::begin_transaction_sql(file, "BEGIN IMMEDIATE")?;
        }
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => AnsiTransactionManager::begin_transaction(server)?,
    }
    // Where it fails, the transaction ends with its connection.
    let count = match &mut connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => add_to_file(file, &event, &mut next)?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => add_to_server(server, &event, &mut next)?,
    };
    if has_reserved(&mut connection, event.created_at)? {
        return Err(NotAdded::Taken);
    }
    Transactions::commit_transaction(&mut connection)?;
    Ok(count)
}

fn rows<'a>(users: &'a [ImportedUser], event: &EventRow) -> Vec<UserRow<'a>> {
    let row = |user: &'a ImportedUser| UserRow {
        email: user.email.as_str(),
        full_name: user.full_name.as_str(),
        password_hash: &user.password_hash,
        role: ROLE,
        is_active: user.is_active,
        created_at: event.created_at,
    };
    users.iter().map(row).collect()
}

fn add_to_file<E>(
    file: &mut SqliteConnection,
    event: &EventRow,
    next: &mut impl FnMut() -> Result<Vec<ImportedUser>, E>,
) -> Result<u64, NotAdded<E>> {
    let newest: Option<i64> = users::table.select(diesel::dsl::max(users::id)).get_result(file)?;
    let mut count = 0;
    loop {
        let batch = next().map_err(NotAdded::Source)?;
        if batch.is_empty() {
            break;
        }
        for row in rows(&batch, event) {
            count += u64::try_from(diesel::insert_into(users::table).values(row).execute(file)?).unwrap_or_default();
        }
    }
    // Nobody else writes meanwhile, so whoever is new is of the file.
    let added = users::table.filter(users::id.gt(newest.unwrap_or_default())).select((
        users::id.nullable(),
        event.event_type.into_sql::<Text>(),
        event.details.as_str().into_sql::<Text>(),
        event.created_at.into_sql::<BigInt>(),
    ));
    let columns = (auth_events::user_id, auth_events::event_type, auth_events::details, auth_events::created_at);
    added.insert_into(auth_events::table).into_columns(columns).execute(file)?;
    Ok(count)
}

fn add_to_server<E>(
    server: &mut PgConnection,
    event: &EventRow,
    next: &mut impl FnMut() -> Result<Vec<ImportedUser>, E>,
) -> Result<u64, NotAdded<E>> {
    let mut count = 0;
    loop {
        let batch = next().map_err(NotAdded::Source)?;
        if batch.is_empty() {
            return Ok(count);
        }
        let added = diesel::insert_into(users::table).values(rows(&batch, event)).returning(users::id);
        let added: Vec<i64> = added.get_results(server)?;
        let of = |id| EventRow { user_id: Some(id), details: event.details.clone(), ..*event };
        let events: Vec<EventRow> = added.into_iter().map(of).collect();
        count +=
            u64::try_from(diesel::insert_into(auth_events::table).values(events).execute(server)?).unwrap_or_default();
    }
}
