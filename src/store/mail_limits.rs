//! How many mails strangers may cause to one address: anybody can type in anybody's.
//!
//! A mail that was sent leaves no row in the outbox, so the last few to each address are remembered here, by the hash of
//! the address. That they may go is decided in the transaction that queues them, by one conditional update of that row: of
//! any number of processes, on either database, no more are let through.

use diesel::prelude::*;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::error::StoreError;
use super::schema::mail_limits;
use super::times::seconds;
use crate::domain::user::Email;

/// Within this, as many mails go to one address as the row has columns of times: five.
///
/// Somebody who forgot a password and does not find the mail tries two or three times; a box that gets five is not flooded.
const WINDOW: Duration = Duration::hours(1);

/// How much further ahead than now a time may be before it counts as over, because it was written before the clock was set
/// back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// Takes one of the mails that may go to an address, in the transaction that queues it; `false` if there is none left
/// within the hour.
///
/// # Errors
/// If the database cannot write.
pub fn take(connection: &mut Connection, recipient: &Email, now: OffsetDateTime) -> Result<bool, StoreError> {
    let hash = hash(recipient);
    insert_missing(connection, &hash)?;
    let (over, ahead) = (seconds(now - WINDOW), seconds(now + TOLERANCE));
    let free = mail_limits::table.find(hash).filter(mail_limits::first_at.le(over).or(mail_limits::first_at.gt(ahead)));
    let shifted = (
        mail_limits::first_at.eq(mail_limits::second_at),
        mail_limits::second_at.eq(mail_limits::third_at),
        mail_limits::third_at.eq(mail_limits::fourth_at),
        mail_limits::fourth_at.eq(mail_limits::fifth_at),
        mail_limits::fifth_at.eq(seconds(now)),
    );
    Ok(diesel::update(free).set(shifted).execute(connection)? == 1)
}

/// Makes sure that there is a row; whoever makes it at the same time is waited for.
fn insert_missing(connection: &mut Connection, hash: &[u8]) -> Result<(), StoreError> {
    let row = diesel::insert_into(mail_limits::table).values(mail_limits::recipient_hash.eq(hash));
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => row.on_conflict_do_nothing().execute(file)?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => row.on_conflict_do_nothing().execute(server)?,
    };
    Ok(())
}

/// Deletes at most `limit` rows of addresses that no mail went to since `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_older(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(mail_limits as listed);
    let old = listed
        .filter(listed.field(mail_limits::fifth_at).lt(seconds(before)))
        .order(listed.field(mail_limits::fifth_at))
        .select(listed.field(mail_limits::recipient_hash))
        .limit(limit);
    Ok(diesel::delete(mail_limits::table.filter(mail_limits::recipient_hash.eq_any(old))).execute(connection)?)
}

/// Returns what stands for an address: that a mail went there does not belong into a backup.
fn hash(recipient: &Email) -> Vec<u8> {
    Sha256::digest(recipient.as_str()).to_vec()
}
