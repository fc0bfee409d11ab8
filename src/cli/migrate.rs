//! `perennial migrate`.

use super::output::{Failure, say};
use crate::app::open_database;
use crate::config::Settings;

/// Brings the database up to date.
pub(super) fn run(settings: &Settings, finish: bool) -> Result<(), Failure> {
    let (database, report) = open_database(settings)?;
    if finish && database.finish_upgrade(true)? {
        say("The version before is not let in any more.")?;
    }
    if report.applied.is_empty() {
        return say("The database is up to date.");
    }
    for migration in &report.applied {
        say(&format!("Applied {migration}"))?;
    }
    Ok(())
}
