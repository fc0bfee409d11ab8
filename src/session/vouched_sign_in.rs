//! Begin a session of a user whom the application has recognised by a check of its own.

use time::OffsetDateTime;

use super::authenticate::Authenticated;
use super::end::announced;
use super::error::SessionError;
use super::password_try::is_new_device;
use super::sessions::Sessions;
use super::sign_in::Replaced;
use super::tokens::IssuedTokens;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{DeviceId, UserId};
use crate::domain::user::Email;
use crate::store::{events, sessions, throttle, users};

/// A sign-in that the application vouches for.
#[derive(Debug, Clone)]
pub struct VouchedSignIn {
    /// Whom the application has recognised.
    pub user: UserId,
    /// Whether the session is to outlive the browser session.
    pub keep: bool,
    /// The device that they are at: from now on, it is known. A client that keeps no cookie names none.
    pub device: Option<DeviceId>,
    /// When they proved who they are; nothing where they did just now.
    pub authenticated_at: Option<OffsetDateTime>,
    /// Whether the owner is told by mail where the device is a new one.
    pub tell: bool,
}

impl Sessions {
    /// Begins a session without a password; it ends the ones that the same browser still held.
    ///
    /// Nothing if there is no such account, or it is deactivated.
    ///
    /// # Errors
    /// If the database has no answer; nothing was begun.
    pub async fn sign_in_vouched(
        &self,
        sign_in: VouchedSignIn,
        held: &Authenticated,
        client: &Client,
    ) -> Result<Option<IssuedTokens>, SessionError> {
        let VouchedSignIn { user: id, keep, device, authenticated_at, tell } = sign_in;
        let now = self.now();
        let found = self.parts.database.read(move |connection| users::find(connection, id));
        let Some(user) = found.await?.filter(|user| user.is_active) else { return Ok(None) };
        let replaced = Replaced::by(id, self.opening(held, now).await?, held);
        let mut begun = self.draft(keep, None, client, now)?.for_user(id);
        begun.session.authenticated_at = authenticated_at.map_or(now, |at| at.min(now));
        let notice = if tell { Some(self.new_device_notice(&user, client, now)?) } else { None };
        let client = client.clone();
        let recorded = self.write(move |connection| {
            if !users::lock_row(connection, id)?.is_some_and(|user| user.is_active) {
                return Ok((None, Vec::new()));
            }
            let ended = replaced.end(connection, &client, now)?;
            sessions::insert(connection, &begun.session)?;
            users::signed_in(connection, id, now)?;
            let event = Event::new(EventType::SignedIn, Some(id), &client, now).about(begun.session.id);
            events::insert(connection, &event.by_application())?;
            // An account that was put into the database by hand may have an address that no form would take.
            if let Ok(email) = user.email.parse::<Email>() {
                let new = is_new_device(connection, &email, device, &client, now)?;
                if let Some(notice) = notice.filter(|_| new) {
                    notice.insert(connection, &user, begun.session.id, now)?;
                }
                if let Some(device) = device {
                    throttle::know(connection, &email, device, now)?;
                }
            }
            let found = Self::find_with_theft(connection, begun.session.id, now)?;
            Ok((found.map(|(_, user, theft)| (begun, user, theft)), announced(&ended)))
        });
        let Some((begun, user, theft)) = recorded.await? else { return Ok(None) };
        self.parts.database.wake_outbox();
        self.first_tokens(&begun, user, theft).map(Some)
    }
}
