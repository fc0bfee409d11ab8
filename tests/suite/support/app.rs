//! An application with a database, keys and a clock of its own.

use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::App;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{Bytes, ServiceConfig};
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use perennial::Application;
use perennial::config::{Arguments, PublicUrl};
use perennial::domain::clock::{Clock, ManualClock};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::browser::Browser;
use super::database::{Rows, url_in};

/// When every test begins: later than the machine's own clock, which the database's triggers go by.
pub const START: OffsetDateTime = datetime!(2060-03-01 09:00 UTC);

/// Answers a request the way the server would; a body that arrives bit by bit comes beside it.
pub type Serve = Rc<dyn Fn(TestRequest, Option<BoxedPayloadStream>) -> LocalBoxFuture<'static, ServiceResponse>>;

/// A body on its way.
pub type BoxedPayloadStream = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// More routes for an application, as one that embeds Perennial has them.
type MoreRoutes = Rc<dyn Fn(&mut ServiceConfig)>;

/// One process: an application on a database.
pub struct TestApp {
    pub clock: Arc<ManualClock>,
    folder: Rc<TempDir>,
    arguments: Arguments,
    more: MoreRoutes,
    application: Application,
    serve: Serve,
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
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = Arguments {
            jwt_secret_key: Some("a key of the test suite with 32 bytes or more".to_owned()),
            bcrypt_cost: Some("4".to_owned()),
            database_url: Some(url_in(folder.path())),
            ..Arguments::default()
        };
        change(&mut arguments);
        Self::build(Arc::new(ManualClock::at(START)), Rc::new(folder), arguments, Rc::new(more)).await
    }

    /// Starts another process on the same database, with the same settings and clock.
    pub async fn another_process(&self) -> Self {
        self.another_process_with(|_| {}).await
    }

    /// Starts another process on the same database, with settings changed by `change`.
    pub async fn another_process_with(&self, change: impl FnOnce(&mut Arguments)) -> Self {
        let mut arguments = self.arguments.clone();
        change(&mut arguments);
        Self::build(Arc::clone(&self.clock), Rc::clone(&self.folder), arguments, Rc::clone(&self.more)).await
    }

    /// Ends this process and starts another on its database.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// Ends this process and starts another on its database, with settings changed by `change`.
    pub async fn restart_with(self, change: impl FnOnce(&mut Arguments)) -> Self {
        let Self { clock, folder, mut arguments, more, application, serve } = self;
        drop((application, serve));
        change(&mut arguments);
        Self::build(clock, folder, arguments, more).await
    }

    async fn build(clock: Arc<ManualClock>, folder: Rc<TempDir>, arguments: Arguments, more: MoreRoutes) -> Self {
        let settings = arguments.settings().unwrap();
        let public_url = settings.public_url.clone().unwrap_or_else(|| PublicUrl::localhost(8080));
        let time: Arc<dyn Clock> = clock.clone();
        let application = Application::build(&settings, public_url, time).unwrap();
        let (routes, added) = (application.clone(), Rc::clone(&more));
        let app = App::new()
            .configure(move |config| added(config))
            .configure(move |config| routes.configure(config))
            .wrap(from_fn(perennial::guard));
        let service = Rc::new(init_service(app).await);
        let serve: Serve = Rc::new(move |request, stream| {
            let service = Rc::clone(&service);
            let mut request = request.to_request();
            if let Some(payload) = stream {
                request = request.replace_payload(Payload::Stream { payload }).0;
            }
            Box::pin(async move { call_service(&*service, request).await.map_into_boxed_body() })
        });
        Self { clock, folder, arguments, more, application, serve }
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

    /// Returns the origin as a browser writes it.
    pub fn origin(&self) -> &str {
        self.arguments.public_url.as_deref().unwrap_or("http://localhost:8080")
    }

    /// Returns how requests are answered.
    pub fn serve(&self) -> Serve {
        Rc::clone(&self.serve)
    }

    /// Returns the folder that the database is in.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
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
        self.application.background().catch_up().unwrap();
    }

    /// Writes down when sign-ins were last seen.
    pub fn write_seen(&self) {
        self.application.background().write_seen().unwrap();
    }
}
