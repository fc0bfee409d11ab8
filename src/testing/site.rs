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
use crate::app::Application;
use crate::config::{Arguments, Settings};
use crate::domain::clock::{Clock, ManualClock};
use crate::domain::public_url::PublicUrl;
use crate::mail::{Email, Memory, Outbox};

/// When every test begins: later than the machine's own clock, which the triggers of the database go by.
pub const START: OffsetDateTime = datetime!(2060-03-01 09:00 UTC);

/// The port of the public URL; nobody listens on it.
const PORT: u16 = 8080;

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
    _folder: TempDir,
}

impl TestSite {
    /// Starts with the default settings, but for a password hash that costs next to nothing.
    ///
    /// # Panics
    /// If there is no room for a database.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts with settings changed by `change`.
    ///
    /// # Panics
    /// If there is no room for a database, or nothing can be started with these settings.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = Arguments {
            database_url: Some(format!("sqlite://{}", folder.path().join("perennial.db").display())),
            jwt_secret_key: Some(KEY.to_owned()),
            bcrypt_cost: Some("4".to_owned()),
            ..Arguments::default()
        };
        let mut settings = arguments.settings().unwrap();
        change(&mut settings);
        let clock = Arc::new(ManualClock::at(START));
        let time: Arc<dyn Clock> = clock.clone();
        let public_url = settings.public_url.clone().unwrap_or_else(|| PublicUrl::localhost(PORT));
        let (transport, outbox) = Memory::new();
        let perennial = Application::build_with_transport(&settings, public_url, time, Arc::new(transport));
        Self { perennial: perennial.unwrap(), clock, outbox, _folder: folder }
    }

    /// Returns what the application under test mounts.
    pub fn perennial(&self) -> &Application {
        &self.perennial
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
