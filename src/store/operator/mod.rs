//! What whoever runs the site asks for and does: lists across all users, statistics, and what decides about administrators.

mod admins;
mod daily_counts;
mod event_list;
mod event_pages;
mod gauges;
mod mail_list;
mod session_list;
mod session_pages;
mod user_list;
mod user_pages;

pub use admins::{is_last_admin, lock_admins, set_active, set_role};
pub use daily_counts::{
    COUNTED, LIVE, Series, count_day, count_live, day_of, delete_old_counts, events_by_day, live_by_day,
    uncounted_days, write_count,
};
pub(super) use event_list::{EventRow, listed, read_event};
pub use event_list::{StoredEvent, list_events};
pub use event_pages::{EventFilter, EventPage, Place, events_before};
pub use gauges::{Gauges, gauges};
pub use mail_list::{WaitingMail, mails_within};
pub use session_list::{DayStatistics, ListedSession, list_sessions, statistics, users_with_sessions_after};
pub use session_pages::sessions_before;
pub use user_list::{Account, account, list_accounts};
pub use user_pages::{accounts_beginning, accounts_containing, accounts_within};
