//! What happened to accounts, for the code of an application.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};

use super::parts::StartError;
use crate::domain::event::EventType;
use crate::domain::id::{SessionId, UserId};
use crate::jobs::{Call, HookError, HookParts, HookWorker};
use crate::session::Sessions;
use crate::store::event_cursors::Begin;
use crate::store::operator::StoredEvent;

/// Characters of the name of a hook at most: a word or two.
const NAME_MAX: usize = 100;

/// How long a hook that is under way may go on when the process ends: less than the end of a thread is waited for.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(3);

/// Something that happened to an account, as the audit trail has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountEvent {
    /// Its number: the same whenever it is delivered, so that what was done for it before can be told.
    pub id: i64,
    /// What happened; nothing, where only another version knows the [name](Self::name), which runs beside this one.
    pub kind: Option<EventType>,
    /// What happened, by its name in the audit trail: `signed_in`, for instance.
    pub name: String,
    /// Whom it concerns; nobody, where an unknown address was tried, or the account was deleted before the event was
    /// delivered. Of [`EventType::UserDeleted`], the number that the account had.
    pub user: Option<UserId>,
    /// The address of their account at the time of delivery.
    pub email: Option<String>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// Why it happened, in one word.
    pub reason: Option<String>,
    /// Who did it, where that was not the user themselves: `command line`, `administrator` or `application`.
    pub by: Option<String>,
    /// The administrator, where it was one.
    pub by_user: Option<UserId>,
    /// The role that the account has from then on.
    pub role: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The browser, as it named itself.
    pub user_agent: Option<String>,
    /// When it happened.
    pub at: OffsetDateTime,
}

impl From<StoredEvent> for AccountEvent {
    fn from(event: StoredEvent) -> Self {
        let text = |name: &str| event.details.get(name).and_then(Value::as_str).map(str::to_owned);
        let user = |name: &str| event.details.get(name).and_then(Value::as_i64).map(UserId);
        Self {
            id: event.id,
            kind: EventType::named(&event.kind),
            user: event.user.or_else(|| user("account")),
            session: text("session").and_then(|id| id.parse().ok()),
            reason: text("reason"),
            by: text("by"),
            by_user: user("by_user"),
            role: text("role"),
            address: text("address"),
            user_agent: text("user_agent"),
            at: event.at,
            name: event.kind,
            email: event.email,
        }
    }
}

/// The name under which it is kept how far a hook or a stream has come, and where it begins: a plain `"mail-list"` begins
/// with what happens from then on.
#[derive(Debug, Clone)]
pub struct EventCursor {
    name: String,
    begin: Begin,
}

impl EventCursor {
    /// Names a hook or a stream; the name takes 1 to 100 characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), begin: Begin::Newest }
    }

    /// Begins with the oldest event there is, if nothing was delivered under this name before.
    #[must_use]
    pub fn from_oldest(self) -> Self {
        Self { begin: Begin::Oldest, ..self }
    }
}

impl From<&str> for EventCursor {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Takes a hook of events as the store has them for one of an application's.
pub(super) fn boxed(hook: impl AsyncFn(AccountEvent) -> Result<(), HookError> + Send + 'static) -> Box<dyn Call> {
    Box::new(async move |event: StoredEvent| hook(event.into()).await)
}

/// The hooks and streams of an application by their names, for as long as it lives.
#[derive(Debug, Default)]
pub(super) struct Hooks(Mutex<Vec<(String, HookWorker)>>);

impl Hooks {
    /// Starts to deliver to a hook.
    ///
    /// # Errors
    /// `Hook` and `Store`.
    pub(super) fn add(&self, sessions: &Sessions, cursor: EventCursor, hook: Box<dyn Call>) -> Result<(), StartError> {
        self.start(sessions, cursor, hook, CLOSING_TIMEOUT).map(drop)
    }

    /// Starts to deliver to whoever reads a stream.
    ///
    /// # Errors
    /// `Hook` and `Store`.
    pub(super) fn stream(&self, sessions: &Sessions, cursor: EventCursor) -> Result<AccountEvents, StartError> {
        let (deliver, events) = mpsc::channel::<Delivered>(1);
        let hook = async move |event: AccountEvent| {
            let (taken, dealt_with) = oneshot::channel();
            deliver.send((event, taken)).await.map_err(|_| "nobody reads the stream")?;
            Ok(dealt_with.await?)
        };
        let stop = self.start(sessions, cursor, boxed(hook), Duration::ZERO)?;
        Ok(AccountEvents { events, last: None, stop })
    }

    /// Starts to deliver to a hook; returns what ends it.
    fn start(
        &self,
        sessions: &Sessions,
        cursor: EventCursor,
        hook: Box<dyn Call>,
        closing_timeout: Duration,
    ) -> Result<Arc<watch::Sender<bool>>, StartError> {
        let EventCursor { name, begin } = cursor;
        let refused = |problem: &'static str| StartError::Hook { name: name.clone(), problem };
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return Err(refused("a name takes 1 to 100 characters"));
        }
        let mut workers = self.0.lock();
        workers.retain(|(_, worker)| !worker.is_stopped());
        if workers.iter().any(|(taken, _)| *taken == name) {
            return Err(refused("there is one of this name, and each event would go to one of the two alone"));
        }
        let (database, clock) = (sessions.database().clone(), Arc::clone(sessions.clock()));
        let worker =
            HookWorker::start(HookParts { name: name.clone(), begin, hook, closing_timeout, database, clock })?;
        let stop = worker.stopper();
        workers.push((name, worker));
        Ok(stop)
    }

    /// Ends all of them, and waits for that.
    pub(super) fn stop(&self) {
        let workers = std::mem::take(&mut *self.0.lock());
        workers.iter().for_each(|(_, worker)| worker.tell_to_stop());
        workers.iter().for_each(|(_, worker)| worker.stop());
    }
}

/// An event on its way, and who is told that it was dealt with.
type Delivered = (AccountEvent, oneshot::Sender<()>);

/// The events of accounts, one after the other: [`Application::events`](crate::Application::events).
#[derive(Debug)]
pub struct AccountEvents {
    events: mpsc::Receiver<Delivered>,
    last: Option<oneshot::Sender<()>>,
    stop: Arc<watch::Sender<bool>>,
}

impl Stream for AccountEvents {
    type Item = AccountEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<AccountEvent>> {
        if let Some(last) = self.last.take() {
            // Where nobody hears it, it is delivered again.
            let _ = last.send(());
        }
        self.events.poll_recv(context).map(|next| {
            let (event, taken) = next?;
            self.last = Some(taken);
            Some(event)
        })
    }
}

impl Drop for AccountEvents {
    /// Says first that this is the end: that nobody deals with the last event is no failure.
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
