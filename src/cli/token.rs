//! `perennial token`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::database::open_existing;
use super::output::{Failure, say, say_json};
use super::table::table;
use crate::app::system_clock;
use crate::config::Settings;
use crate::store::operator::{DayStatistics, statistics};

/// What can be asked about tokens.
#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Count the sign-ins whose refresh tokens are active, over, or over within 24 hours; in all, and by the day they began
    Stats {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Carries a command out.
pub(super) fn run(settings: &Settings, command: &TokenCommand) -> Result<(), Failure> {
    let TokenCommand::Stats { json: as_json } = command;
    let database = open_existing(settings)?;
    let now = system_clock().now();
    let found = database.read_blocking(|rows| statistics(rows, &settings.lifetimes, now))?;
    if *as_json {
        return say_json(&json!({
            "active": found.active,
            "expired": found.expired,
            "expiring_soon": found.expiring_soon,
            "per_day": found.per_day.iter().map(document).collect::<Vec<_>>(),
        }));
    }
    let total =
        ["all".to_owned(), found.active.to_string(), found.expired.to_string(), found.expiring_soon.to_string()];
    let rows = found.per_day.iter().map(row).chain([total]);
    say(&table(["BEGAN", "ACTIVE", "EXPIRED", "EXPIRING SOON"], rows))
}

fn document(day: &DayStatistics) -> Value {
    json!({
        "day": day.day.to_string(),
        "active": day.active,
        "expired": day.expired,
        "expiring_soon": day.expiring_soon,
    })
}

fn row(day: &DayStatistics) -> [String; 4] {
    [day.day.to_string(), day.active.to_string(), day.expired.to_string(), day.expiring_soon.to_string()]
}
