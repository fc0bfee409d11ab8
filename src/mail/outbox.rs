//! Mails in memory, for tests of an application that embeds Perennial and of Perennial itself.

use std::sync::{Arc, Mutex, PoisonError};

use super::Message;

/// What a mailer of tests has sent: it is there as soon as [`Mailer::send`](super::Mailer::send) returns.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Mutex<Vec<Message>>>);

impl Outbox {
    /// Returns what was sent, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn push(&self, message: Message) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}
