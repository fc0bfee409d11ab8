//! The warning that somebody else may have used one of the user's sign-ins.

use time::OffsetDateTime;

use crate::domain::device::device;
use crate::domain::event::Theft;
use crate::domain::moment::Moment;

/// A theft in words; the component `theft_warning.html` shows it.
pub(super) struct TheftWarning {
    pub(super) at: Moment,
    pub(super) device: String,
    pub(super) address: String,
    pub(super) other_device: String,
    pub(super) other_address: String,
}

impl TheftWarning {
    /// Describes a theft, seen from `now`.
    pub(super) fn new(theft: &Theft, now: OffsetDateTime) -> Self {
        Self {
            at: Moment::new(theft.at, now),
            device: device(&theft.other_user_agent),
            address: theft.other_address.clone(),
            other_device: device(&theft.user_agent),
            other_address: theft.address.clone(),
        }
    }
}
