//! E-mails that wait in the outbox for an hour, and are withdrawn if what they tell of turns out to be nothing.
//!
//! Each has a name that its writer chose, which is the left half of its header Message-ID as well. Any process sends it
//! once its hour is over, and any process withdraws it before.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::outbox::NewMail;
use super::schema::outbox;
use super::times::seconds;

/// Inserts an e-mail that is due at `due_at`, at most [`LONGEST_PAUSE`](super::outbox::LONGEST_PAUSE) from now.
///
/// # Errors
/// If the database cannot write, or the name is taken.
pub fn insert(
    connection: &mut Connection,
    name: &str,
    mail: &NewMail,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = (
        outbox::message_id.eq(name),
        outbox::recipient.eq(mail.to.as_str()),
        outbox::subject.eq(&mail.subject),
        outbox::text.eq(&mail.text),
        outbox::html.eq(&mail.html),
        outbox::created_at.eq(seconds(now)),
        outbox::due_at.eq(seconds(due_at)),
        outbox::expires_at.eq(seconds(mail.expires_at)),
    );
    diesel::insert_into(outbox::table).values(row).execute(connection)?;
    Ok(())
}

/// Returns the names of those that begin with `prefix` and were not sent yet.
///
/// # Errors
/// If the database cannot read.
pub fn names(connection: &mut Connection, prefix: &str) -> Result<Vec<String>, StoreError> {
    let waiting = outbox::table.filter(outbox::message_id.like(format!("{prefix}%"))).select(outbox::message_id);
    Ok(waiting.load(connection)?)
}

/// Withdraws one; nothing happens if it was sent meanwhile.
///
/// # Errors
/// If the database cannot write.
pub fn withdraw(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    diesel::delete(outbox::table.filter(outbox::message_id.eq(name))).execute(connection)?;
    Ok(())
}
