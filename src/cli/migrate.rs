//! `perennial migrate`.

use super::{Failure, say};
use crate::app::open_database;
use crate::config::Settings;

/// Brings the database up to date.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let (_, report) = open_database(settings)?;
    if report.applied.is_empty() {
        return say("The database is up to date.");
    }
    for migration in &report.applied {
        say(&format!("Applied {migration}"))?;
    }
    Ok(())
}
