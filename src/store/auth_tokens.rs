//! Single-use tokens that travel by mail.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::auth_tokens;
use super::times::seconds;

/// Deletes at most `limit` tokens that expired or were used before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_spent(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let before = seconds(before);
    let listed = diesel::alias!(auth_tokens as listed);
    let spent = listed
        .filter(
            listed
                .field(auth_tokens::expires_at)
                .nullable()
                .lt(before)
                .or(listed.field(auth_tokens::used_at).lt(before)),
        )
        .select(listed.field(auth_tokens::token_hash))
        .limit(limit);
    Ok(diesel::delete(auth_tokens::table.filter(auth_tokens::token_hash.eq_any(spent))).execute(connection)?)
}
