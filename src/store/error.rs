//! What can go wrong with the data.

use diesel::result::{DatabaseErrorKind, Error};

/// Why the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot answer now: busy, full, away. A later try may succeed.
    ///
    /// Of a write nothing is there, with one exception: where the connection to a server was lost while it committed,
    /// nobody can tell. Whoever retries must be right in both cases.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A query that the database understands and refuses, or does not understand: a fault of the program or of the tables,
    /// which the next try finds again.
    #[error("a query failed: {0}")]
    Query(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database cannot be opened at all.
    #[error("cannot open the database {place}: {source}")]
    Open {
        /// The file or the server.
        place: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database has migrations that this program does not know, and that shut it out.
    #[error(
        "the database was made by a newer version of perennial (it has migration {version}); run that version, or restore a backup from before it"
    )]
    Newer {
        /// The first migration that is not known here.
        version: String,
    },
    /// Another program's tables have the names of ours.
    #[error(
        "the database has tables that perennial did not make and whose names it needs ({names}): give it a database of its \
         own, or on PostgreSQL a schema of its own by DATABASE_SCHEMA"
    )]
    NamesTaken {
        /// The names, with commas between them.
        names: String,
    },
    /// A migration failed.
    #[error("cannot migrate the database: {0}")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file was moved to a server.
    #[error("the data of this database were moved to PostgreSQL: set DATABASE_URL to that server")]
    Moved,
    /// The pooler and the server behind it are not the same database.
    #[error(
        "DATABASE_URL ({pooler}) and DATABASE_DIRECT_URL ({server}) lead to two databases: give the second the URL of the \
         server behind the first"
    )]
    OtherDatabase {
        /// Where the pooler leads.
        pooler: String,
        /// The other one.
        server: String,
    },
    /// Another process is doing what only one may do at a time.
    #[error("another process is doing this at the moment; what it leaves is done the next time")]
    Taken,
    /// A row that no version of this program could have written.
    #[error("the database holds what it cannot hold: {0}")]
    Corrupt(&'static str),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if is_outage(&error) { Self::Unavailable(Box::new(error)) } else { Self::Query(Box::new(error)) }
    }
}

/// What SQLite says, in words that never change, when the file cannot be used now.
const SQLITE_OUTAGES: [&str; 8] = [
    "is locked",
    "disk is full",
    "disk I/O error",
    "readonly database",
    "unable to open database file",
    "locking protocol",
    "interrupted",
    "moved to PostgreSQL",
];

/// How PostgreSQL begins when it has cut a wait short, for a lock or for an answer, unless it speaks another language.
const POSTGRES_TIMEOUT: &str = "canceling statement due to ";

/// Tells whether the database is away, busy or full, as opposed to a query that makes no sense.
///
/// PostgreSQL's words depend on its language, and Diesel passes no SQLSTATE on. But what is wrong with a statement is
/// reported with a place in it, and what is wrong with the server is not; except for a wait that was cut short while the
/// statement was read, which names the table that is locked.
fn is_outage(error: &Error) -> bool {
    match error {
        Error::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::UnableToSendCommand => true,
            DatabaseErrorKind::Unknown => {
                let words = information.message();
                let sqlite = words.starts_with("no such ") || words.contains("has no column named");
                SQLITE_OUTAGES.iter().any(|outage| words.contains(outage))
                    || words.starts_with(POSTGRES_TIMEOUT)
                    || (information.statement_position().is_none() && !sqlite && !words.contains("syntax error"))
            }
            _ => false,
        },
        Error::BrokenTransactionManager | Error::AlreadyInTransaction | Error::NotInTransaction => true,
        Error::RollbackErrorOnCommit { commit_error, .. } => is_outage(commit_error),
        Error::RollbackTransaction => true,
        _ => false,
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(error: r2d2::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::DatabaseErrorInformation;

    use super::*;

    /// What a server says of a place in a statement.
    struct At(&'static str, Option<i32>);

    impl DatabaseErrorInformation for At {
        fn message(&self) -> &str {
            self.0
        }

        fn statement_position(&self) -> Option<i32> {
            self.1
        }

        fn details(&self) -> Option<&str> {
            None
        }

        fn hint(&self) -> Option<&str> {
            None
        }

        fn table_name(&self) -> Option<&str> {
            None
        }

        fn column_name(&self) -> Option<&str> {
            None
        }

        fn constraint_name(&self) -> Option<&str> {
            None
        }
    }

    #[test]
    fn what_is_away_and_what_is_wrong_are_told_apart() {
        let is_outage =
            |words, at| is_outage(&Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(At(words, at))));
        for (words, at) in [
            ("database is locked", None),
            ("database or disk is full", None),
            ("terminating connection due to administrator command", None),
            ("canceling statement due to lock timeout", None),
            ("canceling statement due to lock timeout", Some(15)),
            ("canceling statement due to statement timeout", Some(15)),
        ] {
            assert!(is_outage(words, at), "{words} {at:?}");
        }
        for (words, at) in [
            ("no such table: sessions", None),
            ("near \"SELEC\": syntax error", None),
            ("relation \"sessions\" does not exist", Some(15)),
            ("column \"generation\" does not exist", Some(8)),
        ] {
            assert!(!is_outage(words, at), "{words} {at:?}");
        }
    }
}
