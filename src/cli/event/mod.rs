//! `perennial event`.

mod document;
mod export;
mod follow;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use self::document::document;
use super::database::{find_user, open_existing};
use super::output::{Failure, say, say_json, timestamp};
use super::table::table;
use crate::config::Settings;
use crate::display::device::device;
use crate::store::operator::{StoredEvent, list_events};

/// What can be done with the audit trail.
#[derive(Subcommand)]
pub(super) enum EventCommand {
    /// List what happened, newest first
    List {
        /// Only to this account: its number or its email address
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Only of this kind, such as signed_in or session_revoked
        #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
        kind: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print each event as it happens, one JSON object per line, until Ctrl-C
    Follow {
        /// Append to this file instead, go on after its last line, and begin a new one with all the events there are
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Carries a command out.
pub(super) fn run(settings: &Settings, command: &EventCommand) -> Result<(), Failure> {
    match command {
        EventCommand::List { user, kind, limit, json } => {
            list(settings, user.as_deref(), kind.as_deref(), *limit, *json)
        }
        EventCommand::Follow { output: None } => follow::run(settings),
        EventCommand::Follow { output: Some(file) } => follow::run_into(settings, file),
    }
}

/// Accepts what could be the name of a kind of event: those of later versions too.
fn kind(text: &str) -> Result<String, String> {
    let named = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if named { Ok(text.to_owned()) } else { Err("takes the name of a kind of event, such as signed_in".to_owned()) }
}

fn list(settings: &Settings, user: Option<&str>, kind: Option<&str>, limit: u32, as_json: bool) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    let user = user.map(|named| find_user(&database, named)).transpose()?.map(|user| user.id);
    let found = database.read_blocking(|rows| list_events(rows, user, kind, i64::from(limit)))?;
    if as_json {
        return say_json(&Value::Array(found.iter().map(document).collect()));
    }
    if found.is_empty() {
        return say("No event");
    }
    say(&table(["ID", "TIME", "USER", "EVENT", "FROM", "DETAILS"], found.iter().map(row)))
}

fn row(event: &StoredEvent) -> [String; 6] {
    let detail = |name: &str| event.details.get(name).and_then(Value::as_str).unwrap_or_default();
    let from = match (detail("address"), detail("user_agent")) {
        ("", "") => detail("by").to_owned(),
        ("", user_agent) => device(user_agent),
        (address, "") => address.to_owned(),
        (address, user_agent) => format!("{address}, {}", device(user_agent)),
    };
    let rest = ["reason", "role", "session"].into_iter().filter(|name| !detail(name).is_empty());
    let rest = rest.map(|name| format!("{name} {}", detail(name))).collect::<Vec<_>>().join(", ");
    let user = event.email.clone().unwrap_or_else(|| "-".to_owned());
    [event.id.to_string(), timestamp(event.at), user, event.kind.clone(), from, rest]
}
