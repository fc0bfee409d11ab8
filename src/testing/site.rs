//! Perennial for a test: a database, keys, a clock and an outbox of its own.

use std::sync::Arc;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceFactory, ServiceResponse};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::server::TestServer;
use crate::app::{Application, Builder};
use crate::domain::clock::ManualClock;
use crate::mail::{Email, Memory, Outbox};

/// When every test begins: later than the machine's own clock, which the triggers of the database go by.
pub const START: OffsetDateTime = datetime!(2060-03-01 09:00 UTC);

/// A secret that is long enough.
const KEY: &str = "a key for tests alone that has 32 bytes or more";

/// Perennial with a SQLite database in a folder of its own, a clock that stands still, and mail that stays in memory.
///
/// Mount [`perennial`](Self::perennial) in your application, as it is mounted in production, and [`serve`](Self::serve)
/// that. The folder goes when this is dropped.
#[derive(Debug)]
pub struct TestSite {
    perennial: Application,
    clock: Arc<ManualClock>,
    outbox: Outbox,
    folder: TempDir,
}

impl TestSite {
    /// Starts with the default settings, but for a password hash that costs next to nothing.
    ///
    /// # Panics
    /// If there is no room for a database.
    pub fn start() -> Self {
        Self::with(|builder| builder)
    }

    /// Starts with what `choose` adds to the builder: the function that an application has for its own settings, say.
    ///
    /// # Panics
    /// If there is no room for a database, or nothing can be started with these choices.
    pub fn with(choose: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = Application::builder().settings(|set| {
            set.database_url = Some(url_in(&folder));
            set.jwt_secret_key = Some(KEY.to_owned());
            set.bcrypt_cost = Some("4".to_owned());
        });
        let clock = Arc::new(ManualClock::at(START));
        let (transport, outbox) = Memory::new();
        let perennial = choose(builder).clock(clock.clone()).transport(transport).build().unwrap();
        Self { perennial, clock, outbox, folder }
    }

    /// Returns what the application under test mounts.
    pub fn perennial(&self) -> &Application {
        &self.perennial
    }

    /// Returns the URL of the database, for the tables of the application under test.
    pub fn database_url(&self) -> String {
        url_in(&self.folder)
    }

    /// Serves an application that has mounted it.
    pub async fn serve<F, S, B>(&self, app: F) -> TestServer
    where
        F: IntoServiceFactory<S, Request> + 'static,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::InitError: std::fmt::Debug,
        S::Service: 'static,
        B: MessageBody + 'static,
    {
        TestServer::start(&self.perennial, app).await
    }

    /// Returns the clock, for a test that lets a process sleep or sets the time.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Lets time pass, while the process hears from its database.
    ///
    /// # Panics
    /// If the database has no answer.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.perennial.catch_up().unwrap();
    }

    /// Sends the mail that is due, and returns everything that was sent, oldest first.
    ///
    /// # Panics
    /// If the database has no answer.
    pub fn mail(&self) -> Vec<Email> {
        self.perennial.deliver_mail().unwrap();
        self.outbox.messages()
    }
}

fn url_in(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("perennial.db").display())
}
