//! The key of the HMAC before bcrypt.
//!
//! It lives in the database and not beside the signing keys: whoever drops a signing key, as a stolen one must be, would
//! otherwise drop every password with it. So it does not guard against the theft of the whole database (bcrypt does,
//! and the length of the passwords); it does keep this installation's hashes apart from every other's.

use diesel::prelude::*;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Connection;
use super::error::StoreError;
use super::postgres::{Lock, lock};
use super::schema::peppers;
use super::times::seconds;
use crate::domain::password::{Pepper, PepperId};

/// Returns the pepper of this installation; adds `fresh` as such if there is none.
///
/// # Errors
/// If the database cannot write.
pub fn find_or_insert(
    connection: &mut Connection,
    fresh: &Zeroizing<[u8; 32]>,
    now: OffsetDateTime,
) -> Result<Pepper, StoreError> {
    if let Connection::Postgres(server) = connection {
        lock(server, Lock::FirstRows)?;
    }
    let newest = peppers::table.order(peppers::id.desc()).select((peppers::id, peppers::key));
    if let Some((id, key)) = newest.first::<(i64, Vec<u8>)>(connection).optional()? {
        return Ok(Pepper { id: PepperId(id), key: Zeroizing::new(key) });
    }
    let row = (peppers::id.eq(1), peppers::key.eq(fresh.as_slice()), peppers::created_at.eq(seconds(now)));
    diesel::insert_into(peppers::table).values(row).execute(connection)?;
    Ok(Pepper { id: PepperId(1), key: Zeroizing::new(fresh.to_vec()) })
}
