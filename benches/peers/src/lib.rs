//! What the peers share: the page that they send, and how they are started.

use std::net::SocketAddr;

use serde::Deserialize;

/// The user that both look up for every page.
pub const EMAIL: &str = "ada@example.org";

/// The table, with that user in it.
pub const USERS: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, full_name TEXT NOT NULL);
    INSERT OR IGNORE INTO users VALUES (1, 'ada@example.org', 'Ada Lovelace');
";

/// An answer of Perennial's, to be sent as it is.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// The headers that are not of the server's own making.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// Reads the arguments `<address> <page> <database>`.
pub fn arguments() -> (SocketAddr, Page, String) {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, page, database] = arguments.as_slice() else { panic!("usage: <address> <page> <database>") };
    let page = serde_json::from_slice(&std::fs::read(page).unwrap()).unwrap();
    (address.parse().unwrap(), page, database.clone())
}
