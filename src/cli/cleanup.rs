//! `perennial cleanup`.

use super::output::{Failure, say};
use crate::app::{open_database, system_clock};
use crate::config::Settings;
use crate::jobs::{Continue, Retention};

/// Deletes what is over, as the server does by itself.
pub(super) fn run(settings: &Settings, clock_is_right: bool) -> Result<(), Failure> {
    let (database, _) = open_database(settings)?;
    let retention = Retention::new(database, system_clock(), settings.event_retention)?;
    if clock_is_right {
        retention.trust_clock()?;
    }
    // A server may be writing to this database, and waits for a lock no longer than two seconds: it gets its turns.
    let swept = retention.sweep(|pause| {
        std::thread::park_timeout(pause);
        Continue::Yes
    })?;
    say(&format!(
        "Deleted {} sign-ins that are over, {} spent tokens, {} old events, {} old changes and {} old mails",
        swept.sessions, swept.tokens, swept.events, swept.changes, swept.mails
    ))
}
