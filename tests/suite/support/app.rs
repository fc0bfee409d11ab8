//! An application with a database, keys and a clock of its own.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::App;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use perennial::app::StartError;
use perennial::domain::clock::{Clock, ManualClock};
use perennial::jobs::Retention;
use perennial::mail::{Email, Memory, Outbox};
use perennial::testing::{START, Serve, TestServer};
use perennial::{Application, Arguments, Builder};
use tempfile::TempDir;
use time::Duration;

use super::browser::Browser;
use super::database::{Rows, url_in};

/// The key of every application that is not told another.
pub const KEY: &str = "a key of the test suite with 32 bytes or more";

/// More routes for an application, as one that embeds Perennial has them.
type MoreRoutes = Rc<dyn Fn(&mut ServiceConfig)>;

/// What an application that embeds Perennial chooses.
pub type Choose = fn(Builder) -> Builder;

/// One process: an application on a database.
pub struct TestApp {
    pub clock: Arc<ManualClock>,
    folder: Rc<TempDir>,
    arguments: Arguments,
    more: MoreRoutes,
    choose: Choose,
    application: Application,
    outbox: Outbox,
    server: TestServer,
}

impl TestApp {
    /// Starts an application with the default settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts an application with settings changed by `change`.
    pub async fn with(change: impl FnOnce(&mut Arguments)) -> Self {
        Self::embedded(change, |_| {}).await
    }

    /// Starts an application that has more routes than Perennial's.
    pub async fn embedded(change: impl FnOnce(&mut Arguments), more: impl Fn(&mut ServiceConfig) + 'static) -> Self {
        Self::chosen(change, more, |builder| builder).await
    }

    /// Starts an application that has more routes than Perennial's, and chooses what `choose` says.
    pub async fn chosen(
        change: impl FnOnce(&mut Arguments),
        more: impl Fn(&mut ServiceConfig) + 'static,
        choose: Choose,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = Arguments {
            jwt_secret_key: Some(KEY.to_owned()),
            bcrypt_cost: Some("4".to_owned()),
            database_url: Some(url_in(folder.path())),
            ..Arguments::default()
        };
        change(&mut arguments);
        Self::build(Arc::new(ManualClock::at(START)), Rc::new(folder), arguments, Rc::new(more), choose).await
    }

    /// Starts another process on the same database, with the same settings and clock.
    pub async fn another_process(&self) -> Self {
        self.another_process_with(|_| {}).await
    }

    /// Starts another process on the same database, with settings changed by `change`.
    pub async fn another_process_with(&self, change: impl FnOnce(&mut Arguments)) -> Self {
        let mut arguments = self.arguments.clone();
        change(&mut arguments);
        Self::build(Arc::clone(&self.clock), Rc::clone(&self.folder), arguments, Rc::clone(&self.more), self.choose)
            .await
    }

    /// Starts another process on the same database, with settings changed by `change`, or says why it does not start.
    pub async fn try_another_process_with(&self, change: impl FnOnce(&mut Arguments)) -> Result<Self, StartError> {
        let mut arguments = self.arguments.clone();
        change(&mut arguments);
        Self::try_build(Arc::clone(&self.clock), Rc::clone(&self.folder), arguments, Rc::clone(&self.more), self.choose)
            .await
    }

    /// Starts another process on the same database that has a clock of its own.
    pub async fn another_process_by(&self, clock: Arc<ManualClock>) -> Self {
        Self::build(clock, Rc::clone(&self.folder), self.arguments.clone(), Rc::clone(&self.more), self.choose).await
    }

    /// Ends this process and starts another on its database.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// Ends this process and starts another on its database, with settings changed by `change`.
    pub async fn restart_with(self, change: impl FnOnce(&mut Arguments)) -> Self {
        let Self { clock, folder, mut arguments, more, choose, application, outbox: _, server } = self;
        // A browser that was not told yet holds a way to the process, and with it the process.
        application.stop();
        drop((application, server));
        change(&mut arguments);
        Self::build(clock, folder, arguments, more, choose).await
    }

    async fn build(
        clock: Arc<ManualClock>,
        folder: Rc<TempDir>,
        arguments: Arguments,
        more: MoreRoutes,
        choose: Choose,
    ) -> Self {
        Self::try_build(clock, folder, arguments, more, choose).await.unwrap()
    }

    async fn try_build(
        clock: Arc<ManualClock>,
        folder: Rc<TempDir>,
        arguments: Arguments,
        more: MoreRoutes,
        choose: Choose,
    ) -> Result<Self, StartError> {
        let (transport, outbox) = Memory::new();
        let builder = Application::builder().settings(|all| *all = arguments.clone());
        let application = choose(builder.clock(clock.clone()).transport(transport)).build()?;
        let (routes, added) = (application.clone(), Rc::clone(&more));
        let app = App::new()
            .configure(move |config| added(config))
            .configure(move |config| routes.configure(config))
            .wrap(from_fn(perennial::authenticate));
        let server = TestServer::start(&application, app).await;
        Ok(Self { clock, folder, arguments, more, choose, application, outbox, server })
    }

    /// Opens a browser with an empty cookie jar.
    pub fn browser(&self) -> Browser {
        Browser::new(self)
    }

    /// Opens a browser and signs in by making the first account.
    pub async fn signed_in(&self) -> Browser {
        let browser = self.browser();
        browser.register().await;
        browser
    }

    /// Returns the path at which the first account is made, as the start says it; none once there is an account.
    pub async fn first_account_page(&self) -> Option<String> {
        let url = self.application.first_account_url().await.unwrap()?;
        Some(url.strip_prefix(self.origin()).unwrap().to_owned())
    }

    /// Returns the origin as a browser writes it.
    pub fn origin(&self) -> &str {
        self.arguments.public_url.as_deref().unwrap_or("http://localhost:8080")
    }

    /// Returns what is mounted.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Returns how requests are answered.
    pub fn serve(&self) -> Serve {
        self.server.serve()
    }

    /// Returns what answers requests.
    pub fn server(&self) -> &TestServer {
        &self.server
    }

    /// Returns the settings.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Returns the folder that the database is in.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Returns where the database is.
    pub fn database_url(&self) -> String {
        url_in(self.folder.path())
    }

    /// Opens the database for looking into it, and for changing it behind the application's back.
    pub fn rows(&self) -> Rows {
        Rows::of(self.folder.path())
    }

    /// Lets time pass, with a process that hears from its database all the while.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.catch_up();
    }

    /// Takes in what other processes changed.
    pub fn catch_up(&self) {
        self.application.catch_up().unwrap();
    }

    /// Returns the secrets of this process.
    pub fn keys(&self) -> &str {
        self.arguments.jwt_secret_key.as_deref().unwrap()
    }

    /// Lets this process be heard from by the others.
    pub fn beat(&self) {
        self.application.beat().unwrap();
    }

    /// Sends the mail that is due, and returns everything that this process has sent.
    pub fn mail(&self) -> Vec<Email> {
        self.application.deliver_mail().unwrap();
        self.outbox.messages()
    }

    /// Stops the database, or lets it go on.
    pub fn set_stopped(&self, stopped: bool) {
        self.application.database().set_stopped(stopped);
    }

    /// Returns what deletes what is over.
    pub fn retention(&self) -> Retention {
        self.application.retention().clone()
    }

    /// Counts what happened on the days that are over.
    pub fn count_days(&self) {
        let lifetimes = self.arguments.settings().unwrap().lifetimes;
        perennial::jobs::count_days(self.application.database(), &lifetimes, self.clock.now()).unwrap();
    }

    /// Drops from memory what is over.
    pub fn sweep(&self) {
        self.application.sweep();
    }

    /// Returns how many changes this process remembers.
    pub fn known_changes(&self) -> usize {
        self.application.known_changes()
    }

    /// Returns how many rounds of bcrypt were computed so far: 2^cost for each hash.
    pub fn password_work(&self) -> u64 {
        self.application.password_work()
    }

    /// Writes down when sessions were last used.
    pub fn write_last_seen(&self) {
        self.application.write_last_seen().unwrap();
    }
}
