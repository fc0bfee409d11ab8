//! Sends what waits in the outbox.
//!
//! Every process does this, and the lease on a row decides which of them sends it. One process for all of them would
//! save nothing: a look at an empty outbox costs less than asking who has that duty, and the process that wrote an e-mail
//! can send it without waiting for another's next look.
//!
//! What comes of an attempt decides what happens to the row:
//!
//! - **Sent**: it is deleted at once. A process that is killed between the server's answer and that commit sends the same
//!   e-mail again, with the same `Message-ID`; SMTP knows no way to rule that out.
//! - **Put off** (a 4xx reply): it is tried again after a pause that doubles from five seconds to an hour, until it expires.
//! - **Refused** (a 5xx reply to its recipient or its content): it is given up. The reason stays, the body does not.
//! - **No mail server**: no e-mail is to blame. One of them asks every six seconds at most, and once there is an answer
//!   all of them leave.

mod delivery;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::worker::Worker;
use crate::store::StoreError;
use delivery::{Delivery, Force, Pace};

pub use delivery::OutboxParts;

/// How the worker spends its time.
const PACE: Pace = Pace { poll_every: POLL_EVERY, renew_every: RENEW_EVERY, closing_timeout: CLOSING_TIMEOUT };

/// How often the outbox is looked into unless a commit of this process wakes the worker: with the eight seconds of a
/// lease, an e-mail is tried again within ten seconds of the end of a process that was killed while it sent it.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How often a lease is renewed: three tries before it runs out.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How long the end of the process waits for the last e-mails, all in all.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(10);

/// The thread that sends; it ends when this is dropped.
pub struct OutboxWorker {
    delivery: Arc<Delivery>,
    worker: Worker,
}

impl OutboxWorker {
    /// Starts the thread, which first tries everything that waits.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(parts: OutboxParts) -> io::Result<Self> {
        Self::with_pace(parts, PACE)
    }

    fn with_pace(parts: OutboxParts, pace: Pace) -> io::Result<Self> {
        let delivery = Arc::new(Delivery::new(parts, pace));
        let working = Arc::clone(&delivery);
        let worker = Worker::start_with("outbox", pace.closing_timeout, move |_| working.work())?;
        Ok(Self { delivery, worker })
    }

    /// Sends what is due, on this thread; returns once that is done, also where the worker was faster.
    ///
    /// For tests, which do not wait for the worker and set the clock by hand.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn deliver_due(&self) -> Result<(), StoreError> {
        self.delivery.round(Force::Yes)
    }

    /// Tries what is due once more, within ten seconds in all, and sends nothing after that; what is left waits for the
    /// next start.
    ///
    /// The last handle does this by itself when it is dropped. At the end of a process it may never be: other threads are
    /// stopped where they are, with the handles they hold.
    pub fn close(&self) {
        self.delivery.close();
        self.worker.stop();
    }
}

impl Drop for OutboxWorker {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for OutboxWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OutboxWorker")
    }
}
