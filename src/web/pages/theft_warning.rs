//! The warning that somebody else may have used one of the user's sign-ins.

use time::OffsetDateTime;

use crate::display::device::device;
use crate::display::time::DisplayTime;
use crate::domain::event::Theft;

/// A theft in words; the component `theft_warning.html` shows it.
pub(crate) struct TheftWarning {
    pub(crate) at: DisplayTime,
    pub(crate) device: String,
    pub(crate) address: String,
    pub(crate) other_device: String,
    pub(crate) other_address: String,
}

impl TheftWarning {
    /// Describes a theft, seen from `now`.
    pub(crate) fn new(theft: &Theft, now: OffsetDateTime) -> Self {
        Self {
            at: DisplayTime::new(theft.at, now),
            device: device(&theft.other_user_agent),
            address: theft.other_address.clone(),
            other_device: device(&theft.user_agent),
            other_address: theft.address.clone(),
        }
    }
}
