//! Be called by another name.

use crate::domain::id::UserId;
use crate::domain::user::{FullName, User};
use crate::session::{Identity, SessionError, Sessions};
use crate::store::changes::Change;
use crate::store::users;

/// Changes the name of whoever asks for it.
///
/// # Errors
/// If the database cannot write; `SignedOut` if the session has ended meanwhile.
pub async fn change_name(sessions: &Sessions, acting: &Identity, full_name: FullName) -> Result<(), SessionError> {
    let user = acting.user().id;
    let changed = sessions.act(acting, move |connection| {
        users::set_full_name(connection, user, &full_name)?;
        Ok(((), vec![Change::User(user)]))
    });
    changed.await
}

/// Changes the name of a user at the wish of the application's own code; nothing if there is no such account.
///
/// # Errors
/// If the database cannot write.
pub async fn rename(sessions: &Sessions, user: UserId, full_name: FullName) -> Result<Option<User>, SessionError> {
    let renamed = sessions.write(move |connection| {
        if users::lock_row(connection, user)?.is_none() {
            return Ok((None, Vec::new()));
        }
        users::set_full_name(connection, user, &full_name)?;
        Ok((users::find(connection, user)?, vec![Change::User(user)]))
    });
    renamed.await
}
