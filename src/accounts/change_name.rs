//! Be called by another name.

use crate::domain::user::FullName;
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
