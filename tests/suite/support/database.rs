//! The database as somebody with a SQL prompt sees it.
//!
//! Every test has its own, named after the folder of the test: a file in it, or, where the whole suite is run on a
//! server, a database on that.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};
use perennial::store::Connection;

use super::postgres;

/// Set where the suite is run on a PostgreSQL server: the URL of a database there, migrated and empty, of which every
/// test gets a copy.
pub const POSTGRES: &str = "PERENNIAL_TEST_POSTGRES";

/// Returns the URL of the database that belongs to a folder; a server makes it the first time it is asked for.
pub fn url_in(folder: &Path) -> String {
    static MADE: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let Ok(template) = std::env::var(POSTGRES) else {
        return format!("sqlite://{}", folder.join("perennial.db").display());
    };
    let (server, template_name) = template.rsplit_once('/').unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.get_or_insert_default().insert(name.to_owned()) {
        postgres::create(&format!("{server}/postgres"), name, template_name);
    }
    format!("{server}/{name}")
}

/// Tells whether the suite is run on a PostgreSQL server.
pub fn on_postgres() -> bool {
    std::env::var_os(POSTGRES).is_some()
}

/// Writes bytes as a literal of SQL.
pub fn blob(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if on_postgres() { format!(r"'\x{hex}'::bytea") } else { format!("x'{hex}'") }
}

/// Writes a column of bytes as an expression of text.
pub fn hex(column: &str) -> String {
    if on_postgres() { format!("encode({column}, 'hex')") } else { format!("lower(hex({column}))") }
}

/// Returns everything that is stored for a folder: its files, or the text of every row on the server, where bytes are
/// written in hexadecimal.
pub fn everything_stored(folder: &Path) -> Vec<u8> {
    if on_postgres() {
        let mut rows = Rows::of(folder);
        let tables = [
            "users",
            "sessions",
            "auth_tokens",
            "auth_events",
            "peppers",
            "changes",
            "nodes",
            "signing_key",
            "dropped_keys",
            "outbox",
            "sign_in_forms",
            "throttle_counters",
            "kept_forms",
            "pending_registrations",
            "notice_links",
            "event_cursors",
        ];
        let text = |table| format!("SELECT coalesce(string_agg(row::text, ' '), '') FROM {table} AS row");
        return tables.iter().flat_map(|table| rows.text(&text(table)).into_bytes()).collect();
    }
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.to_str().unwrap().contains(".db")).flat_map(|path| std::fs::read(path).unwrap()).collect()
}

/// A connection of the test's own.
pub struct Rows(Connection);

/// A row of the audit trail.
#[derive(Debug, QueryableByName)]
pub struct AuditEvent {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub user_id: Option<i64>,
    #[diesel(sql_type = Text)]
    pub event_type: String,
    #[diesel(sql_type = Text)]
    details: String,
    #[diesel(sql_type = BigInt)]
    pub created_at: i64,
}

impl AuditEvent {
    /// Returns one of the particulars, empty where it is missing.
    pub fn detail(&self, name: &str) -> String {
        let details: serde_json::Value = serde_json::from_str(&self.details).unwrap();
        details[name].as_str().unwrap_or_default().to_owned()
    }
}

impl Rows {
    /// Opens the database that belongs to a folder.
    pub fn of(folder: &Path) -> Self {
        Self::at(&url_in(folder))
    }

    /// Opens a database by its URL.
    pub fn at(url: &str) -> Self {
        let Some(path) = url.strip_prefix("sqlite://") else {
            return Self(Connection::Postgres(PgConnection::establish(url).unwrap()));
        };
        let mut connection = SqliteConnection::establish(path).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        Self(Connection::Sqlite(connection))
    }

    /// Runs statements.
    pub fn execute(&mut self, statements: &str) {
        self.0.batch_execute(statements).unwrap();
    }

    /// Returns the one number that `SELECT {expression}` answers.
    pub fn number(&mut self, expression: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            value: i64,
        }
        sql_query(format!("SELECT ({expression}) AS value")).get_result::<Row>(&mut self.0).unwrap().value
    }

    /// Returns the one text that `SELECT {expression}` answers.
    pub fn text(&mut self, expression: &str) -> String {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            value: String,
        }
        sql_query(format!("SELECT ({expression}) AS value")).get_result::<Row>(&mut self.0).unwrap().value
    }

    /// Returns the audit trail, oldest first.
    pub fn events(&mut self) -> Vec<AuditEvent> {
        sql_query("SELECT user_id, event_type, details, created_at FROM auth_events ORDER BY id")
            .load(&mut self.0)
            .unwrap()
    }

    /// Makes every rotation so far look older than any window, as if a day had passed since.
    pub fn age_rotations(&mut self) {
        self.execute("UPDATE sessions SET rotated_at = rotated_at - 86400");
    }

    /// Makes every rotation from now on look as old at once: each request without an access token renews, and each answer
    /// that gets lost is made up for at the next one.
    pub fn age_every_rotation(&mut self) {
        self.age_rotations();
        let aging = match self.0 {
            Connection::Sqlite(_) => {
                "CREATE TRIGGER aged_sign_in AFTER INSERT ON sessions \
                 BEGIN UPDATE sessions SET rotated_at = NEW.rotated_at - 86400 WHERE id = NEW.id; END; \
                 CREATE TRIGGER aged_rotation AFTER UPDATE OF generation ON sessions \
                 BEGIN UPDATE sessions SET rotated_at = NEW.rotated_at - 86400 WHERE id = NEW.id; END"
            }
            Connection::Postgres(_) => {
                "CREATE FUNCTION age_rotation() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.rotated_at := NEW.rotated_at - 86400; RETURN NEW; END'; \
                 CREATE TRIGGER aged_rotation BEFORE INSERT OR UPDATE OF generation ON sessions \
                 FOR EACH ROW EXECUTE FUNCTION age_rotation()"
            }
        };
        self.execute(aging);
    }

    /// Keeps a copy of all sign-ins, as a backup does.
    pub fn back_up_sessions(&mut self) {
        self.execute("DROP TABLE IF EXISTS backup; CREATE TABLE backup AS SELECT * FROM sessions");
    }

    /// Puts the sign-ins of the copy back to what they were then.
    pub fn restore_sessions(&mut self) {
        self.execute(
            "UPDATE sessions SET (generation, token_hash, previous_hash, rotated_at, last_seen_at) = \
             (SELECT generation, token_hash, previous_hash, rotated_at, last_seen_at FROM backup \
             WHERE backup.id = sessions.id)",
        );
    }

    /// Counts the rows of a table.
    pub fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    /// Counts the events of one type.
    pub fn count_events(&mut self, event_type: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM auth_events WHERE event_type = '{event_type}'"))
    }

    /// Returns what SQLite says of the whole file: `ok`, or the damage. A server has no such question.
    pub fn integrity(&mut self) -> String {
        if matches!(self.0, Connection::Postgres(_)) {
            return "ok".to_owned();
        }
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            integrity_check: String,
        }
        sql_query("PRAGMA integrity_check").get_result::<Row>(&mut self.0).unwrap().integrity_check
    }

    /// Returns the events of one type, oldest first.
    pub fn events_of(&mut self, event_type: &str) -> Vec<AuditEvent> {
        self.events().into_iter().filter(|event| event.event_type == event_type).collect()
    }
}
