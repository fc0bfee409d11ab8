//! `perennial move`.

use std::path::Path;

use super::output::{Failure, say};
use crate::app::KEY_FILE;
use crate::config::DatabaseUrl;
use crate::store::relocate;

/// Copies a SQLite database to a PostgreSQL server and says what to do next.
pub(super) fn run(from: &str, to: &str) -> Result<(), Failure> {
    let from = url("--from", from)?;
    let to = url("--to", to)?;
    if !matches!(from, DatabaseUrl::Sqlite(_)) {
        return Err(Failure::Usage("--from: takes sqlite:// and the path of a file".to_owned()));
    }
    if !matches!(to, DatabaseUrl::Postgres(_)) {
        return Err(Failure::Usage("--to: takes postgres://user:password@host/database".to_owned()));
    }
    let moved = relocate(&from, &to)?;
    say(&format!(
        "Moved {} users, {} sign-ins and {} events to {}; every count agrees.\n\
         {} takes no more writes: keep it as a backup.\n\
         Stop what runs on it, and start every node with the new DATABASE_URL and {}.",
        moved.users,
        moved.sessions,
        moved.events,
        to.shown(),
        from.shown(),
        keys()
    ))
}

fn url(flag: &str, text: &str) -> Result<DatabaseUrl, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("{flag}: {error}")))
}

/// Says which keys to start with: with others, nobody would be signed in any more.
fn keys() -> String {
    if std::env::var_os("JWT_SECRET_KEY").is_none() && Path::new(KEY_FILE).exists() {
        format!("JWT_SECRET_KEY=\"$(cat {KEY_FILE})\", so that every sign-in goes on")
    } else {
        "the same JWT_SECRET_KEY, so that every sign-in goes on".to_owned()
    }
}
