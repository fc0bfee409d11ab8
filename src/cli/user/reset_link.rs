//! `perennial user reset-link`.

use crate::accounts::{LinkByHand, make_link};
use crate::app::{open_database, system_clock};
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::domain::public_url::PublicUrl;
use crate::store::{Database, Health};

/// Prints a link that sets a new password, and nothing else.
pub(super) fn run(settings: &Settings, user: &str) -> Result<(), Failure> {
    if Database::inspect(&settings.database)? == Health::Missing {
        return Err(Failure::Failed(format!("there is no database {}", settings.database.shown())));
    }
    let (database, _) = open_database(settings)?;
    let public_url = settings.public_url.clone().unwrap_or_else(|| PublicUrl::localhost(settings.bind.port()));
    match make_link(&database, &public_url, user, system_clock().now())? {
        LinkByHand::Made(url) => say(&url),
        LinkByHand::Deactivated => {
            Err(Failure::Failed(format!("the account of {user:?} is deactivated: a link would open nothing")))
        }
        LinkByHand::NotFound => Err(Failure::Failed(format!("there is no user {user:?}"))),
    }
}
