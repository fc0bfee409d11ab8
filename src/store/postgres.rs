//! Connections to a PostgreSQL server: bounded in how long they wait for anything.

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::bounds::Bounds;
use super::error::StoreError;
use crate::store::url::PostgresUrl;

/// What libpq is told unless the URL says otherwise.
///
/// A server that does not answer must not hold a request up: two seconds to connect, and a connection whose other end
/// is silently gone is noticed within about ten. Of several hosts, the one that takes writes: after a failover, that is
/// another one.
const DEFAULTS: [(&str, &str); 8] = [
    ("application_name", "perennial 2"),
    ("connect_timeout", "2"),
    ("keepalives", "1"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "2"),
    ("tcp_user_timeout", "8000"),
    ("target_session_attrs", "read-write"),
];

/// What libpq says of a server that takes no writes: one that follows another, or is told to take none.
const READ_ONLY: &str = "session is read-only";

/// What the version before calls itself to the server.
pub(super) const VERSION_BEFORE: &str = "perennial";

/// Opens connections to one PostgreSQL server, and to the pooler in front of it if there is one.
#[derive(Debug, Clone)]
pub(super) struct PostgresServer {
    server: Endpoint,
    pooler: Option<Endpoint>,
    schema: Option<String>,
}

impl PostgresServer {
    pub(super) fn at(url: &PostgresUrl) -> Self {
        Self { server: Endpoint::at(url), pooler: None, schema: url.schema().map(str::to_owned) }
    }

    pub(super) fn behind(pooler: &PostgresUrl, server: &PostgresUrl) -> Self {
        Self { server: Endpoint::at(server), pooler: Some(Endpoint::at(pooler)), schema: None }
    }

    /// Tells whether connections of the pool lead to a pooler, and are its own for one transaction at a time.
    pub(super) fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// Opens a connection for the requests.
    ///
    /// One to a pooler has no bounds of its own and names no statement: the next transaction runs on another connection of
    /// the pooler's, which knows neither.
    pub(super) fn open_for_pool(&self) -> Result<PgConnection, StoreError> {
        let Some(pooler) = &self.pooler else { return self.server.open_bounded(Bounds::Request) };
        let mut connection = pooler.open()?;
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        Ok(connection)
    }

    /// Opens a connection of the caller's own, to the server itself: for whatever outlives a transaction.
    pub(super) fn open(&self) -> Result<PgConnection, StoreError> {
        self.server.open_bounded(Bounds::Background)
    }

    /// Opens a connection whose statements may take as long as they need, to the server itself: for migrations. It makes
    /// the schema that the tables are to have for their own, and asks for no right to where that is there.
    pub(super) fn open_to_migrate(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.server.open()?;
        if let Some(schema) = &self.schema
            && !has_schema(&mut connection, schema)?
            && let Err(error) = connection.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
            // Another process may have been faster by a moment.
            && !has_schema(&mut connection, schema)?
        {
            return Err(StoreError::Migration(error.into()));
        }
        Ok(connection)
    }

    /// Checks that the pooler, if there is one, leads to the same database as the server's own URL: what one writes and the
    /// other follows must be the same rows, or no revocation would ever be heard.
    pub(super) fn check_pooler(&self) -> Result<(), StoreError> {
        let Some(pooler) = &self.pooler else { return Ok(()) };
        let theirs = identity(&mut self.open_for_pool()?)?;
        if identity(&mut self.open()?)? == theirs {
            return Ok(());
        }
        Err(StoreError::OtherDatabase { pooler: pooler.shown.clone(), server: self.server.shown.clone() })
    }
}

/// A URL, and what a person calls it.
#[derive(Debug, Clone)]
struct Endpoint {
    url: SecretString,
    shown: String,
}

impl Endpoint {
    fn at(url: &PostgresUrl) -> Self {
        Self { url: url.with_defaults(&DEFAULTS), shown: url.shown() }
    }

    fn open(&self) -> Result<PgConnection, StoreError> {
        PgConnection::establish(self.url.expose_secret()).map_err(|error| {
            // libpq explains itself in several lines; a complaint here is one.
            let words = error.to_string();
            let mut words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            if words.ends_with(READ_ONLY) {
                words.push_str("; name the server that takes writes, or make this one take them");
            }
            self.open_error(words.into())
        })
    }

    fn open_bounded(&self, bounds: Bounds) -> Result<PgConnection, StoreError> {
        let mut connection = self.open()?;
        connection.batch_execute(bounds.of_a_session()).map_err(|error| self.open_error(error.into()))?;
        Ok(connection)
    }

    fn open_error(&self, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Open { place: self.shown.clone(), source }
    }
}

/// Returns what no other database has: the name that `initdb` gave the server, and the database's number there.
fn identity(connection: &mut PgConnection) -> Result<String, StoreError> {
    let identity = diesel::dsl::sql::<diesel::sql_types::Text>(
        "(SELECT system_identifier FROM pg_control_system()) || ' ' || \
         (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    Ok(diesel::select(identity).get_result(connection)?)
}

fn has_schema(connection: &mut PgConnection, schema: &str) -> Result<bool, StoreError> {
    let there = diesel::dsl::sql::<diesel::sql_types::Bool>("to_regnamespace(")
        .bind::<diesel::sql_types::Text, _>(schema)
        .sql(") IS NOT NULL");
    Ok(diesel::select(there).get_result(connection)?)
}

/// Tells whether the server may be written to: after a failover, an old connection may lead to one that follows.
pub(super) fn takes_writes(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>("NOT pg_is_in_recovery()")).get_result(connection)?)
}

/// Returns what the server's clock says, in Unix seconds.
pub(super) fn clock(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let now = diesel::dsl::sql::<diesel::sql_types::BigInt>("extract(epoch FROM clock_timestamp())::bigint");
    Ok(diesel::select(now).get_result(connection)?)
}

/// Lets the functions that this transaction made find their tables in the schema that they are in, whoever's statement calls
/// them: an application's or a person's, who has another schema in mind. In `public` everybody looks anyway.
pub(super) fn pin_functions(connection: &mut PgConnection) -> Result<(), StoreError> {
    Ok(connection.batch_execute(
        "DO $$ DECLARE made regprocedure; BEGIN \
         IF current_schema() <> 'public' THEN \
         FOR made IN SELECT oid::regprocedure FROM pg_proc \
         WHERE pronamespace = current_schema()::regnamespace AND xmin = pg_current_xact_id()::xid LOOP \
         EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', made, current_schema()); \
         END LOOP; END IF; END $$",
    )?)
}
