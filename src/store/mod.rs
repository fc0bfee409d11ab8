//! The only SQL: functions named for their outcome, and the [`Database`] that runs them.
//!
//! Reads go through a small pool; writes go through one thread, where those that wait share one transaction and so one
//! `fsync`. Conditional writes decide by the number of rows they touched.

pub mod auth_tokens;
pub mod changes;
mod connection;
mod database;
mod error;
pub mod events;
mod migrations;
pub mod peppers;
mod schema;
pub mod sessions;
mod times;
pub mod users;
mod writer;

pub use connection::Connection;
pub use database::{Closing, Database, Health};
pub use error::StoreError;
pub use migrations::MigrationReport;
