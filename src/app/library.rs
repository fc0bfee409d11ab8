//! What the code of an application asks of Perennial, beside mounting it.

use super::Application;
use super::accounts::Accounts;
use super::events::{AccountEvent, AccountEvents, EventCursor, boxed};
use super::parts::StartError;
use super::sign_ins::UserSessions;
use crate::jobs::{Call, HookError};
use crate::web::Require;

impl Application {
    /// Returns the state of the web floor.
    #[cfg(feature = "testing")]
    pub(crate) fn site(&self) -> &actix_web::web::Data<crate::web::Site> {
        &self.site
    }

    /// Returns the accounts, for the application's own code.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.site.sessions.clone(), self.site.password_min_length)
    }

    /// Returns the sessions of users, for the application's own code.
    pub fn sessions(&self) -> UserSessions {
        UserSessions::new(self.site.sessions.clone())
    }

    /// Returns what a scope asks of whoever uses it: a sign-in, and what is added to it; see [`Require`].
    pub fn require(&self) -> Require {
        Require::new()
    }

    /// Calls a hook for every event of accounts: sign-ins, registrations, deletions and the others, each after its commit,
    /// in the order of the audit trail, and at least once.
    ///
    /// How far the hook has come is kept in the database under its name; a new one begins with what happens from now on.
    /// Whatever happens while no process runs it, or to a process that dies in between, is delivered later, under the same
    /// [`AccountEvent::id`]. Of several processes with a hook of this name one delivers, and another goes on when that is
    /// gone.
    ///
    /// One that fails is called again after a second, a pause that doubles to five minutes, and is told nothing else
    /// meanwhile: return `Ok` for what cannot be helped. The log has its first failure. Other hooks go on: each has a thread
    /// and a Tokio runtime of its own. Events are kept for `EVENT_RETENTION`, and so are the names of hooks that are gone.
    ///
    /// ```no_run
    /// # fn example(perennial: &perennial::Application) -> Result<(), perennial::StartError> {
    /// use perennial::EventType;
    ///
    /// perennial.on_event("mail-list", async |event| {
    ///     match event.kind {
    ///         Some(EventType::Registered) => println!("welcome {:?}", event.email),
    ///         Some(EventType::UserDeleted) => println!("delete what belongs to {:?}", event.user),
    ///         _ => {}
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// The hook ends with the application. So it must not hold the application itself; [`Application::accounts`] and
    /// [`Application::sessions`] can be moved into it. Call this while the process starts: it waits for the database.
    ///
    /// # Errors
    /// `Hook`, if the name is empty, too long or taken; `Store`, if the database cannot write.
    pub fn on_event<F>(&self, cursor: impl Into<EventCursor>, hook: F) -> Result<(), StartError>
    where
        F: AsyncFn(AccountEvent) -> Result<(), HookError> + Send + 'static,
    {
        self.start_hook(cursor.into(), boxed(hook))
    }

    /// Returns the same events as a stream, under the same conditions: asking for the next one says that the one before was
    /// dealt with. What was not dealt with when it is dropped comes again to whoever asks under its name.
    ///
    /// The stream ends with the application.
    ///
    /// ```no_run
    /// # async fn example(perennial: &perennial::Application) -> Result<(), perennial::StartError> {
    /// use futures_util::StreamExt;
    ///
    /// let mut events = perennial.events("audit-export")?;
    /// while let Some(event) = events.next().await {
    ///     println!("{} {}", event.at, event.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Application::on_event`].
    pub fn events(&self, cursor: impl Into<EventCursor>) -> Result<AccountEvents, StartError> {
        self.hooks.stream(&self.site.sessions, cursor.into())
    }

    /// Starts to deliver to a hook.
    pub(super) fn start_hook(&self, cursor: EventCursor, hook: Box<dyn Call>) -> Result<(), StartError> {
        self.hooks.add(&self.site.sessions, cursor, hook)
    }
}
