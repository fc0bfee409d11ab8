//! Forms that were sent without a sign-in, encrypted, until their user has signed in and sent them.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::kept_forms;
use super::times::{moment, seconds};
use crate::domain::id::{KeptFormId, UserId};
use crate::domain::kept_form::{AT_MOST, KEPT_FOR, NO_FASTER_THAN};

/// A form that is kept, as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptForm {
    /// Whose it is.
    pub user: UserId,
    /// When it was sent, and kept.
    pub created_at: OffsetDateTime,
    /// Until when it is kept.
    pub expires_at: OffsetDateTime,
    /// Whether it was sent after all.
    pub sent: bool,
    /// The page it stood on, encrypted.
    pub page: Vec<u8>,
    /// Where it goes and its fields, encrypted; none once it was sent, or long after its end.
    pub fields: Option<Vec<u8>>,
}

/// What is kept of a form.
#[derive(Debug)]
pub struct NewKeptForm {
    /// Its name.
    pub id: KeptFormId,
    /// Whose it is.
    pub user: UserId,
    /// The page it stood on, encrypted.
    pub page: Vec<u8>,
    /// Where it goes and its fields, encrypted.
    pub fields: Vec<u8>,
}

/// Keeps a form; the user's oldest makes room for it. Returns whether it is kept: not if all that there is room for came
/// within the last seconds.
///
/// Call it under [`users::lock_row`](super::users::lock_row), so that two that come at once do not take the same room.
///
/// # Errors
/// If the database cannot write.
pub fn insert(connection: &mut Connection, form: &NewKeptForm, now: OffsetDateTime) -> Result<bool, StoreError> {
    let own = kept_forms::table.filter(kept_forms::user_id.eq(form.user.0));
    let newest_first =
        own.order((kept_forms::created_at.desc(), kept_forms::id)).select((kept_forms::id, kept_forms::created_at));
    let there: Vec<(Vec<u8>, i64)> = newest_first.load(connection)?;
    let recent = seconds(now - NO_FASTER_THAN);
    if there.iter().filter(|(_, created_at)| *created_at > recent).count() >= AT_MOST {
        return Ok(false);
    }
    let too_many = there.iter().skip(AT_MOST - 1).map(|(id, _)| id);
    diesel::delete(kept_forms::table.filter(kept_forms::id.eq_any(too_many))).execute(connection)?;
    let row = (
        kept_forms::id.eq(form.id.as_bytes().as_slice()),
        kept_forms::user_id.eq(form.user.0),
        kept_forms::created_at.eq(seconds(now)),
        kept_forms::expires_at.eq(seconds(now + KEPT_FOR)),
        kept_forms::page.eq(&form.page),
        kept_forms::fields.eq(&form.fields),
    );
    diesel::insert_into(kept_forms::table).values(row).execute(connection)?;
    Ok(true)
}

/// Returns a form, whosever it is.
///
/// # Errors
/// If the database cannot read.
pub fn find(connection: &mut Connection, id: KeptFormId) -> Result<Option<KeptForm>, StoreError> {
    type Row = (i64, i64, i64, Option<i64>, Vec<u8>, Option<Vec<u8>>);
    let found = kept_forms::table.find(id.as_bytes().as_slice()).select((
        kept_forms::user_id,
        kept_forms::created_at,
        kept_forms::expires_at,
        kept_forms::sent_at,
        kept_forms::page,
        kept_forms::fields,
    ));
    let row: Option<Row> = found.get_result(connection).optional()?;
    row.map(|(user, created_at, expires_at, sent_at, page, fields)| {
        Ok(KeptForm {
            user: UserId(user),
            created_at: moment(created_at)?,
            expires_at: moment(expires_at)?,
            sent: sent_at.is_some(),
            page,
            fields,
        })
    })
    .transpose()
}

/// What came of the wish to send a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// This is the one time.
    First,
    /// It was sent before.
    Again,
    /// Nothing is known of it any more: a newer one has taken its room.
    Forgotten,
}

/// Notes that a form is sent, and forgets what was in it; of any number at once, one is the first.
///
/// # Errors
/// If the database cannot write.
pub fn send(connection: &mut Connection, id: KeptFormId, now: OffsetDateTime) -> Result<Sending, StoreError> {
    let row = kept_forms::table.find(id.as_bytes().as_slice());
    let sent = (kept_forms::sent_at.eq(seconds(now)), kept_forms::fields.eq(None::<Vec<u8>>));
    if diesel::update(row.filter(kept_forms::sent_at.is_null())).set(sent).execute(connection)? == 1 {
        return Ok(Sending::First);
    }
    let there: i64 = row.count().get_result(connection)?;
    Ok(if there > 0 { Sending::Again } else { Sending::Forgotten })
}

/// Empties at most `limit` forms whose time was over before `before`; returns how many. Their pages stay known for a while,
/// so that whoever comes late is led to the empty form.
///
/// # Errors
/// If the database cannot write.
pub fn empty_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(kept_forms as listed);
    let over = listed
        .filter(listed.field(kept_forms::expires_at).lt(seconds(before)))
        .filter(listed.field(kept_forms::fields).is_not_null())
        .order(listed.field(kept_forms::expires_at))
        .select(listed.field(kept_forms::id))
        .limit(limit);
    let empty = diesel::update(kept_forms::table.filter(kept_forms::id.eq_any(over)));
    Ok(empty.set(kept_forms::fields.eq(None::<Vec<u8>>)).execute(connection)?)
}

/// Deletes at most `limit` forms whose time was over before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(kept_forms as listed);
    let over = listed
        .filter(listed.field(kept_forms::expires_at).lt(seconds(before)))
        .order(listed.field(kept_forms::expires_at))
        .select(listed.field(kept_forms::id))
        .limit(limit);
    Ok(diesel::delete(kept_forms::table.filter(kept_forms::id.eq_any(over))).execute(connection)?)
}
