//! What can go wrong with the data.

/// Why the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot answer now: busy, full, away. A later try may succeed.
    ///
    /// Of a write nothing is there, with one exception: where the connection to a server was lost while it committed,
    /// nobody can tell. Whoever retries must be right in both cases.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    /// A migration failed.
    #[error("cannot migrate the database: {0}")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file was moved to a server.
    #[error("the data of this database were moved to PostgreSQL: set DATABASE_URL to that server")]
    Moved,
    /// Another process is doing what only one may do at a time.
    #[error("another process is doing this at the moment; what it leaves is done the next time")]
    Taken,
    /// A row that no version of this program could have written.
    #[error("the database holds what it cannot hold: {0}")]
    Corrupt(&'static str),
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(error: r2d2::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
