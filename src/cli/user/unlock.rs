//! `perennial user unlock`.

use crate::app::{open_database, system_clock};
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::UserId;
use crate::domain::user::Email;
use crate::store::{StoreError, events, throttle, users};

/// Forgets the wrong passwords that were tried for an account: the next try is the first.
pub(super) fn run(settings: &Settings, named: &str) -> Result<(), Failure> {
    let (id, email) = (named.parse::<UserId>().ok(), named.parse::<Email>().ok());
    let (database, _) = open_database(settings)?;
    let now = system_clock().now();
    let unlocked = database.write_blocking(move |connection| {
        let found = match (id, &email) {
            (Some(id), _) => users::email_of(connection, id)?.map(|email| (id, email)),
            (None, Some(email)) => {
                users::find_with_password(connection, email)?.map(|(user, _)| (user.id, user.email.into()))
            }
            (None, None) => None,
        };
        let Some((id, text)) = found else { return Ok(None) };
        let Ok(email) = text.parse::<Email>() else {
            return Err(StoreError::Corrupt("an e-mail address that is none"));
        };
        let cleared = throttle::clear(connection, &email, now)?;
        if cleared {
            let event = Event::new(EventType::AccountUnlocked, Some(id), &Client::new(None, ""), now);
            events::insert(connection, &event.because("command line"))?;
        }
        Ok(Some((email, cleared)))
    })?;
    match unlocked {
        Some((email, true)) => say(&format!("Unlocked {email}: the next try to sign in is the first")),
        Some((email, false)) => say(&format!("{email} was not locked; no wrong password is counted against it")),
        None => Err(Failure::Failed(format!("there is no account {named}; give its number or its e-mail address"))),
    }
}
