//! What whoever runs the site asks for and does: lists across all users, statistics, and what decides about administrators.

mod admins;
mod event_list;
mod gauges;
mod session_list;
mod user_list;

pub use admins::{is_last_admin, lock_admins, set_active, set_role};
pub(super) use event_list::{EventRow, listed, read_event};
pub use event_list::{StoredEvent, list_events};
pub use gauges::{Gauges, gauges};
pub use session_list::{DayStatistics, ListedSession, list_sessions, statistics, users_with_sessions_after};
pub use user_list::{Account, account, list_accounts};
