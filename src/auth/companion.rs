//! A thread beside the requests, which ends when its handle goes.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the end of a thread is awaited: one that is stuck in a database that hangs must not keep the program from
/// ending.
const PATIENCE: Duration = Duration::from_secs(5);

/// The handle; the thread is told to stop when it is dropped.
#[derive(Debug)]
pub(super) struct Companion {
    stop: Option<Sender<Infallible>>,
    ended: Mutex<Receiver<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// How a thread hears that it is to stop.
#[derive(Debug)]
pub(super) struct Stopped(Receiver<Infallible>);

impl Stopped {
    /// Waits for `pause`, or for the word to stop; tells whether that came.
    pub(super) fn within(&self, pause: Duration) -> bool {
        matches!(self.0.recv_timeout(pause), Err(RecvTimeoutError::Disconnected))
    }
}

impl Companion {
    /// Starts a thread.
    ///
    /// # Errors
    /// If none can be started.
    pub(super) fn start(name: &str, work: impl FnOnce(&Stopped) + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let (end, ended) = channel::<Infallible>();
        let thread = thread::Builder::new().name(format!("perennial-{name}")).spawn(move || {
            // Dropped last, also when the work panics.
            let _end = end;
            work(&Stopped(stopped));
        })?;
        Ok(Self { stop: Some(stop), ended: Mutex::new(ended), thread: Some(thread) })
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE);
        if matches!(ended, Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the thread {name} does not end: the database does not answer");
        } else if thread.join().is_err() {
            tracing::error!("the thread {name} panicked");
        }
    }
}
