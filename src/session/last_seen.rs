//! When sessions were last used, until that is written down.

use std::collections::HashMap;

use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::domain::id::SessionId;

/// Notes of use, kept apart from the database because no request waits for them.
#[derive(Debug, Default)]
pub(super) struct LastSeen(Mutex<HashMap<SessionId, OffsetDateTime>>);

impl LastSeen {
    /// Notes that a session was used in the minute that ends at `at`.
    pub(super) fn note(&self, session: SessionId, at: OffsetDateTime) {
        let mut noted = self.0.lock();
        let latest = noted.entry(session).or_insert(at);
        *latest = (*latest).max(at);
    }

    /// Returns when a session was last used, where that is not written down yet.
    pub(super) fn get(&self, session: SessionId) -> Option<OffsetDateTime> {
        self.0.lock().get(&session).copied()
    }

    /// Returns how many notes there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Returns what is to be written down next, at most `limit` notes.
    pub(super) fn unwritten(&self, limit: usize) -> Vec<(SessionId, OffsetDateTime)> {
        self.0.lock().iter().take(limit).map(|(id, at)| (*id, *at)).collect()
    }

    /// Forgets what was written down, unless it is newer by now.
    pub(super) fn written(&self, written: &[(SessionId, OffsetDateTime)]) {
        let mut noted = self.0.lock();
        for (id, at) in written {
            if noted.get(id) == Some(at) {
                noted.remove(id);
            }
        }
        if noted.capacity() > 4 * noted.len() {
            noted.shrink_to_fit();
        }
    }
}
