//! `perennial secret rotate`.

use std::path::Path;

use crate::app::{KEY_FILE, system_clock};
use crate::cli::database::open_existing;
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::crypto::{RotatedKeys, rotate_key_file};
use crate::domain::event::{Event, EventType};
use crate::domain::key_id::KeyId;
use crate::domain::signing_key::list;
use crate::store::events;
use crate::store::nodes::{overview, signing_since};

/// What to do where the keys are not in a file.
const BY_HAND: &str = "the keys are in JWT_SECRET_KEY, which no command can change: on one node after the other, put a \
     fresh secret (perennial secret prints one) and a comma in front of what is there, and restart; perennial node list \
     marks the new key with * once every node has it and it signs";

/// Puts a new key in front in the key file, and says what is left to do.
pub(in crate::cli) fn run(settings: &Settings) -> Result<(), Failure> {
    if settings.secret_keys.is_some() {
        return Err(Failure::Failed(BY_HAND.to_owned()));
    }
    let file = Path::new(KEY_FILE);
    if !file.exists() {
        return Err(Failure::Failed(format!("there is no {KEY_FILE} yet: the first start makes it, with a new key")));
    }
    let database = open_existing(settings)?;
    let (there, since) = database.read_blocking(|rows| Ok((overview(rows)?, signing_since(rows)?)))?;
    let outlived = since.is_some_and(|since| there.now - since > settings.lifetimes.key_outlived());
    let needed = |key: KeyId| !outlived || there.standing.signing() == Some(key);
    let rotated = rotate_key_file(file, |key| !there.standing.is_dropped(key) && needed(key))?;
    let event = Event::of_command(EventType::SigningKeyAdded, None, system_clock().now());
    database.write_blocking(move |connection| events::insert(connection, &event))?;
    say(&words(&rotated, there.nodes.len()))
}

fn words(rotated: &RotatedKeys, running: usize) -> String {
    let RotatedKeys { new, kept, removed } = rotated;
    let mut lines = vec![format!("The new key {new} is the first in {KEY_FILE}, before {}.", list(kept))];
    if !removed.is_empty() {
        lines.push(format!("Taken away: {}. No sign-in that lives was signed with it.", list(removed)));
    }
    lines.push(match running {
        0 => format!("{new} signs from the next start on; nobody is signed out by it."),
        1 => format!("Restart perennial, and {new} signs; nobody is signed out by it."),
        _ => format!(
            "{running} processes run on this database: restart one after the other. Nobody is signed out by it, and \
             perennial node list marks {new} with * once all of them have it and it signs."
        ),
    });
    lines.push(format!("Back {KEY_FILE} up."));
    lines.join("\n")
}
