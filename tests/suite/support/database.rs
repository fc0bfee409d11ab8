//! The database as somebody with a SQL prompt sees it.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};

/// A connection of the test's own.
pub struct Rows(SqliteConnection);

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
    /// Opens the database in a folder.
    pub fn of(folder: &Path) -> Self {
        let path = folder.join("perennial.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        Self(connection)
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

    /// Counts the rows of a table.
    pub fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    /// Counts the events of one type.
    pub fn count_events(&mut self, event_type: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM auth_events WHERE event_type = '{event_type}'"))
    }

    /// Returns what SQLite says of the whole file: `ok`, or the damage.
    pub fn integrity(&mut self) -> String {
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
