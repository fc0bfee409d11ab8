//! Writes down when sessions were last used, and drops what the identity cache holds that is over.

use std::time::Duration;

use super::worker::{Stopped, Worker};
use crate::session::Sessions;
use crate::store::{StoreError, sessions};

/// How often that is done. Idleness is counted in minutes, and ends two minutes late.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Sessions whose last use is written in one transaction: short enough to keep no rotation waiting.
const BATCH: usize = 200;

/// Writes until it is dropped, and once more then.
#[derive(Debug)]
pub struct LastSeenWriter {
    sessions: Sessions,
    worker: Worker,
}

impl LastSeenWriter {
    /// Starts to write.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(sessions: Sessions) -> std::io::Result<Self> {
        let writing = sessions.clone();
        let worker = Worker::start("last-seen", move |stopped| work(&writing, stopped))?;
        Ok(Self { sessions, worker })
    }

    /// Writes at once.
    ///
    /// # Errors
    /// If the database cannot write; the next round tries again.
    pub fn write(&self) -> Result<(), StoreError> {
        write(&self.sessions)
    }

    /// Writes once more, ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.worker.stop();
    }
}

fn work(sessions: &Sessions, stopped: &Stopped) {
    let (mut ended, mut healthy) = (false, true);
    while !ended {
        ended = stopped.within(WRITE_EVERY);
        sessions.sweep();
        match write(sessions) {
            Ok(()) => healthy = true,
            // Once per outage and not every few seconds.
            Err(error) if healthy => {
                healthy = false;
                tracing::warn!(%error, "cannot write down which sessions were used; the next try is in some seconds");
            }
            Err(_) => {}
        }
    }
}

/// Writes down what was noted before; what is noted meanwhile waits for the next round, so that this comes to an end.
fn write(sessions: &Sessions) -> Result<(), StoreError> {
    for _ in 0..sessions.count_unwritten_uses().div_ceil(BATCH) {
        let batch = sessions.unwritten_uses(BATCH);
        let rows = batch.clone();
        sessions.database().write_blocking(move |connection| sessions::touch(connection, &rows))?;
        sessions.uses_written(&batch);
    }
    Ok(())
}
