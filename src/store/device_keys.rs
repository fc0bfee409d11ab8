//! The keys of devices that sign-ins are bound to.

use diesel::prelude::*;

use super::Connection;
use super::error::StoreError;
use super::schema::sessions;
use crate::domain::device_key::DeviceKey;
use crate::domain::id::SessionId;

/// Gives a live sign-in the key of its device, unless it has one that proofs are verified with; returns whether it did.
///
/// One that a rotation without a proof has put out of use may be replaced: whoever asks has seen to it that a password was
/// entered a moment ago.
///
/// # Errors
/// If the database cannot write.
pub fn register(connection: &mut Connection, id: SessionId, key: &DeviceKey) -> Result<bool, StoreError> {
    let out_of_use =
        sessions::proved_generation.is_not_null().and(sessions::proved_generation.ne(sessions::generation.nullable()));
    let row = sessions::table
        .find(id.to_string())
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::device_key.is_null().or(out_of_use.assume_not_null()));
    let registered =
        (sessions::device_key.eq(Some(key.as_bytes().as_slice())), sessions::proved_generation.eq(None::<i64>));
    Ok(diesel::update(row).set(registered).execute(connection)? == 1)
}
