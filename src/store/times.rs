//! Moments as the columns hold them: Unix seconds.

use time::OffsetDateTime;

use super::error::StoreError;

/// Reads a column.
pub(super) fn moment(seconds: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| StoreError::Corrupt("a time outside all calendars"))
}

/// Writes a column.
pub(super) fn seconds(moment: OffsetDateTime) -> i64 {
    moment.unix_timestamp()
}
