//! `perennial secret`.

mod rotate;

use secrecy::ExposeSecret;

pub(super) use rotate::run as rotate;

use super::output::{Failure, say};
use crate::app::open_database;
use crate::config::Settings;
use crate::crypto::fresh_secret;
use crate::domain::key_id::KeyId;
use crate::store::nodes::{DropOutcome, drop_key};
use crate::store::{Database, Health};

/// Prints a fresh secret, which is what it is for: it belongs to nothing yet.
pub(super) fn run() -> Result<(), Failure> {
    say(fresh_secret()?.expose_secret())
}

/// Drops a key: what it signed opens nothing from now on, with every process on the database.
pub(super) fn drop(settings: &Settings, key: &str) -> Result<(), Failure> {
    let key: KeyId = key.parse().map_err(|_| {
        Failure::Usage("KEYID: takes the name of a key, as perennial node list and perennial doctor show it".to_owned())
    })?;
    if Database::inspect(&settings.database)? == Health::Missing {
        return Err(Failure::Failed(format!("there is no database {}", settings.database.shown())));
    }
    let (database, _) = open_database(settings)?;
    match database.write_blocking(move |connection| drop_key(connection, key))? {
        DropOutcome::Refused(refusal) => Err(refusal.into()),
        DropOutcome::Dropped { signing, held_by, version_before_may_run } => {
            let mut lines = vec![format!("Dropped {key}: what it signed opens nothing any more.")];
            lines.push(match (held_by, signing) {
                (0, _) => "No process that runs has this key.".to_owned(),
                (_, Some(signing)) => format!("{signing} signs; take the dropped secret away from every process."),
                (_, None) => "Take the dropped secret away from every process.".to_owned(),
            });
            if version_before_may_run {
                lines.push("A process of the version before goes on taking it: upgrade those that run.".to_owned());
            }
            say(&lines.join("\n"))
        }
    }
}
