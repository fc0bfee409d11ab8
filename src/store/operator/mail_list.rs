//! Mail that waits, or that a mail server refused, without what it says: that may hold a link that works.

use diesel::prelude::*;
use time::OffsetDateTime;

use crate::domain::event::Window;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::events::ids_within;
use crate::store::schema::outbox;
use crate::store::times::moment;

/// A mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMail {
    /// Its number.
    pub id: i64,
    /// To whom it goes.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Since when it waits.
    pub created_at: OffsetDateTime,
    /// When it is of no use any more.
    pub expires_at: OffsetDateTime,
    /// When it is tried again; nothing where that is at once.
    pub due_at: Option<OffsetDateTime>,
    /// How often it was tried.
    pub attempts: i64,
    /// What the mail server said when it refused it for good.
    pub refusal: Option<String>,
}

type Row = (i64, String, String, i64, i64, i64, i64, Option<String>);

/// Returns at most `limit` mails of a window of their numbers, the newest first.
///
/// # Errors
/// If the database cannot read.
pub fn mails_within(connection: &mut Connection, window: Window, limit: i64) -> Result<Vec<WaitingMail>, StoreError> {
    let (from, to) = ids_within(window);
    let found = outbox::table.filter(outbox::id.between(from, to)).limit(limit).select((
        outbox::id,
        outbox::recipient,
        outbox::subject,
        outbox::created_at,
        outbox::expires_at,
        outbox::due_at,
        outbox::attempts,
        outbox::refusal,
    ));
    let rows: Vec<Row> = if matches!(window, Window::After(_)) {
        let mut rows: Vec<Row> = found.order(outbox::id.asc()).load(connection)?;
        rows.reverse();
        rows
    } else {
        found.order(outbox::id.desc()).load(connection)?
    };
    let mail = |(id, recipient, subject, created_at, expires_at, due_at, attempts, refusal): Row| {
        Ok(WaitingMail {
            id,
            recipient,
            subject,
            created_at: moment(created_at)?,
            expires_at: moment(expires_at)?,
            due_at: Some(due_at).filter(|at| *at != 0).map(moment).transpose()?,
            attempts,
            refusal,
        })
    };
    rows.into_iter().map(mail).collect()
}
