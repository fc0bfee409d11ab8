//! Delivers audit events to the hooks of an application: each at least once, in the order of the trail, also where the
//! process that wrote it, or the one that was delivering it, has died.
//!
//! Every process looks for what its hooks have not been told, four times a second, and the lease on a hook's row decides
//! which of them tells it. A hook without news costs two reads per look, and nothing is written for it.
//!
//! Each hook has a thread and a runtime of its own: one that fails, hangs or blocks holds up no other, and no request.
//! How far it came is written down after it has succeeded. A process that dies in between leaves the same event, under the
//! same number, to the next.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::worker::Worker;
use crate::domain::clock::Clock;
use crate::store::event_cursors::{self, Begin, LONGEST_PAUSE, Progress};
use crate::store::event_tail::EventTail;
use crate::store::operator::StoredEvent;
use crate::store::{Connection, Database, StoreError};

/// How often the trail is looked into.
const EVERY: Duration = Duration::from_millis(250);

/// The pause after the database had no answer.
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);

/// Events read in one go.
const PAGE: i64 = 100;

/// For how long successes may be kept in mind before they are written down: so much is told again after a kill. A hook
/// that takes longer has each of them written down.
const WRITE_EVERY: Duration = Duration::from_millis(100);

/// How often a lease is renewed: four times before it runs out.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// The pause after the first failure; it doubles with each of the same event.
const FIRST_PAUSE: time::Duration = time::Duration::seconds(1);

/// Why an event was not dealt with.
pub type HookError = Box<dyn Error + Send + Sync>;

/// A call under way.
type Calling<'a> = Pin<Box<dyn Future<Output = Result<(), HookError>> + 'a>>;

/// What an event is given to.
pub trait Call: Send {
    /// Deals with an event.
    fn call(&self, event: StoredEvent) -> Calling<'_>;
}

impl<F: AsyncFn(StoredEvent) -> Result<(), HookError> + Send> Call for F {
    fn call(&self, event: StoredEvent) -> Calling<'_> {
        Box::pin(self(event))
    }
}

/// What a hook needs.
pub struct HookParts {
    /// Under which its place in the trail is kept.
    pub name: String,
    /// Where it begins if it is new.
    pub begin: Begin,
    /// What is called.
    pub hook: Box<dyn Call>,
    /// How long a call that is under way may go on when the hook is to end.
    pub closing_timeout: Duration,
    /// Where the events are.
    pub database: Database,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

/// A thread that delivers to one hook; it ends when this is dropped.
#[derive(Debug)]
pub struct HookWorker {
    stop: Arc<watch::Sender<bool>>,
    worker: Worker,
}

impl HookWorker {
    /// Starts the thread; the place of a hook that is new is written down before.
    ///
    /// # Errors
    /// If the database cannot write, or no thread can be started.
    pub fn start(parts: HookParts) -> Result<Self, StoreError> {
        let (name, begin, now) = (parts.name.clone(), parts.begin.clone(), parts.clock.now());
        parts.database.write_blocking(move |rows| event_cursors::register(rows, &name, begin, now))?;
        let started = |error: std::io::Error| StoreError::Unavailable(error.into());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(started)?;
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::start("hook", move |_| {
            let delivery = Delivery { parts, stopped, place: None, failing: false };
            // With a set of local tasks, as every thread of Actix has one: its clients spawn such tasks.
            LocalSet::new().block_on(&runtime, delivery.work());
            runtime.shutdown_background();
        });
        Ok(Self { stop: Arc::new(stop), worker: worker.map_err(started)? })
    }

    /// Returns what ends the thread without waiting for it: `true` says so.
    pub fn stopper(&self) -> Arc<watch::Sender<bool>> {
        Arc::clone(&self.stop)
    }

    /// Tells whether the thread was told to end.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Tells the thread to end, and waits for nothing.
    pub fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.tell_to_stop();
        self.worker.stop();
    }
}

impl Drop for HookWorker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Delivers to one hook.
struct Delivery {
    parts: HookParts,
    stopped: watch::Receiver<bool>,
    /// Where this process left the hook, and the lease under which it did: good unless another took it over since.
    place: Option<(i64, EventTail)>,
    /// Whether the database had no answer the last time.
    failing: bool,
}

/// What a look into the trail shows.
enum Look {
    /// The row is gone.
    Gone,
    /// Another process delivers, or the hook pauses after a failure.
    NotNow,
    /// The next events, perhaps none.
    Next { events: Vec<StoredEvent>, progress: Progress, stale: bool },
}

/// What comes of a call.
enum Called {
    /// The event was dealt with.
    Done,
    /// It was not.
    Failed(HookError),
    /// The hook is to end, and did not succeed in time.
    Stopped,
    /// Another process delivers now.
    Lost,
}

impl Delivery {
    async fn work(mut self) {
        while !self.is_stopped() {
            let pause = match self.round().await {
                Ok(pause) => {
                    self.failing = false;
                    pause
                }
                Err(error) => {
                    // Once per outage.
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!(hook = self.parts.name, %error, "a hook waits for the database");
                    }
                    OUTAGE_PAUSE
                }
            };
            tokio::select! {
                _ = self.stopped.wait_for(|stopped| *stopped) => {}
                () = sleep(pause) => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Delivers what there is, if no other process does; returns how long to wait until the next look.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        let (name, known) = (self.parts.name.clone(), self.place.take());
        let (now, elapsed) = (self.parts.clock.now(), self.parts.clock.elapsed());
        let begin = known.as_ref().map_or(Begin::Newest, |(_, tail)| Begin::At(tail.clone()));
        let looked = self.parts.database.read(move |rows| look(rows, &name, known, now, elapsed)).await?;
        match looked {
            Look::Gone => {
                let name = self.parts.name.clone();
                self.parts.database.write(move |rows| event_cursors::register(rows, &name, begin, now)).await?;
                tracing::warn!(hook = self.parts.name, "the place of a hook in the audit trail was gone");
                Ok(EVERY)
            }
            Look::NotNow => Ok(EVERY),
            Look::Next { events, progress, stale } if events.is_empty() => {
                self.place = Some((progress.lease, progress.tail));
                if stale {
                    let name = self.parts.name.clone();
                    self.parts.database.write(move |rows| event_cursors::touch(rows, &name, now)).await?;
                }
                Ok(EVERY)
            }
            Look::Next { events, mut progress, .. } => {
                let (name, found) = (self.parts.name.clone(), progress.lease);
                if !self.parts.database.write(move |rows| event_cursors::take(rows, &name, found, now)).await? {
                    return Ok(EVERY);
                }
                progress.lease += 1;
                self.deliver_all(events, progress).await
            }
        }
    }

    /// Delivers events one after the other, and gives the hook back.
    async fn deliver_all(&mut self, events: Vec<StoredEvent>, mut progress: Progress) -> Result<Duration, StoreError> {
        let mut written = self.parts.clock.elapsed();
        let mut pause = Duration::ZERO;
        for event in events {
            let id = event.id;
            match self.deliver(event, &progress).await {
                Called::Done => self.succeeded(id, &mut progress),
                Called::Failed(error) => {
                    self.failed(id, &error, &mut progress);
                    pause = EVERY;
                    break;
                }
                Called::Stopped => break,
                Called::Lost => return Ok(EVERY),
            }
            if self.is_stopped() {
                break;
            }
            if self.parts.clock.elapsed().saturating_sub(written) >= WRITE_EVERY {
                if !self.write(&progress, event_cursors::renew).await? {
                    return Ok(EVERY);
                }
                written = self.parts.clock.elapsed();
            }
        }
        let released = self.write(&progress, event_cursors::release).await;
        // Also where that was not written: nobody else has it while the lease runs, and nothing is told twice.
        if !matches!(released, Ok(false)) {
            self.place = Some((progress.lease, progress.tail));
        }
        released.map(|_| pause)
    }

    /// Calls the hook, and waits for it however long it takes.
    async fn deliver(&self, event: StoredEvent, progress: &Progress) -> Called {
        let id = event.id;
        let mut calling = pin!(unwinding(self.parts.hook.call(event)));
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => {
                    let last = timeout(self.parts.closing_timeout, calling).await;
                    return last.map_or(Called::Stopped, Called::from);
                }
                outcome = &mut calling => return outcome.into(),
                () = sleep(RENEW_EVERY) => match self.write(progress, event_cursors::renew).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::warn!(hook = self.parts.name, event = id, "another process calls this hook as well");
                        return Called::Lost;
                    }
                    Err(error) => tracing::debug!(%error, "cannot renew the lease on a hook"),
                },
            }
        }
    }

    fn succeeded(&self, id: i64, progress: &mut Progress) {
        if progress.failures > 0 {
            tracing::info!(hook = self.parts.name, event = id, "a hook that failed has succeeded");
        }
        progress.tail.told(id);
        (progress.failures, progress.retry_at) = (0, None);
    }

    fn failed(&self, id: i64, error: &HookError, progress: &mut Progress) {
        let (hook, failures) = (&self.parts.name, progress.failures);
        let doublings = u32::try_from(failures.min(16)).unwrap_or_default();
        let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
        if failures == 0 {
            tracing::warn!(hook, event = id, error, "a hook failed: it is called again until it succeeds");
        } else {
            tracing::debug!(hook, event = id, error, failures, "a hook failed again");
        }
        progress.failures += 1;
        progress.retry_at = Some(self.parts.clock.now() + pause);
    }

    async fn write(
        &self,
        progress: &Progress,
        write: fn(&mut Connection, &str, &Progress, OffsetDateTime) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let (name, progress, now) = (self.parts.name.clone(), progress.clone(), self.parts.clock.now());
        self.parts.database.write(move |rows| write(rows, &name, &progress, now)).await
    }
}

/// Looks for what a hook was not told.
fn look(
    rows: &mut Connection,
    name: &str,
    known: Option<(i64, EventTail)>,
    now: OffsetDateTime,
    elapsed: Duration,
) -> Result<Look, StoreError> {
    let Some(cursor) = event_cursors::find(rows, name)? else { return Ok(Look::Gone) };
    if !cursor.is_free(rows, now)? {
        return Ok(Look::NotNow);
    }
    let mut tail = match known {
        Some((lease, tail)) if lease == cursor.lease => tail,
        _ => cursor.tail()?,
    };
    let events = tail.read(rows, elapsed, PAGE)?;
    let progress = Progress { lease: cursor.lease, tail, failures: cursor.failures, retry_at: None };
    Ok(Look::Next { events, progress, stale: cursor.is_stale(now) })
}

/// Makes an error of a panic.
async fn unwinding(mut calling: Calling<'_>) -> Result<(), HookError> {
    std::future::poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| calling.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err("it panicked".into())))
    })
    .await
}

impl From<Result<(), HookError>> for Called {
    fn from(outcome: Result<(), HookError>) -> Self {
        match outcome {
            Ok(()) => Self::Done,
            Err(error) => Self::Failed(error),
        }
    }
}

impl std::fmt::Debug for HookParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookParts")
    }
}
