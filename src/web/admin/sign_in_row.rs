//! A sign-in as a line of a page.

use crate::display::device::{device, kind};
use crate::display::time::{DisplayTime, Times};
use crate::domain::id::SessionId;
use crate::domain::session::Session;

/// One sign-in in words; the template `admin/sign_in_row.html` shows it.
pub(super) struct SignInRow {
    pub(super) id: String,
    pub(super) user: i64,
    /// The address of its user, on a page of many users.
    pub(super) email: Option<String>,
    pub(super) icon: &'static str,
    pub(super) device: String,
    pub(super) address: String,
    pub(super) first_seen: DisplayTime,
    pub(super) last_used: DisplayTime,
    pub(super) ends: DisplayTime,
    pub(super) own: bool,
}

impl SignInRow {
    pub(super) fn new(session: &Session, times: &Times, own: SessionId) -> Self {
        Self {
            id: session.id.to_string(),
            user: session.user_id.0,
            email: None,
            icon: kind(&session.user_agent),
            device: device(&session.user_agent),
            address: session.address.clone(),
            first_seen: times.past(session.created_at),
            last_used: times.past(session.last_seen_at),
            ends: times.end(session.expires_at),
            own: session.id == own,
        }
    }

    /// Names its user as well.
    pub(super) fn of(self, email: String) -> Self {
        Self { email: Some(email), ..self }
    }
}
