//! `perennial cleanup`.

use super::{Failure, say};
use crate::app::{open_database, system_clock};
use crate::auth::{Continue, Retention};
use crate::config::Settings;

/// Deletes what is over, as the server does by itself.
pub(super) fn run(settings: &Settings, clock_is_right: bool) -> Result<(), Failure> {
    let (database, _) = open_database(settings)?;
    let retention = Retention::new(database, system_clock(), settings.event_retention);
    if let Some(quiet) = retention.suspicious_quiet()?.filter(|_| !clock_is_right) {
        let days = quiet.whole_days();
        return Err(Failure::Failed(format!(
            "nothing has happened here for {days} days, or the clock is wrong, and then every sign-in would be deleted; \
             if the clock is right, run this again with --clock-is-right"
        )));
    }
    // A server may be writing to this database, and waits for a lock no longer than two seconds: it gets its turns.
    let swept = retention.sweep(|pause| {
        std::thread::park_timeout(pause);
        Continue::Yes
    })?;
    say(&format!(
        "Deleted {} sign-ins that are over, {} spent tokens, {} old events and {} old changes",
        swept.sessions, swept.tokens, swept.events, swept.changes
    ))
}
