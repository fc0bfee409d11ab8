//! Mail in memory, for tests of an application that embeds Perennial and of Perennial itself.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Email, OutgoingEmail, SendError, Transport};

/// A transport that keeps every e-mail in an [`Outbox`].
#[derive(Debug, Clone, Default)]
pub struct Memory(Outbox);

impl Memory {
    /// Creates a transport and the handle that reads what it was given.
    pub fn new() -> (Self, Outbox) {
        let outbox = Outbox::default();
        (Self(outbox.clone()), outbox)
    }
}

impl Transport for Memory {
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        self.0.0.lock().push(email.clone());
        Ok(())
    }
}

/// What an application under test has sent.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Mutex<Vec<OutgoingEmail>>>);

impl Outbox {
    /// Returns what was sent, oldest first.
    pub fn messages(&self) -> Vec<Email> {
        self.0.lock().iter().map(|sent| sent.email.clone()).collect()
    }

    /// Returns the identifiers of what was sent, oldest first; an e-mail that was sent twice is in it twice.
    pub fn ids(&self) -> Vec<String> {
        self.0.lock().iter().map(|sent| sent.id.clone()).collect()
    }
}
