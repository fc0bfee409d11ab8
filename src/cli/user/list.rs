//! `perennial user list` and `perennial user show`.

use serde_json::{Value, json};

use crate::app::system_clock;
use crate::cli::database::{find_user, no_user, open_existing};
use crate::cli::output::printable;
use crate::cli::output::{Failure, say, say_json, timestamp, warn};
use crate::cli::table::{aligned, table};
use crate::config::Settings;
use crate::store::operator::{Account, account, list_accounts, list_sessions};

/// Lists accounts in the order in which they were made.
pub(super) fn list(settings: &Settings, search: Option<&str>, limit: u32, as_json: bool) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    let search = search.map(str::to_owned);
    // One more than is shown tells whether there are more.
    let mut found = database.read_blocking(|rows| list_accounts(rows, search.as_deref(), i64::from(limit) + 1))?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    if as_json {
        say_json(&Value::Array(found.iter().map(document).collect()))?;
    } else if found.is_empty() {
        say("No account")?;
    } else {
        let head = ["ID", "EMAIL", "NAME", "ROLE", "STATE", "CREATED", "LAST SIGN-IN"];
        say(&table(head, found.iter().map(row)))?;
    }
    if more {
        warn(&format!("there are more than these {limit} accounts: --limit takes another number"));
    }
    Ok(())
}

/// Shows one account, and how many sign-ins it has.
pub(super) fn show(settings: &Settings, named: &str, as_json: bool) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    let (user, now) = (find_user(&database, named)?, system_clock().now());
    let found = database.read_blocking(|rows| {
        let live = list_sessions(rows, Some(user.id), &settings.lifetimes, now, i64::MAX)?.len();
        Ok(account(rows, user.id)?.map(|account| (account, live)))
    })?;
    let Some((account, live)) = found else { return Err(no_user(named)) };
    if as_json {
        let mut document = document(&account);
        if let Some(fields) = document.as_object_mut() {
            fields.insert("live_sessions".to_owned(), live.into());
        }
        return say_json(&document);
    }
    let [id, email, name, role, state, created, last] = row(&account);
    let lines = [
        ("ID", id),
        ("EMAIL", email),
        ("NAME", name),
        ("ROLE", role),
        ("STATE", state),
        ("CREATED", created),
        ("LAST SIGN-IN", last),
        ("SIGN-INS NOW", live.to_string()),
    ];
    say(&aligned(&lines.map(|(head, value)| [head.to_owned(), printable(&value)])))
}

fn document(account: &Account) -> Value {
    let user = &account.user;
    json!({
        "id": user.id.0,
        "email": user.email,
        "full_name": user.full_name,
        "role": user.role.as_str(),
        "is_active": user.is_active,
        "created_at": timestamp(account.created_at),
        "last_login_at": user.last_login_at.map(timestamp),
    })
}

fn row(account: &Account) -> [String; 7] {
    let user = &account.user;
    [
        user.id.to_string(),
        user.email.to_string(),
        user.full_name.to_string(),
        user.role.as_str().to_owned(),
        if user.is_active { "active" } else { "deactivated" }.to_owned(),
        timestamp(account.created_at),
        user.last_login_at.map_or_else(|| "never".to_owned(), timestamp),
    ]
}
