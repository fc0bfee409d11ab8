//! `perennial user deactivate`, `activate` and `role`.

use time::OffsetDateTime;

use crate::accounts::{Administered, activate, deactivate, give_role};
use crate::app::system_clock;
use crate::cli::database::{find_user, no_user, open_existing};
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::domain::event::{Event, EventType};
use crate::domain::id::UserId;
use crate::domain::user::{Role, User};
use crate::store::{Connection, StoreError};

/// Keeps somebody from signing in, and ends the sign-ins they have.
pub(super) fn run_deactivate(settings: &Settings, named: &str) -> Result<(), Failure> {
    let (outcome, user, ended) =
        administer(settings, named, |rows, user, now| deactivate(rows, user, by_command(user, now)))?;
    match outcome {
        Outcome::Done if ended == 1 => say(&format!("Deactivated {}; 1 sign-in has ended", user.email)),
        Outcome::Done => say(&format!("Deactivated {}; {ended} sign-ins have ended", user.email)),
        Outcome::Unchanged => say(&format!("{} was deactivated already", user.email)),
    }
}

/// Lets somebody sign in again.
pub(super) fn run_activate(settings: &Settings, named: &str) -> Result<(), Failure> {
    let (outcome, user, _) =
        administer(settings, named, |rows, user, now| activate(rows, user, by_command(user, now)))?;
    match outcome {
        Outcome::Done => say(&format!("Activated {}: they may sign in again", user.email)),
        Outcome::Unchanged => say(&format!("{} was active already", user.email)),
    }
}

/// Gives somebody a role.
pub(super) fn run_role(settings: &Settings, named: &str, role: &Role) -> Result<(), Failure> {
    let wanted = role.clone();
    let (outcome, user, _) =
        administer(settings, named, move |rows, user, now| give_role(rows, user, &wanted, by_command(user, now)))?;
    match outcome {
        Outcome::Done => say(&format!("{} has the role {} from now on", user.email, role.as_str())),
        Outcome::Unchanged => say(&format!("{} had the role {} already", user.email, role.as_str())),
    }
}

/// Whether there was anything to do.
enum Outcome {
    Done,
    Unchanged,
}

fn by_command(user: UserId, now: OffsetDateTime) -> impl Fn(EventType) -> Event {
    move |kind| Event::of_command(kind, Some(user), now)
}

/// Does something to the account that `named` names; returns it as it is now, and how many of its sign-ins have ended.
fn administer(
    settings: &Settings,
    named: &str,
    act: impl FnOnce(&mut Connection, UserId, OffsetDateTime) -> Result<Administered, StoreError> + Send + 'static,
) -> Result<(Outcome, User, usize), Failure> {
    let database = open_existing(settings)?;
    let (user, now) = (find_user(&database, named)?.id, system_clock().now());
    match database.write_blocking(move |connection| act(connection, user, now))? {
        Administered::Done { user, ended } => Ok((Outcome::Done, user, ended.len())),
        Administered::Unchanged(user) => Ok((Outcome::Unchanged, user, 0)),
        Administered::LastAdmin(user) => Err(Failure::Failed(format!(
            "{} is the last active administrator: make somebody else one first (perennial user role USER admin)",
            user.email
        ))),
        Administered::NotFound => Err(no_user(named)),
    }
}
