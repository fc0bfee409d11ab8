//! A thread that works beside the requests, and ends when its handle is dropped.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

/// How long the end of a thread is waited for: one that is stuck in a database or a mail server that hangs must not keep
/// the program from ending.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The handle; the thread is told to stop when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    ends: Mutex<Option<Ends>>,
    timeout: Duration,
}

#[derive(Debug)]
struct Ends {
    stop: Sender<Infallible>,
    ended: Receiver<Infallible>,
    thread: JoinHandle<()>,
}

/// How a thread learns that it is to stop.
#[derive(Debug)]
pub(super) struct Stopped(Receiver<Infallible>);

impl Stopped {
    /// Waits for `pause`, or until the thread is to stop; tells whether it is.
    pub(super) fn within(&self, pause: Duration) -> bool {
        matches!(self.0.recv_timeout(pause), Err(RecvTimeoutError::Disconnected))
    }
}

impl Worker {
    /// Starts a thread.
    ///
    /// # Errors
    /// If none can be started.
    pub(super) fn start(name: &str, work: impl FnOnce(&Stopped) + Send + 'static) -> io::Result<Self> {
        Self::start_with(name, STOP_TIMEOUT, work)
    }

    /// Starts a thread whose end is waited for at most for `timeout`.
    ///
    /// # Errors
    /// If none can be started.
    pub(super) fn start_with(
        name: &str,
        timeout: Duration,
        work: impl FnOnce(&Stopped) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let (end, ended) = channel::<Infallible>();
        let thread = thread::Builder::new().name(format!("perennial-{name}")).spawn(move || {
            // Dropped last, also when the work panics.
            let _end = end;
            work(&Stopped(stopped));
        })?;
        Ok(Self { ends: Mutex::new(Some(Ends { stop, ended, thread })), timeout })
    }

    /// Stops the thread and waits for its end; does nothing the second time.
    pub(super) fn stop(&self) {
        let Some(Ends { stop, ended, thread }) = self.ends.lock().take() else { return };
        drop(stop);
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if matches!(ended.recv_timeout(self.timeout), Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the thread {name} does not end: something it waits for does not answer");
        } else if thread.join().is_err() {
            tracing::error!("the thread {name} panicked");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}
