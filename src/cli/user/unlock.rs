//! `perennial user unlock`.

use crate::app::{open_database, system_clock};
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::domain::event::{Event, EventType};
use crate::domain::user::Email;
use crate::store::{StoreError, events, throttle, users};

/// Forgets the wrong passwords that were tried for an account: the next try is the first.
pub(super) fn run(settings: &Settings, named: &str) -> Result<(), Failure> {
    let (database, _) = open_database(settings)?;
    let (now, wanted) = (system_clock().now(), named.to_owned());
    let unlocked = database.write_blocking(move |connection| {
        let Some(user) = users::find_named(connection, &wanted)? else { return Ok(None) };
        let Ok(email) = user.email.parse::<Email>() else {
            return Err(StoreError::Corrupt("an e-mail address that is none"));
        };
        let cleared = throttle::clear(connection, &email, now)?;
        if cleared {
            events::insert(connection, &Event::of_command(EventType::AccountUnlocked, Some(user.id), now))?;
        }
        Ok(Some((email, cleared)))
    })?;
    match unlocked {
        Some((email, true)) => say(&format!("Unlocked {email}: the next try to sign in is the first")),
        Some((email, false)) => say(&format!("{email} was not locked; no wrong password is counted against it")),
        None => Err(Failure::Failed(format!("there is no user {named:?}"))),
    }
}
