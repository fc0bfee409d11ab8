//! `perennial session`.

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::database::{find_user, open_existing};
use super::output::{Failure, say, say_json, timestamp, warn};
use super::table::table;
use crate::app::system_clock;
use crate::config::Settings;
use crate::display::device::device;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::EndReason;
use crate::session::EndAll;
use crate::store::operator::{ListedSession, list_sessions};
use crate::store::sessions::{self, Which};
use crate::store::{Database, users};

/// The pause between two steps of the end of all sign-ins: a server beside it gets its turns.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What can be done with sign-ins.
#[derive(Subcommand)]
pub(super) enum SessionCommand {
    /// List the sign-ins that are alive, the last used first
    List {
        /// Only those of this account: its number or its email address
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// End one sign-in, those of an account, or all: each page asks for the password again within a second
    Revoke(Revoked),
}

/// Which sign-ins are to end.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Revoked {
    /// The one of this name, as session list shows it
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: Option<String>,
    /// Those of this account: its number or its email address
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Those of everybody
    #[arg(long)]
    all: bool,
}

/// Carries a command out.
pub(super) fn run(settings: &Settings, command: &SessionCommand) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    match command {
        SessionCommand::List { user, limit, json } => list(settings, &database, user.as_deref(), *limit, *json),
        SessionCommand::Revoke(Revoked { id: Some(id), .. }) => revoke(&database, id),
        SessionCommand::Revoke(Revoked { user: Some(user), .. }) => revoke_of_user(&database, user),
        SessionCommand::Revoke(_) => revoke_all(&database),
    }
}

fn list(
    settings: &Settings,
    database: &Database,
    user: Option<&str>,
    limit: u32,
    as_json: bool,
) -> Result<(), Failure> {
    let user = user.map(|named| find_user(database, named)).transpose()?.map(|user| user.id);
    let now = system_clock().now();
    let mut found =
        database.read_blocking(|rows| list_sessions(rows, user, &settings.lifetimes, now, i64::from(limit) + 1))?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    if as_json {
        say_json(&Value::Array(found.iter().map(document).collect()))?;
    } else if found.is_empty() {
        say("Nobody is signed in")?;
    } else {
        let head = ["ID", "USER", "DEVICE", "ADDRESS", "LAST SEEN", "ENDS", "BOUND"];
        say(&table(head, found.iter().map(row)))?;
    }
    if more {
        warn(&format!("there are more than these {limit} sign-ins: --limit takes another number"));
    }
    Ok(())
}

fn document((session, email): &ListedSession) -> Value {
    json!({
        "id": session.id.to_string(),
        "user_id": session.user_id.0,
        "email": email,
        "generation": session.generation,
        "created_at": timestamp(session.created_at),
        "authenticated_at": timestamp(session.authenticated_at),
        "rotated_at": timestamp(session.rotated_at),
        "last_seen_at": timestamp(session.last_seen_at),
        "expires_at": timestamp(session.expires_at),
        "kept": session.kept,
        "user_agent": session.user_agent,
        "address": session.address,
        "bound": session.is_bound(),
    })
}

fn row((session, email): &ListedSession) -> [String; 7] {
    [
        session.id.to_string(),
        email.clone(),
        device(&session.user_agent),
        session.address.clone(),
        timestamp(session.last_seen_at),
        timestamp(session.expires_at),
        if session.is_bound() { "yes" } else { "no" }.to_owned(),
    ]
}

fn event(user: UserId) -> Event {
    let because = EndReason::RevokedByOperator;
    Event::of_command(EventType::SessionRevoked, Some(user), system_clock().now()).because(because.as_str())
}

fn revoke(database: &Database, named: &str) -> Result<(), Failure> {
    let unknown = || Failure::Failed(format!("there is no sign-in {named:?}"));
    let id: SessionId = named.parse().map_err(|_| unknown())?;
    let ended = database.write_blocking(move |connection| {
        let Some(session) = sessions::find(connection, id)? else { return Ok(None) };
        users::lock_row(connection, session.user_id)?;
        let event = event(session.user_id);
        let ended = sessions::end(connection, &Which::These(vec![id]), EndReason::RevokedByOperator, &event)?;
        Ok(Some(ended.len()))
    })?;
    match ended {
        None => Err(unknown()),
        Some(0) => say(&format!("{id} had ended already")),
        Some(_) => say(&format!("Ended {id}")),
    }
}

fn revoke_of_user(database: &Database, named: &str) -> Result<(), Failure> {
    let user = find_user(database, named)?;
    let id = user.id;
    let ended = database.write_blocking(move |connection| {
        users::lock_row(connection, id)?;
        let all = Which::All { spared: None };
        sessions::end(connection, &all, EndReason::RevokedByOperator, &event(id))
    })?;
    say(&format!("Ended {} of {}", counted(ended.len()), user.email))
}

fn revoke_all(database: &Database) -> Result<(), Failure> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {pos} sign-ins ended")?);
    let mut done = EndAll::begin();
    loop {
        let step =
            database.write_blocking(move |connection| done.step(connection, EndReason::RevokedByOperator, event));
        match step {
            Ok(Some(next)) => done = next,
            Ok(None) => break,
            Err(error) => {
                bar.finish_and_clear();
                return Err(Failure::Failed(format!("{error}; {} have ended, run it again", counted(done.ended))));
            }
        }
        bar.set_position(done.ended as u64);
        std::thread::park_timeout(PAUSE);
    }
    bar.finish_and_clear();
    say(&format!("Ended {}", counted(done.ended)))
}

fn counted(sessions: usize) -> String {
    if sessions == 1 { "1 sign-in".to_owned() } else { format!("{sessions} sign-ins") }
}
