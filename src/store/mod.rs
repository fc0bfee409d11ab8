//! The only SQL: functions named for their outcome, and the [`Database`] that runs them.
//!
//! One code for SQLite and PostgreSQL: a query that both understand is written once, and the few places where they differ
//! match on the [`Connection`], whose kinds are there as the features `sqlite` and `postgres` say. Reads go through a small pool. Writes to a file go through one thread, where those that
//! wait share one transaction and so one `fsync`; a server does that by itself, and takes them on every connection.
//! Conditional writes decide by the number of rows they touched.
//!
//! A row is found by its key with `get_result`, never with `first`: that adds a `LIMIT` with a bound value, for which
//! SQLite makes a new plan at every call, and a plan costs several times the read.

pub mod addresses;
mod answer;
pub mod auth_tokens;
#[cfg(feature = "sqlite")]
pub mod backup;
mod bounds;
pub mod changes;
#[cfg(feature = "sqlite")]
mod checkpoints;
mod connection;
mod database;
pub mod deletion;
pub mod device_keys;
pub mod email_changes;
mod error;
pub mod event_cursors;
pub mod event_follower;
pub mod event_tail;
pub mod events;
mod exclusive;
pub mod export;
mod inspect;
pub mod kept_forms;
mod locks;
pub mod mail_limits;
mod migration_record;
mod migrations;
mod moved;
#[cfg(not(feature = "sqlite"))]
mod no_writer;
pub mod nodes;
pub mod notice_links;
pub mod operator;
pub mod outbox;
pub mod pending_registrations;
pub mod peppers;
#[cfg(feature = "postgres")]
mod postgres;
mod probe;
#[cfg(feature = "cli")]
mod relocation;
#[cfg(feature = "sqlite")]
pub mod restore;
pub mod retention_clock;
mod schema;
pub mod session_locks;
pub mod sessions;
pub mod sign_in_forms;
#[cfg(feature = "sqlite")]
mod sqlite;
mod storage;
mod swap;
mod tables;
pub mod throttle;
mod throttle_keys;
mod times;
mod transaction;
pub mod url;
#[cfg(feature = "cli")]
pub mod user_import;
pub mod users;
mod wakeup;
pub mod withheld_mail;
mod work;
mod write_probe;
#[cfg(feature = "sqlite")]
mod writer;

pub use answer::answer_at_start;
pub use connection::AnyConnection as Connection;
pub use database::Database;
pub use error::StoreError;
pub use exclusive::{AdvisoryLock, Exclusive};
pub use inspect::Health;
pub use migrations::MigrationReport;
#[cfg(feature = "cli")]
pub use relocation::relocate;
pub use wakeup::Wakes;
