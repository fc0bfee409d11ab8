//! One kind of connection for both databases, and where they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "postgres")]
use diesel::PgConnection;
#[cfg(feature = "sqlite")]
use diesel::SqliteConnection;
#[cfg(feature = "sqlite")]
use diesel::connection::SimpleConnection;
use diesel::r2d2::R2D2Connection;
use diesel::result::{DatabaseErrorKind, Error};

use super::error::StoreError;
#[cfg(feature = "postgres")]
use super::postgres::{PostgresServer, takes_writes};
#[cfg(feature = "sqlite")]
use super::sqlite::{SqliteFile, damage};
use super::storage::StorageFault;
use crate::store::url::DatabaseUrl;

/// The one kind of connection that the queries of the store run on.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// To a SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnection),
    /// To a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
}

impl std::fmt::Debug for AnyConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyConnection")
    }
}

/// Runs a query on the connection that [`AnyConnection`] holds, by whatever name the query calls it.
///
/// For those that requests wait for. On the enum, Diesel writes the text of a query anew, twice each time; on what it holds,
/// it knows a prepared statement by the type of its query.
macro_rules! natively {
    ($connection:expr, $held:ident => $query:expr) => {
        match $connection {
            #[cfg(feature = "sqlite")]
            $crate::store::Connection::Sqlite($held) => $query,
            #[cfg(feature = "postgres")]
            $crate::store::Connection::Postgres($held) => $query,
        }
    };
}

pub(super) use natively;

/// The place that connections lead to.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A file.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteFile),
    /// A server.
    #[cfg(feature = "postgres")]
    Postgres(PostgresServer),
}

impl From<&DatabaseUrl> for Place {
    fn from(url: &DatabaseUrl) -> Self {
        match url {
            #[cfg(feature = "sqlite")]
            DatabaseUrl::Sqlite(path) => Self::Sqlite(SqliteFile::at(path)),
            #[cfg(feature = "postgres")]
            DatabaseUrl::Postgres(url) => Self::Postgres(PostgresServer::at(url)),
            #[cfg(feature = "postgres")]
            DatabaseUrl::Pooled { pooler, server } => Self::Postgres(PostgresServer::behind(pooler, server)),
        }
    }
}

impl Place {
    /// Opens a connection for the requests, which may lead to a pooler.
    fn open_for_pool(&self) -> Result<AnyConnection, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.open().map(AnyConnection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.open_for_pool().map(AnyConnection::Postgres),
        }
    }

    /// Tells whether connections of the pool lead to a pooler, where nothing outlives a transaction.
    pub(super) fn has_pooler(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.has_pooler(),
        }
    }

    /// Opens a connection for work, of the caller's own.
    pub(super) fn open(&self) -> Result<AnyConnection, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.open().map(AnyConnection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.open().map(AnyConnection::Postgres),
        }
    }

    /// Opens a connection for migrations, to a database that is made where that takes no more than a file.
    pub(super) fn open_to_migrate(&self) -> Result<AnyConnection, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                file.create()?;
                file.open().map(AnyConnection::Sqlite)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.open_to_migrate().map(AnyConnection::Postgres),
        }
    }

    /// Opens a connection for looking before touching; none where there is nothing yet to look at.
    pub(super) fn look(&self) -> Result<Option<AnyConnection>, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) if !file.exists() => Ok(None),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.look().map(|connection| Some(AnyConnection::Sqlite(connection))),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.open().map(|connection| Some(AnyConnection::Postgres(connection))),
        }
    }

    /// Checks that a file can be used; a server has no files here.
    pub(super) fn check_storage(&self) -> Result<(), StorageFault> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.check_storage(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Looks for damage of a file, which takes as long as the file is; returns it in SQLite's own words.
    pub(super) fn damage(&self) -> Result<Option<String>, StoreError> {
        match (self, self.look()?) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(file), Some(AnyConnection::Sqlite(mut connection))) => {
                damage(&mut connection).map_err(|error| file.unreadable(error))
            }
            _ => Ok(None),
        }
    }

    /// Checks that a pooler leads to the same database as the server's own URL.
    pub(super) fn check_pooler(&self) -> Result<(), StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.check_pooler(),
        }
    }

    /// Names the file in an error of the first query, which is when SQLite looks into it.
    pub(super) fn unreadable(&self, error: StoreError) -> StoreError {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.unreadable(error),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => error,
        }
    }
}

/// A connection of the pool, and the generation in which it was last known to be good.
pub(super) struct Pooled {
    pub(super) connection: AnyConnection,
    checked_at: u64,
}

/// Makes the connections of a pool, and notices which of them are no good any more.
///
/// A server that restarts or fails over takes every connection with it, and each would cost a request its answer before
/// it is thrown away. To check each before its use would cost every request a round trip; so whoever first finds one dead
/// begins a new generation, and those of an older generation are checked before they are used again.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    pub(super) place: Place,
    generation: Arc<AtomicU64>,
}

impl Manager {
    pub(super) fn new(place: Place) -> Self {
        Self { place, generation: Arc::default() }
    }

    /// Makes every connection made so far be checked before its next use.
    pub(super) fn revalidate_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tells whether an error says that its connection, and so perhaps every other, leads nowhere.
pub(super) fn is_lost(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let kind = match source.downcast_ref::<Error>() {
        Some(Error::DatabaseError(kind, _)) => kind,
        Some(Error::BrokenTransactionManager) => return true,
        _ => return false,
    };
    matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::ReadOnlyTransaction)
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = StoreError;

    fn connect(&self) -> Result<Pooled, StoreError> {
        let checked_at = self.generation.load(Ordering::SeqCst);
        Ok(Pooled { connection: self.place.open_for_pool()?, checked_at })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), StoreError> {
        let generation = self.generation.load(Ordering::SeqCst);
        if pooled.checked_at == generation {
            return Ok(());
        }
        match &mut pooled.connection {
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(connection) => connection.batch_execute("SELECT 1")?,
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(connection) => {
                if !takes_writes(connection)? {
                    return Err(StoreError::Unavailable("the server takes no writes".into()));
                }
            }
        }
        pooled.checked_at = generation;
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.connection.is_broken()
    }
}
