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
use super::locks::{Lock, take_turns};
use super::schema::peppers;
use super::times::seconds;
use crate::domain::password::{Pepper, PepperId};

/// The peppers of an installation.
#[derive(Debug, Clone)]
pub struct Peppers {
    /// The one that new hashes are made with.
    pub current: Pepper,
    /// Those that some passwords were hashed with before.
    pub older: Vec<Pepper>,
}

/// Returns the peppers of this installation, the one that new hashes are made with first; adds `fresh` as that if there is
/// none. The others verify what was hashed with them.
///
/// # Errors
/// If the database cannot write.
pub fn find_or_insert(
    connection: &mut Connection,
    fresh: &Zeroizing<[u8; 32]>,
    now: OffsetDateTime,
) -> Result<Peppers, StoreError> {
    take_turns(connection, Lock::FirstRows)?;
    let rows = peppers::table.order(peppers::id.desc()).select((peppers::id, peppers::key));
    let mut found = rows.load::<(i64, Vec<u8>)>(connection)?.into_iter();
    let pepper = |(id, key)| Pepper { id: PepperId(id), key: Zeroizing::new(key) };
    if let Some(newest) = found.next() {
        return Ok(Peppers { current: pepper(newest), older: found.map(pepper).collect() });
    }
    let row = (peppers::id.eq(1), peppers::key.eq(fresh.as_slice()), peppers::created_at.eq(seconds(now)));
    diesel::insert_into(peppers::table).values(row).execute(connection)?;
    Ok(Peppers { current: pepper((1, fresh.to_vec())), older: Vec::new() })
}
