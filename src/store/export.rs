//! Everything that the database holds about one user, for themselves; nothing that signs anybody in.

use diesel::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Connection;
use super::error::StoreError;
use super::schema::{auth_events, auth_tokens, kept_forms, outbox, sessions, throttle_counters, users};
use super::throttle_keys::account_key;
use super::times::moment;
use crate::domain::id::UserId;
use crate::domain::user::Email;

/// Writes a time as the pages do for machines.
fn time(seconds: i64) -> Result<String, StoreError> {
    let text = moment(seconds)?.format(&Rfc3339);
    text.map_err(|_| StoreError::Corrupt("a time that no calendar has"))
}

fn maybe_time(seconds: Option<i64>) -> Result<Option<String>, StoreError> {
    seconds.map(time).transpose()
}

/// Collects what is kept about a user; null if there is no such user.
///
/// What is left out: the hash of the password, the hashes of tokens, the text of mail that waits, which may hold a link
/// that works, and the content of forms that are kept, which is encrypted.
///
/// # Errors
/// If the database cannot read.
pub fn everything_about(connection: &mut Connection, user: UserId, now: OffsetDateTime) -> Result<Value, StoreError> {
    let Some((email, profile)) = profile(connection, user)? else { return Ok(Value::Null) };
    Ok(json!({
        "exported_at": time(now.unix_timestamp())?,
        "profile": profile,
        "sign_ins": sign_ins(connection, user)?,
        "events": events(connection, user)?,
        "links": links(connection, user)?,
        "waiting_mail": waiting_mail(connection, &email)?,
        "kept_forms": forms(connection, user)?,
        "counters": counters(connection, &email)?,
    }))
}

type Profile = (String, String, String, bool, i64, Option<i64>, Option<i64>, Option<String>, Option<i64>);

fn profile(connection: &mut Connection, user: UserId) -> Result<Option<(String, Value)>, StoreError> {
    let columns = (
        users::email,
        users::full_name,
        users::role,
        users::is_active,
        users::created_at,
        users::last_login_at,
        users::previous_login_at,
        users::time_zone,
        users::theft_noticed_at,
    );
    let row = users::table.find(user.0).select(columns).get_result::<Profile>(connection).optional()?;
    let Some((email, full_name, role, is_active, created, last, previous, time_zone, theft)) = row else {
        return Ok(None);
    };
    let profile = json!({
        "id": user.0,
        "email": &email,
        "full_name": full_name,
        "role": role,
        "is_active": is_active,
        "created_at": time(created)?,
        "last_login_at": maybe_time(last)?,
        // 0 where nobody noted it.
        "previous_login_at": maybe_time(previous.filter(|at| *at != 0))?,
        "time_zone": time_zone,
        "theft_noticed_at": maybe_time(theft)?,
    });
    Ok(Some((email, profile)))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SignInRow {
    id: String,
    generation: i64,
    created_at: i64,
    authenticated_at: i64,
    rotated_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    kept: bool,
    revoked_at: Option<i64>,
    revoked_because: Option<String>,
    user_agent: String,
    address: String,
}

fn sign_ins(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, StoreError> {
    let own = sessions::table.filter(sessions::user_id.eq(user.0)).order(sessions::created_at);
    let rows: Vec<SignInRow> = own.select(SignInRow::as_select()).load(connection)?;
    let value = |row: SignInRow| {
        Ok(json!({
            "id": row.id,
            "generation": row.generation,
            "created_at": time(row.created_at)?,
            "password_entered_at": time(row.authenticated_at)?,
            "renewed_at": time(row.rotated_at)?,
            "last_seen_at": time(row.last_seen_at)?,
            "expires_at": time(row.expires_at)?,
            "kept": row.kept,
            "ended_at": maybe_time(row.revoked_at)?,
            "ended_because": row.revoked_because,
            "user_agent": row.user_agent,
            "address": row.address,
        }))
    };
    rows.into_iter().map(value).collect()
}

fn events(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, StoreError> {
    let own = auth_events::table.filter(auth_events::user_id.eq(user.0)).order(auth_events::id);
    let columns = (auth_events::event_type, auth_events::details, auth_events::created_at);
    let rows: Vec<(String, String, i64)> = own.select(columns).load(connection)?;
    let value = |(kind, details, at): (String, String, i64)| {
        let details = serde_json::from_str(&details).unwrap_or(Value::String(details));
        Ok(json!({ "type": kind, "at": time(at)?, "details": details }))
    };
    rows.into_iter().map(value).collect()
}

fn links(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, StoreError> {
    let own = auth_tokens::table.filter(auth_tokens::user_id.eq(user.0)).order(auth_tokens::created_at);
    let columns = (
        auth_tokens::token_type,
        auth_tokens::email,
        auth_tokens::created_at,
        auth_tokens::expires_at,
        auth_tokens::used_at,
    );
    let rows: Vec<(String, String, i64, i64, Option<i64>)> = own.select(columns).load(connection)?;
    let value = |(kind, email, created, expires, used): (String, String, i64, i64, Option<i64>)| {
        let (created, expires, used) = (time(created)?, time(expires)?, maybe_time(used)?);
        Ok(json!({ "type": kind, "email": email, "created_at": created, "expires_at": expires, "used_at": used }))
    };
    rows.into_iter().map(value).collect()
}

fn waiting_mail(connection: &mut Connection, email: &str) -> Result<Vec<Value>, StoreError> {
    let own = outbox::table.filter(outbox::recipient.eq(email)).order(outbox::id);
    let columns = (outbox::subject, outbox::created_at, outbox::expires_at, outbox::refusal);
    let rows: Vec<(String, i64, i64, Option<String>)> = own.select(columns).load(connection)?;
    let value = |(subject, created, expires, refusal): (String, i64, i64, Option<String>)| {
        let (created, expires) = (time(created)?, time(expires)?);
        Ok(json!({ "subject": subject, "created_at": created, "expires_at": expires, "refused": refusal }))
    };
    rows.into_iter().map(value).collect()
}

/// Tells of forms that are kept for a while; what they hold is encrypted.
fn forms(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, StoreError> {
    let own = kept_forms::table.filter(kept_forms::user_id.eq(user.0)).order(kept_forms::created_at);
    let rows: Vec<(i64, i64)> = own.select((kept_forms::created_at, kept_forms::expires_at)).load(connection)?;
    let value = |(created, expires)| Ok(json!({ "created_at": time(created)?, "expires_at": time(expires)? }));
    rows.into_iter().map(value).collect()
}

/// Tells how many wrong passwords were counted, and how many devices are known.
fn counters(connection: &mut Connection, email: &str) -> Result<Value, StoreError> {
    let Ok(email) = email.parse::<Email>() else { return Ok(Value::Null) };
    let account = account_key(&email);
    let failures = throttle_counters::table.find(&account).select(throttle_counters::tries);
    let failures = failures.first::<i64>(connection).optional()?.unwrap_or_default();
    let devices = throttle_counters::table.filter(throttle_counters::account_hash.eq(&account)).count();
    Ok(json!({ "wrong_passwords": failures, "known_devices": devices.get_result::<i64>(connection)? }))
}
