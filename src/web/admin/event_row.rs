//! An audit event as a line of a page.

use serde_json::Value;

use crate::display::event::{Tone, describe};
use crate::display::operator_event::{by_whom, whence, words};
use crate::display::time::{DisplayTime, Times};
use crate::domain::event::PastEvent;
use crate::store::operator::StoredEvent;

/// One event in words; the template `admin/event_row.html` shows it.
pub(super) struct EventRow {
    pub(super) id: i64,
    pub(super) user: Option<(i64, String)>,
    pub(super) kind: String,
    pub(super) at: DisplayTime,
    pub(super) words: String,
    pub(super) icon: &'static str,
    pub(super) warning: bool,
    pub(super) from: Option<String>,
    pub(super) by: Option<String>,
    /// The account of the administrator who did it.
    pub(super) by_user: Option<i64>,
    /// What else is known: names and values.
    pub(super) more: Vec<(&'static str, String)>,
}

impl EventRow {
    pub(super) fn new(event: StoredEvent, times: &Times) -> Self {
        let detail = |name: &str| event.details.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (reason, by) = (detail("reason"), detail("by"));
        let by_user = event.details.get("by_user").and_then(Value::as_i64);
        let (address, user_agent) = (detail("address"), detail("user_agent"));
        let more = [
            ("Reason", reason.clone()),
            ("Role", detail("role")),
            ("Sign-in", detail("session")),
            ("Second address", detail("other_address")),
            ("Second browser", detail("other_user_agent")),
            ("Browser", user_agent.clone()),
            ("Administrator's sign-in", detail("by_session")),
        ];
        let described = describe(&PastEvent {
            id: event.id,
            kind: event.kind.clone(),
            reason: reason.clone(),
            by: by.clone(),
            address: String::new(),
            user_agent: String::new(),
            at: event.at,
        });
        Self {
            id: event.id,
            user: event.user.zip(event.email).map(|(user, email)| (user.0, email)),
            at: times.past(event.at),
            words: words(&event.kind, &reason),
            icon: described.icon,
            warning: described.tone == Tone::Warning,
            from: whence(&user_agent, &address),
            by: by_whom(&by, by_user),
            by_user,
            more: more.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            kind: event.kind,
        }
    }

    /// Leaves out whose it is, on the page of that account.
    pub(super) fn of_one(self) -> Self {
        Self { user: None, ..self }
    }
}
