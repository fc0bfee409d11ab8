//! The end of an account: what goes with it, and what stays and says nothing of anybody.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde_json::{Map, Value};

use super::Connection;
use super::error::StoreError;
use super::operator::is_last_admin;
use super::schema::{auth_events, auth_tokens, outbox, sessions, sign_in_forms, throttle_counters, users};
use super::session_locks::lock_all_of;
use super::throttle_keys::account_key;
use super::users as user_rows;
use crate::domain::id::UserId;
use crate::domain::user::{Email, User};

/// The particulars of an event that say nothing of a person: why it happened, and whether a command did it.
const IMPERSONAL: [&str; 2] = ["reason", "by"];

/// Events that are made anonymous with one statement at most: SQLite takes 32,766 values.
const EVENTS_AT_ONCE: usize = 10_000;

/// What came of an attempt to delete a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// They are gone; this is who they were.
    Deleted(User),
    /// Others have accounts, and nobody of them is an administrator who may sign in.
    LastAdmin,
}

/// Deletes a user with their sessions, links, waiting mail and counters, and makes their events anonymous.
///
/// Call it under [`lock_admins`](super::operator::lock_admins), so that of two administrators who leave at once one stays,
/// and then [`users::lock_row`](super::users::lock_row).
///
/// # Errors
/// If the database cannot write, or there is no such user.
pub fn delete_user(connection: &mut Connection, id: UserId) -> Result<Deletion, StoreError> {
    let user = user_rows::find(connection, id)?.ok_or(StoreError::Corrupt("a locked user who is not there"))?;
    if is_last_admin(connection, id)? && others_exist(connection, id)? {
        return Ok(Deletion::LastAdmin);
    }
    lock_all_of(connection, &[id])?;
    make_events_anonymous(connection, id)?;
    delete_waiting_mail(connection, &user)?;
    if let Ok(email) = user.email.parse::<Email>() {
        let account = account_key(&email);
        let of_account =
            throttle_counters::key_hash.eq(&account).or(throttle_counters::account_hash.eq(&account).assume_not_null());
        diesel::delete(throttle_counters::table.filter(of_account)).execute(connection)?;
    }
    let own = sessions::table.filter(sessions::user_id.eq(id.0)).select(sessions::id);
    diesel::delete(sign_in_forms::table.filter(sign_in_forms::session_id.eq_any(own))).execute(connection)?;
    // Sessions and links go with their user, by the foreign keys.
    diesel::delete(users::table.find(id.0)).execute(connection)?;
    Ok(Deletion::Deleted(user))
}

/// Tells whether there is any account besides one.
fn others_exist(connection: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    let others = users::table.filter(users::id.ne(id.0)).select(users::id);
    Ok(others.first::<i64>(connection).optional()?.is_some())
}

/// Takes out of a user's events who they were and where.
fn make_events_anonymous(connection: &mut Connection, id: UserId) -> Result<(), StoreError> {
    let own = auth_events::table.filter(auth_events::user_id.eq(id.0));
    let rows: Vec<(i64, String)> = own.select((auth_events::id, auth_events::details)).load(connection)?;
    // There are few reasons, so few statements change many rows.
    let mut alike: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (event, details) in rows {
        alike.entry(impersonal(&details)).or_default().push(event);
    }
    for (details, events) in alike {
        for some in events.chunks(EVENTS_AT_ONCE) {
            let change = (auth_events::user_id.eq(None::<i64>), auth_events::details.eq(&details));
            diesel::update(auth_events::table.filter(auth_events::id.eq_any(some))).set(change).execute(connection)?;
        }
    }
    Ok(())
}

/// Returns what the particulars of an event say apart from a person; nothing of a text that has another form.
fn impersonal(details: &str) -> String {
    let mut kept: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
    kept.retain(|name, _| IMPERSONAL.contains(&name.as_str()));
    Value::Object(kept).to_string()
}

/// Deletes what waits to be sent to a user: to their address, and to one that a link of theirs was sent to and that is no
/// other account's.
fn delete_waiting_mail(connection: &mut Connection, user: &User) -> Result<(), StoreError> {
    let of_links = auth_tokens::table.filter(auth_tokens::user_id.eq(user.id.0)).select(auth_tokens::email).distinct();
    let mut recipients = vec![user.email.to_string()];
    for email in of_links.load::<String>(connection)? {
        let account = users::table.filter(users::email.eq(&email)).select(users::id);
        if account.first::<i64>(connection).optional()?.is_none() {
            recipients.push(email);
        }
    }
    diesel::delete(outbox::table.filter(outbox::recipient.eq_any(recipients))).execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_what_names_nobody() {
        for (before, after) in [
            (
                "{\"address\":\"192.0.2.1\",\"user_agent\":\"x\",\"reason\":\"revoked\",\"session\":\"s\"}",
                "{\"reason\":\"revoked\"}",
            ),
            ("{\"by\":\"command line\",\"other_address\":\"192.0.2.1\"}", "{\"by\":\"command line\"}"),
            ("{\"from a later version\":\"ada@example.org\"}", "{}"),
            ("ada@example.org", "{}"),
            ("[\"ada@example.org\"]", "{}"),
        ] {
            assert_eq!(impersonal(before), after);
        }
    }
}
