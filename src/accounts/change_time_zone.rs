//! Read times in another zone.

use crate::domain::time_zone::TimeZone;
use crate::session::{Identity, SessionError, Sessions};
use crate::store::changes::Change;
use crate::store::users;

/// Changes the time zone of whoever asks for it; none is UTC.
///
/// # Errors
/// If the database cannot write; `SignedOut` if the session has ended meanwhile.
pub async fn change_time_zone(
    sessions: &Sessions,
    acting: &Identity,
    zone: Option<TimeZone>,
) -> Result<(), SessionError> {
    let user = acting.user().id;
    let changed = sessions.act(acting, move |connection| {
        users::set_time_zone(connection, user, zone)?;
        Ok(((), vec![Change::User(user)]))
    });
    changed.await
}
