//! An audit event for programs.

use serde_json::{Value, json};

use crate::cli::output::timestamp;
use crate::store::operator::StoredEvent;

/// Writes an event with the names of the columns of its table.
pub(super) fn document(event: &StoredEvent) -> Value {
    json!({
        "id": event.id,
        "user_id": event.user.map(|user| user.0),
        "event_type": event.kind,
        "details": event.details,
        "created_at": timestamp(event.at),
    })
}
