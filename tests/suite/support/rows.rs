//! A look at the database file of a running server, from the side.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

/// A connection of the test's own.
pub(crate) struct Rows(SqliteConnection);

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Verdict {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

impl Rows {
    /// Opens the database in a server's folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let path = folder.join("perennial.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        Self(connection)
    }

    /// Returns the one number that a query selects as `value`.
    pub(crate) fn number(&mut self, query: &str) -> i64 {
        diesel::sql_query(query).get_result::<Number>(&mut self.0).unwrap().value
    }

    /// Counts the rows of a table.
    pub(crate) fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS value FROM {table}"))
    }

    /// Counts the audit events of one kind.
    pub(crate) fn events(&mut self, kind: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS value FROM auth_events WHERE event_type = '{kind}'"))
    }

    /// Runs a statement.
    pub(crate) fn execute(&mut self, statement: &str) {
        self.0.batch_execute(statement).unwrap();
    }

    /// Returns what SQLite says of the whole file: `ok`, or the damage.
    pub(crate) fn integrity(&mut self) -> String {
        let verdict: Verdict = diesel::sql_query("PRAGMA integrity_check").get_result(&mut self.0).unwrap();
        verdict.integrity_check
    }
}
