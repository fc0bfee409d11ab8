//! Everything that is kept about somebody, for themselves.

use serde_json::Value;

use crate::session::{Identity, SessionError, Sessions};
use crate::store::export;

/// Returns what is kept about whoever asks, apart from hashes and links that work.
///
/// # Errors
/// If the database has no answer; `SignedOut` if the session has ended meanwhile.
pub async fn my_data(sessions: &Sessions, acting: &Identity) -> Result<Value, SessionError> {
    sessions.confirm(acting).await?;
    let (user, now) = (acting.user().id, sessions.now());
    Ok(sessions.database().read(move |connection| export::everything_about(connection, user, now)).await?)
}
