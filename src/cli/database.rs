//! The database of a command that changes or shows what is there.

use super::output::Failure;
use crate::app::open_database;
use crate::config::Settings;
use crate::domain::user::User;
use crate::store::{Connection, Database, StoreError, users};

/// Opens the database, and makes none where there is none: a command that found nothing in a new one would mislead.
pub(super) fn open_existing(settings: &Settings) -> Result<Database, Failure> {
    if let Some(file) = settings.database.file()
        && !file.exists()
    {
        return Err(no_database(settings));
    }
    Ok(open_database(settings)?.0)
}

/// Says that there is no database.
pub(super) fn no_database(settings: &Settings) -> Failure {
    Failure::Failed(format!("there is no database {}", settings.database.shown()))
}

/// Says that there is no user of this number or address.
pub(super) fn no_user(named: &str) -> Failure {
    Failure::Failed(format!("there is no user {named:?}"))
}

/// Returns the user whom somebody names by number or address.
pub(super) fn find_user(database: &Database, named: &str) -> Result<User, Failure> {
    let user = database.read_blocking(|connection: &mut Connection| -> Result<_, StoreError> {
        users::find_named(connection, named)
    })?;
    user.ok_or_else(|| no_user(named))
}
