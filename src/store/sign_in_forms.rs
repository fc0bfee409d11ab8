//! Which session each form has begun, so that a second click on its button begins no second one.

use diesel::prelude::*;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::sign_in_forms;
use super::times::seconds;
use crate::domain::id::{FormId, SessionId};

/// Notes that a form begins a session; it takes the place of an earlier one.
///
/// # Errors
/// If the database cannot write.
pub fn note(
    connection: &mut Connection,
    form: FormId,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::delete(sign_in_forms::table.find(hash(form))).execute(connection)?;
    let row = (
        sign_in_forms::form_hash.eq(hash(form)),
        sign_in_forms::session_id.eq(session.to_string()),
        sign_in_forms::used_at.eq(seconds(now)),
    );
    diesel::insert_into(sign_in_forms::table).values(row).execute(connection)?;
    Ok(())
}

/// Returns the session that a form has begun.
///
/// # Errors
/// If the database has no answer.
pub fn session_of(connection: &mut Connection, form: FormId) -> Result<Option<SessionId>, StoreError> {
    let found = sign_in_forms::table.find(hash(form)).select(sign_in_forms::session_id);
    let id: Option<String> = found.get_result(connection).optional()?;
    id.map(|id| id.parse().map_err(|_| StoreError::Corrupt("a session id of another form"))).transpose()
}

/// Deletes at most `limit` notes from before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_older(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(sign_in_forms as listed);
    let old = listed
        .filter(listed.field(sign_in_forms::used_at).lt(seconds(before)))
        .order(listed.field(sign_in_forms::used_at))
        .select(listed.field(sign_in_forms::form_hash))
        .limit(limit);
    Ok(diesel::delete(sign_in_forms::table.filter(sign_in_forms::form_hash.eq_any(old))).execute(connection)?)
}

/// Returns what stands for a form: its name binds the form tokens of a browser, and does not belong into a backup.
fn hash(form: FormId) -> Vec<u8> {
    Sha256::digest(form.as_bytes()).to_vec()
}
