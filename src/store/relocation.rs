//! From a SQLite file to a PostgreSQL server, with every sign-in alive.
//!
//! A sign-in whose refresh token rotates after its row was copied would look on the server like a cookie from the future,
//! and its user would be asked to sign in again. So the file is sealed before the server's copy is committed: from then on
//! it refuses every write. A program that still runs on it goes on showing pages, rotates nothing and signs nobody out,
//! until it is stopped; what the browsers hold is what the server knows.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;

use super::Connection;
use super::connection::Place;
use super::error::StoreError;
use super::locks::{Lock, lock};
use super::migrations;
use super::schema::{
    auth_events, auth_tokens, daily_counts, dropped_keys, event_cursors, kept_forms, mail_limits, notice_links, outbox,
    pending_registrations, peppers, sessions, signing_key, throttle_counters, users,
};
use crate::store::url::DatabaseUrl;

/// Rows copied in one statement: few round trips, and far below the 65,535 parameters that a statement may have.
const PAGE: i64 = 1000;

/// How long the file waits for writers of another process, in milliseconds: longer than a request does.
const LOCK_TIMEOUT: &str = "PRAGMA busy_timeout = 15000";

/// The tables that are sealed: all that are copied. `changes` and `nodes` are of the processes on the old database.
const TABLES: [&str; 14] = [
    "users",
    "peppers",
    "sessions",
    "auth_tokens",
    "kept_forms",
    "auth_events",
    "event_cursors",
    "signing_key",
    "dropped_keys",
    "outbox",
    "throttle_counters",
    "mail_limits",
    "pending_registrations",
    "notice_links",
];

/// How many rows were copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Users.
    pub users: i64,
    /// Sign-ins, tombstones included.
    pub sessions: i64,
    /// Audit events.
    pub events: i64,
}

/// Why nothing was moved; the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is no file to move from.
    #[error("there is no database {0}")]
    Missing(String),
    /// The file is of an older version.
    #[error("{0} is of an older version: run perennial migrate on it first")]
    NotMigrated(String),
    /// The server has data of its own.
    #[error("{0} already holds accounts: a move goes into an empty database")]
    NotEmpty(String),
    /// What arrived is not what was sent.
    #[error("of {table}, {sent} rows were sent and {arrived} arrived; nothing was moved")]
    Counts {
        /// The table.
        table: &'static str,
        /// Rows of the file.
        sent: i64,
        /// Rows of the server.
        arrived: i64,
    },
    /// One of the databases has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for MoveError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Defines the rows of a table as they are copied, page by page in the order of its key.
macro_rules! copied {
    ($row:ident of $table:ident by $key:ident { $($column:ident: $kind:ty,)* }) => {
        #[derive(Queryable, Selectable, Insertable)]
        #[diesel(table_name = $table)]
        struct $row {
            $($column: $kind,)*
        }

        impl $row {
            /// Copies every row; returns how many there are.
            fn copy(file: &mut SqliteConnection, server: &mut PgConnection) -> Result<i64, MoveError> {
                let mut last = None;
                loop {
                    let page = $table::table.select(Self::as_select()).order($table::$key).limit(PAGE).into_boxed();
                    let rows: Vec<Self> = match last.take() {
                        Some(last) => page.filter($table::$key.gt(last)).load(file)?,
                        None => page.load(file)?,
                    };
                    let Some(end) = rows.last() else { break };
                    last = Some(end.$key.clone());
                    diesel::insert_into($table::table).values(&rows).execute(server)?;
                }
                let sent: i64 = $table::table.count().get_result(file)?;
                let arrived: i64 = $table::table.count().get_result(server)?;
                if sent != arrived {
                    return Err(MoveError::Counts { table: stringify!($table), sent, arrived });
                }
                Ok(sent)
            }
        }
    };
}

copied! { UserRow of users by id {
    id: i64,
    email: String,
    full_name: String,
    password_hash: String,
    role: String,
    is_active: bool,
    created_at: i64,
    last_login_at: Option<i64>,
    theft_noticed_at: Option<i64>,
    theft_told_at: Option<i64>,
    previous_login_at: Option<i64>,
    time_zone: Option<String>,
    email_refused_at: Option<i64>,
} }

copied! { PepperRow of peppers by id {
    id: i64,
    key: Vec<u8>,
    created_at: i64,
} }

copied! { SessionRow of sessions by id {
    id: String,
    user_id: i64,
    generation: i64,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    rotated_at: i64,
    created_at: i64,
    authenticated_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    kept: bool,
    shared_computer: bool,
    revoked_at: Option<i64>,
    revoked_because: Option<String>,
    user_agent: String,
    address: String,
    device_key: Option<Vec<u8>>,
    proved_generation: Option<i64>,
} }

copied! { TokenRow of auth_tokens by token_hash {
    token_hash: Vec<u8>,
    token_type: String,
    user_id: i64,
    email: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
} }

copied! { KeptFormRow of kept_forms by id {
    id: Vec<u8>,
    user_id: i64,
    created_at: i64,
    expires_at: i64,
    sent_at: Option<i64>,
    page: Vec<u8>,
    fields: Option<Vec<u8>>,
} }

copied! { PendingRegistrationRow of pending_registrations by token_hash {
    token_hash: Vec<u8>,
    email: String,
    full_name: String,
    password_hash: String,
    browser_hash: Option<Vec<u8>>,
    may_be_first: bool,
    kept: bool,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    user_id: Option<i64>,
} }

copied! { NoticeLinkRow of notice_links by id {
    id: i64,
    token_hash: Vec<u8>,
    user_id: i64,
    email: Option<String>,
    session_id: Option<String>,
    created_at: i64,
    expires_at: i64,
} }

copied! { ThrottleRow of throttle_counters by key_hash {
    key_hash: Vec<u8>,
    account_hash: Option<Vec<u8>>,
    tries: i64,
    counted_at: i64,
    expires_at: Option<i64>,
} }

copied! { MailLimitRow of mail_limits by recipient_hash {
    recipient_hash: Vec<u8>,
    first_at: i64,
    second_at: i64,
    third_at: i64,
    fourth_at: i64,
    fifth_at: i64,
} }

copied! { EventRow of auth_events by id {
    id: i64,
    user_id: Option<i64>,
    event_type: String,
    details: String,
    created_at: i64,
} }

copied! { CursorRow of event_cursors by name {
    name: String,
    position: i64,
    missing: String,
    lease: i64,
    leased_until: i64,
    failures: i64,
    retry_at: i64,
    used_at: i64,
} }

copied! { DroppedRow of dropped_keys by key_id {
    key_id: String,
    dropped_at: i64,
} }

/// Takes over which key signs: a process that lacks it must not join on the server either.
fn copy_signing_key(file: &mut SqliteConnection, server: &mut PgConnection) -> QueryResult<()> {
    let named = signing_key::table.select((signing_key::key_id, signing_key::moved_at));
    if let Some((key, moved)) = named.get_result::<(Option<String>, Option<i64>)>(file).optional()? {
        diesel::update(signing_key::table)
            .set((
                signing_key::key_id.eq(key),
                signing_key::moved_at.eq(moved),
                signing_key::revision.eq(signing_key::revision + 1),
            ))
            .execute(server)?;
    }
    Ok(())
}

copied! { OutboxRow of outbox by id {
    id: i64,
    message_id: String,
    recipient: String,
    subject: String,
    created_at: i64,
    expires_at: i64,
    due_at: i64,
    attempts: i64,
    deferrals: i64,
    leased_until: i64,
    refused_at: Option<i64>,
    refusal: Option<String>,
    text: String,
    html: String,
} }

/// Copies everything from a file to a server, and seals the file.
///
/// A program may be running on the file. A server that a killed move left half filled does not exist: its rows are
/// committed last; a file that one left sealed can be moved again.
///
/// # Errors
/// If anything is not as it must be; then nothing was moved, and the file takes writes as before.
pub fn relocate(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<Moved, MoveError> {
    let source = Place::from(from);
    let Some(mut looked) = source.look()? else { return Err(MoveError::Missing(from.shown())) };
    migrations::refuse_newer(&mut looked).map_err(|error| source.unreadable(error))?;
    if migrations::pending(&mut looked)? > 0 {
        return Err(MoveError::NotMigrated(from.shown()));
    }
    drop(looked);
    let target = Place::from(to);
    if let Some(mut server) = target.look()? {
        migrations::refuse_newer(&mut server)?;
    }
    let mut target = target.open_to_migrate()?;
    migrations::run(&mut target)?;
    let (Connection::Sqlite(mut file), Connection::Postgres(mut server)) = (source.open()?, target) else {
        return Err(StoreError::Unavailable("a move goes from SQLite to PostgreSQL".into()).into());
    };
    file.batch_execute(LOCK_TIMEOUT)?;
    // Whoever else writes to the file waits or is refused from here on, until it is sealed.
    AnsiTransactionManager::begin_transaction_sql(&mut file, "BEGIN IMMEDIATE")?;
    AnsiTransactionManager::begin_transaction(&mut server)?;
    let moved = copy(&mut file, &mut server, to)?;
    unseal(&mut file)?;
    seal(&mut file)?;
    AnsiTransactionManager::commit_transaction(&mut file)?;
    if let Err(error) = AnsiTransactionManager::commit_transaction(&mut server) {
        unseal(&mut file)?;
        return Err(error.into());
    }
    Ok(moved)
}

fn copy(file: &mut SqliteConnection, server: &mut PgConnection, to: &DatabaseUrl) -> Result<Moved, MoveError> {
    lock(server, Lock::FirstRows)?;
    let held: i64 = users::table.count().get_result(server)?;
    let peppered: i64 = peppers::table.count().get_result(server)?;
    if held > 0 {
        return Err(MoveError::NotEmpty(to.shown()));
    }
    if peppered > 0 {
        // A server that was started once and never used has a pepper that no password was hashed with.
        diesel::delete(peppers::table).execute(server)?;
    }
    diesel::delete(auth_events::table).execute(server)?;
    let users = UserRow::copy(file, server)?;
    PepperRow::copy(file, server)?;
    let sessions = SessionRow::copy(file, server)?;
    TokenRow::copy(file, server)?;
    // Whoever is signing in at this moment finds their form on the server.
    KeptFormRow::copy(file, server)?;
    diesel::delete(pending_registrations::table).execute(server)?;
    PendingRegistrationRow::copy(file, server)?;
    NoticeLinkRow::copy(file, server)?;
    // What was counted on a server that was started once says nothing of the accounts that arrive.
    diesel::delete(throttle_counters::table).execute(server)?;
    ThrottleRow::copy(file, server)?;
    diesel::delete(mail_limits::table).execute(server)?;
    MailLimitRow::copy(file, server)?;
    // The server counts them anew from the events that arrive.
    diesel::delete(daily_counts::table).execute(server)?;
    let events = EventRow::copy(file, server)?;
    diesel::delete(event_cursors::table).execute(server)?;
    CursorRow::copy(file, server)?;
    diesel::delete(dropped_keys::table).execute(server)?;
    DroppedRow::copy(file, server)?;
    copy_signing_key(file, server)?;
    // An e-mail that is being sent from the file at this moment keeps its lease, so it is not sent from the server too.
    diesel::delete(outbox::table).execute(server)?;
    OutboxRow::copy(file, server)?;
    for table in ["users", "auth_events", "outbox", "notice_links"] {
        // The next number is the one after the highest, also where there is none yet.
        server.batch_execute(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
        ))?;
    }
    // Where retention has deleted the last event, the numbers of the server begin below what the hooks have had.
    server.batch_execute(
        "UPDATE event_cursors SET position = least(position, (SELECT coalesce(max(id), 0) FROM auth_events))",
    )?;
    Ok(Moved { users, sessions, events })
}

fn seal(file: &mut SqliteConnection) -> QueryResult<()> {
    each_seal(|name, table, write| {
        file.batch_execute(&format!(
            "CREATE TRIGGER {name} BEFORE {write} ON {table} BEGIN SELECT RAISE(ABORT, 'moved to PostgreSQL'); END"
        ))
    })
}

fn unseal(file: &mut SqliteConnection) -> QueryResult<()> {
    each_seal(|name, _, _| file.batch_execute(&format!("DROP TRIGGER IF EXISTS {name}")))
}

fn each_seal(mut act: impl FnMut(&str, &str, &str) -> QueryResult<()>) -> QueryResult<()> {
    for table in TABLES {
        for write in ["INSERT", "UPDATE", "DELETE"] {
            act(&format!("moved_{table}_{}", write.to_lowercase()), table, write)?;
        }
    }
    Ok(())
}
