//! The outbox: e-mails that wait to be sent, and those that the mail server refused for good.
//!
//! An e-mail is inserted in the transaction of the act that it tells of. Any process on the database may then take it: a
//! row is sent under a lease, which its holder renews while it is at it and which runs out by itself when that process
//! ends. So no two processes send one e-mail at the same time, and none is lost with a process. The row is deleted once
//! the server has the e-mail.
//!
//! # Clocks
//!
//! Two processes compare a lease within seconds, so it goes by the one clock that they share: the server's, or, for a
//! file, that of the machine, which is what every process passes in. All other times span minutes to days and are the
//! caller's, as in every other table. A clock that is set back leaves times behind that are further ahead than they could
//! have been written; these count as over. So no jump makes an e-mail wait much longer than [`LONGEST_PAUSE`], or has it
//! tried more than once out of turn. One that looks expired is left out of the queue and not deleted here: it is sent
//! after all if the clock was wrong and is put right.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::addresses;
use super::error::StoreError;
use super::mail_limits;
use super::schema::outbox;
use super::times::{moment, seconds, shared_clock};
use super::users;
use crate::domain::id::UserId;
use crate::domain::user::Email;

/// How long a lease lasts: long enough to be renewed in time on a slow disk, short enough that an e-mail is tried again
/// within ten seconds of the end of a process that was killed while it sent it.
pub const LEASE: Duration = Duration::seconds(8);

/// How long an e-mail that was put off waits for its next attempt at most.
pub const LONGEST_PAUSE: Duration = Duration::hours(1);

/// How much further ahead than it could have been written a time may be before it counts as over: by so much, the clock
/// of whoever reads it may be behind that of whoever wrote it.
const TOLERANCE: Duration = Duration::minutes(1);

/// How long a refused e-mail stays to be looked at.
const REFUSED_KEPT: Duration = Duration::days(30);

/// Characters of a refusal that are kept: a mail server may explain itself at length.
const REFUSAL_LENGTH: usize = 500;

/// An e-mail to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// The recipient.
    pub to: Email,
    /// The subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// When the e-mail is of no use any more; until then it is tried.
    pub expires_at: OffsetDateTime,
}

/// An e-mail that this process took, and alone may send while its lease lasts.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct TakenMail {
    /// The number of the row.
    pub id: i64,
    /// Identifies the e-mail outside of this database.
    pub message_id: String,
    /// The recipient.
    pub recipient: String,
    /// The subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// When it was inserted.
    created_at: i64,
    /// How often it was taken, this time included; names the lease.
    pub attempts: i64,
    /// How often the mail server has put it off.
    pub deferrals: i64,
}

impl TakenMail {
    /// Returns when the e-mail was inserted.
    ///
    /// # Errors
    /// If the row holds no time.
    pub fn created_at(&self) -> Result<OffsetDateTime, StoreError> {
        moment(self.created_at)
    }

    /// Returns what names the lease.
    pub fn lease(&self) -> Lease {
        Lease { id: self.id, attempts: self.attempts }
    }
}

/// Names one lease on one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The number of the row.
    pub id: i64,
    attempts: i64,
}

/// What waits in the outbox, for `perennial doctor` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// E-mails that are still to be sent.
    pub count: i64,
    /// When the one that waits longest was inserted.
    pub oldest: Option<OffsetDateTime>,
    /// E-mails that the mail server refused for good in the last month.
    pub refused: i64,
    /// What the mail server said to the last of those, in one line.
    pub refusal: Option<String>,
}

/// Inserts an e-mail; call it in the transaction of the act that it tells of, and [`Database::wake_outbox`] after that.
///
/// [`Database::wake_outbox`]: super::Database::wake_outbox
///
/// # Errors
/// If the database cannot write, or there are no random bytes to name the e-mail by.
pub fn insert(connection: &mut Connection, mail: &NewMail, now: OffsetDateTime) -> Result<(), StoreError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| StoreError::Unavailable(error.into()))?;
    let row = (
        outbox::message_id.eq(format!("{:032x}", u128::from_be_bytes(random))),
        outbox::recipient.eq(mail.to.as_str()),
        outbox::subject.eq(&mail.subject),
        outbox::text.eq(&mail.text),
        outbox::html.eq(&mail.html),
        outbox::created_at.eq(seconds(now)),
        outbox::expires_at.eq(seconds(mail.expires_at)),
    );
    diesel::insert_into(outbox::table).values(row).execute(connection)?;
    Ok(())
}

/// Inserts an e-mail that a stranger may have caused, unless its address has had as many within the hour as
/// [`mail_limits`] allows; returns whether it did. Call it as [`insert`].
///
/// # Errors
/// As [`insert`].
pub fn insert_limited(connection: &mut Connection, mail: &NewMail, now: OffsetDateTime) -> Result<bool, StoreError> {
    let allowed = mail_limits::take(connection, &mail.to, now)?;
    if allowed {
        insert(connection, mail, now)?;
    }
    Ok(allowed)
}

/// Inserts the notice of a theft that is noticed in this transaction, unless its address has had its mails; returns
/// whether it did.
///
/// Whoever registers an address that is not theirs can use a token of their own twice, so the notice is limited as any
/// mail that a stranger can cause.
///
/// It sets the column `users.theft_told_at` as well, by which version 1 tells whom it still has to write to: a process of
/// that version that runs beside this one sends no second mail.
///
/// # Errors
/// As [`insert`].
pub fn insert_theft_notice(
    connection: &mut Connection,
    user: UserId,
    mail: &NewMail,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    users::theft_told(connection, user, now)?;
    insert_limited(connection, mail, now)
}

/// Inserts the notice of a theft that was noticed at `noticed` and not told of, unless that has changed since it was read
/// or the address has had its mails; returns whether it did.
///
/// # Errors
/// As [`insert`].
pub fn insert_overdue_theft_notice(
    connection: &mut Connection,
    user: UserId,
    noticed: OffsetDateTime,
    mail: &NewMail,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    if !users::tell_of_theft(connection, user, noticed)? {
        return Ok(false);
    }
    insert_limited(connection, mail, now)
}

/// Returns the number of the e-mail that is to be sent next, unless nothing is due; those in `except` are passed over.
///
/// # Errors
/// If the database cannot read.
pub fn next_due(connection: &mut Connection, except: &[i64], now: OffsetDateTime) -> Result<Option<i64>, StoreError> {
    let clock = shared_clock(connection, now)?;
    let due = outbox::table.filter(is_due(seconds(now))).filter(is_free(clock)).order((outbox::due_at, outbox::id));
    let enough = i64::try_from(except.len()).unwrap_or_default() + 1;
    let first: Vec<i64> = due.select(outbox::id).limit(enough).load(connection)?;
    Ok(first.into_iter().find(|id| !except.contains(id)))
}

/// Takes an e-mail that is due, in a transaction; `None` where another process was faster.
///
/// # Errors
/// If the database cannot write.
pub fn take(connection: &mut Connection, id: i64, now: OffsetDateTime) -> Result<Option<TakenMail>, StoreError> {
    let clock = shared_clock(connection, now)?;
    let due = outbox::table.find(id).filter(is_due(seconds(now))).filter(is_free(clock));
    let lease = (outbox::attempts.eq(outbox::attempts + 1), outbox::leased_until.eq(clock + LEASE.whole_seconds()));
    if diesel::update(due).set(lease).execute(connection)? == 0 {
        return Ok(None);
    }
    Ok(outbox::table.find(id).select(TakenMail::as_select()).get_result(connection).optional()?)
}

/// Makes a lease last longer; returns whether this process still has it.
///
/// # Errors
/// If the database cannot write.
pub fn renew(connection: &mut Connection, lease: Lease, now: OffsetDateTime) -> Result<bool, StoreError> {
    let until = shared_clock(connection, now)? + LEASE.whole_seconds();
    let leased = outbox::table.find(lease.id).filter(outbox::attempts.eq(lease.attempts));
    Ok(diesel::update(leased).set(outbox::leased_until.eq(until)).execute(connection)? == 1)
}

/// Deletes an e-mail that was sent, whoever has its lease by now, and notes that its address takes mail.
///
/// # Errors
/// If the database cannot write.
pub fn delete_sent(connection: &mut Connection, id: i64) -> Result<(), StoreError> {
    if let Some(recipient) = recipient(connection, id)? {
        addresses::accepted(connection, &recipient)?;
    }
    diesel::delete(outbox::table.find(id)).execute(connection)?;
    Ok(())
}

/// Gives a lease back: the e-mail is due as before, because its attempt said nothing about it.
///
/// # Errors
/// If the database cannot write.
pub fn release(connection: &mut Connection, lease: Lease) -> Result<(), StoreError> {
    let leased = outbox::table.find(lease.id).filter(outbox::attempts.eq(lease.attempts));
    diesel::update(leased).set(outbox::leased_until.eq(0)).execute(connection)?;
    Ok(())
}

/// Gives a lease back: the e-mail was put off, and is due again at `due_at`.
///
/// # Errors
/// If the database cannot write.
pub fn reschedule(connection: &mut Connection, lease: Lease, due_at: OffsetDateTime) -> Result<(), StoreError> {
    let leased = outbox::table.find(lease.id).filter(outbox::attempts.eq(lease.attempts));
    let change =
        (outbox::due_at.eq(seconds(due_at)), outbox::deferrals.eq(outbox::deferrals + 1), outbox::leased_until.eq(0));
    diesel::update(leased).set(change).execute(connection)?;
    Ok(())
}

/// Gives an e-mail up that was refused for good: the reason stays for a month, and nothing of its body. Its account knows
/// that the address takes no mail until it takes some.
///
/// # Errors
/// If the database cannot write.
pub fn give_up(connection: &mut Connection, id: i64, refusal: &str, now: OffsetDateTime) -> Result<(), StoreError> {
    if let Some(recipient) = recipient(connection, id)? {
        addresses::refused(connection, &recipient, now)?;
    }
    let change = (
        outbox::refused_at.eq(seconds(now)),
        outbox::refusal.eq(refusal.chars().take(REFUSAL_LENGTH).collect::<String>()),
        outbox::expires_at.eq(seconds(now + REFUSED_KEPT)),
        outbox::leased_until.eq(0),
        outbox::text.eq(""),
        outbox::html.eq(""),
    );
    diesel::update(outbox::table.find(id)).set(change).execute(connection)?;
    Ok(())
}

fn recipient(connection: &mut Connection, id: i64) -> QueryResult<Option<String>> {
    outbox::table.find(id).select(outbox::recipient).get_result(connection).optional()
}

/// Makes every waiting e-mail due at once: whoever starts the server may have put right what was wrong.
///
/// # Errors
/// If the database cannot write.
pub fn hasten(connection: &mut Connection) -> Result<usize, StoreError> {
    let waiting = outbox::table.filter(outbox::refused_at.is_null()).filter(outbox::due_at.gt(0));
    Ok(diesel::update(waiting).set(outbox::due_at.eq(0)).execute(connection)?)
}

/// Counts what waits and what was refused.
///
/// # Errors
/// If the database cannot read.
pub fn health(connection: &mut Connection, now: OffsetDateTime) -> Result<Waiting, StoreError> {
    let waiting = outbox::table.filter(outbox::refused_at.is_null()).filter(outbox::expires_at.gt(seconds(now)));
    let (count, oldest): (i64, Option<i64>) =
        waiting.select((diesel::dsl::count_star(), diesel::dsl::min(outbox::created_at))).get_result(connection)?;
    let refused = outbox::table.filter(outbox::refused_at.is_not_null()).count().get_result(connection)?;
    let last = outbox::table.filter(outbox::refused_at.is_not_null()).order(outbox::refused_at.desc());
    let refusal: Option<Option<String>> = last.select(outbox::refusal).first(connection).optional()?;
    Ok(Waiting { count, oldest: oldest.map(moment).transpose()?, refused, refusal: refusal.flatten() })
}

/// Deletes at most `limit` e-mails, refused ones included, that were of no use any more before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(outbox as listed);
    let expired = listed
        .filter(listed.field(outbox::expires_at).lt(seconds(before)))
        .order(listed.field(outbox::expires_at))
        .select(listed.field(outbox::id))
        .limit(limit);
    Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(expired))).execute(connection)?)
}

/// What is neither refused nor expired, and whose pause is over; one that is further ahead than any pause was written
/// before the clock was set back.
#[diesel::dsl::auto_type]
fn is_due(now: i64) -> _ {
    let latest: i64 = now + (LONGEST_PAUSE + TOLERANCE).whole_seconds();
    outbox::refused_at
        .is_null()
        .and(outbox::expires_at.gt(now))
        .and(outbox::due_at.le(now).or(outbox::due_at.gt(latest)))
}

/// What no process is sending; a lease that is further ahead than any was written before the clock was set back.
#[diesel::dsl::auto_type]
fn is_free(clock: i64) -> _ {
    let latest: i64 = clock + (LEASE + TOLERANCE).whole_seconds();
    outbox::leased_until.le(clock).or(outbox::leased_until.gt(latest))
}

impl std::fmt::Debug for NewMail {
    /// Prints no content: a mail may hold a link that opens an account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewMail")
    }
}

impl std::fmt::Debug for TakenMail {
    /// Prints no content: a mail may hold a link that opens an account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TakenMail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}
