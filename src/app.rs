//! The composition root: settings in, a running server out.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer, web};
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::auth::{Auth, AuthParts, Background, Retention, RetentionThread};
use crate::config::{PublicUrl, Settings};
use crate::crypto::{
    AccessTokens, FormTokens, KeyFileError, KeyFileState, KeyRing, PasswordHasher, PasswordPool, RandomError,
    SignedValues, inspect_key_file, random_bytes, read_or_make_key_file,
};
use crate::domain::clock::{Clock, SystemClock};
use crate::mail::{Letterhead, MailError, Mailer};
use crate::store::{Database, MigrationReport, StoreError, peppers};
use crate::web::{Site, SiteParts, configure, guard};

/// The key file, in the working directory.
pub const KEY_FILE: &str = "perennial.key";

/// How long a load balancer has to notice that readiness turned 503 before no new connection is taken.
const DRAIN: Duration = Duration::from_secs(1);

/// How long requests in flight may take after that, in seconds.
const SHUTDOWN_SECONDS: u64 = 30;

/// How long the database may take to be closed after the last request.
const CLOSING: Duration = Duration::from_secs(5);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; stop what listens there, or set BIND to another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is no database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// There is no way to send mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// A thread, a signal handler or a static file failed.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
}

/// Perennial, ready to be served by its own server or to be mounted in another Actix application.
#[derive(Debug, Clone)]
pub struct Application {
    site: web::Data<Site>,
    background: Arc<Background>,
    retention: Retention,
    _retention_thread: Arc<RetentionThread>,
    mailer: Mailer,
}

impl Application {
    /// Builds what [`Application::build`] does, with the machine's clock and the settings' own idea of where it is.
    ///
    /// That is `PUBLIC_URL`, or `http://localhost` with the port of `BIND`, which must then be the one that is served.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let public_url = settings.public_url.clone();
        let public_url = public_url.unwrap_or_else(|| PublicUrl::localhost(settings.bind.port()));
        Self::build(settings, public_url, system_clock())
    }

    /// Opens the database, reads the keys and starts what runs beside the requests; mail goes where the settings say.
    ///
    /// It blocks for the moment that takes, and may be called before a runtime is started or in an async `main`.
    ///
    /// # Errors
    /// If there is no database or no key; each says what to do.
    pub fn build(settings: &Settings, public_url: PublicUrl, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let mailer = mailer(settings, &public_url, Arc::clone(&clock))?;
        Self::build_with_mailer(settings, public_url, clock, mailer)
    }

    /// Does the same with a mailer of the caller's: [`Mailer::memory`] for a test that wants to read the mail.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub fn build_with_mailer(
        settings: &Settings,
        public_url: PublicUrl,
        clock: Arc<dyn Clock>,
        mailer: Mailer,
    ) -> Result<Self, StartError> {
        // A database that this program must not touch is noticed before a key file is made.
        Database::refuse_unusable(&settings.database)?;
        let keys = key_ring(settings, Path::new(KEY_FILE))?;
        let (database, _) = open_database(settings)?;
        let retention = Retention::new(database.clone(), Arc::clone(&clock), settings.event_retention);
        let fresh = Zeroizing::new(random_bytes::<32>()?);
        let now = clock.now();
        let pepper = database.write_blocking(move |connection| peppers::find_or_insert(connection, &fresh, now))?;
        let passwords = PasswordPool::start(PasswordHasher::new(settings.bcrypt_cost, pepper))?;
        let auth = Arc::new(Auth::new(AuthParts {
            database,
            passwords,
            clock,
            lifetimes: settings.lifetimes,
            access_tokens: AccessTokens::new(&keys, public_url.as_str()),
            refresh_cookie: SignedValues::for_refresh_cookie(&keys),
            mailer: mailer.clone(),
            public_url: public_url.clone(),
        }));
        let site = Site::new(SiteParts {
            auth: Arc::clone(&auth),
            form_tokens: FormTokens::new(&keys),
            form_cookie: SignedValues::for_form_cookie(&keys),
            public_url,
            registration: settings.registration,
            password_min_length: settings.password_min_length,
            trusted_proxies: settings.trusted_proxies.clone(),
            static_dir: settings.static_dir.clone(),
            debug_auth: settings.debug_auth,
        })?;
        Ok(Self {
            site: web::Data::new(site),
            background: Arc::new(Background::start(Arc::clone(&auth))?),
            _retention_thread: Arc::new(RetentionThread::start(retention.clone(), auth)?),
            retention,
            mailer,
        })
    }

    /// Adds Perennial's pages to an application; wrap it in [`guard`] as well.
    pub fn configure(&self, config: &mut ServiceConfig) {
        configure(config, self.site.clone());
    }

    /// Says that the process is about to end: `/readyz` turns 503 and kept connections are wound down.
    ///
    /// [`Application::serve`] does so by itself; an application with a server of its own calls it when it is told to
    /// stop.
    pub fn start_draining(&self) {
        self.site.start_draining();
    }

    /// Returns what runs beside the requests.
    pub fn background(&self) -> &Background {
        &self.background
    }

    /// Returns what cleans up, for whoever does not wait for the background to do so.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Tells whether anybody has an account yet.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn has_accounts(&self) -> Result<bool, crate::auth::AuthError> {
        self.site.auth.has_accounts().await
    }

    /// Serves until SIGTERM or SIGINT: then readiness turns 503, requests in flight finish, their mail is sent as far as
    /// ten seconds allow, and this returns.
    ///
    /// # Errors
    /// If the server cannot start.
    pub async fn serve(self, listener: TcpListener, stop: StopSignals) -> Result<(), StartError> {
        let site = self.site.clone();
        let application = self.clone();
        let server = HttpServer::new(move || {
            let application = application.clone();
            App::new().configure(move |config| application.configure(config)).wrap(from_fn(guard))
        })
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)?
        .run();
        let handle = server.handle();
        let stopping = actix_web::rt::spawn(stop.stop(handle, site));
        server.await?;
        stopping.abort();
        // It holds the site until it has noticed.
        drop(stopping.await);
        // From here on this waits, and nobody waits for this thread any more.
        self.mailer.close();
        let closing = self.site.auth.database().closing();
        drop(self);
        // A worker that has said that it stopped may still hold the application for a moment; the program must not end
        // before the database is one closed file.
        if !closing.wait(CLOSING) {
            tracing::warn!("the database could not be closed; it recovers by itself at the next start");
        }
        Ok(())
    }
}

/// Returns the keys of the settings, or of the key file.
///
/// # Errors
/// If there is no key file and none can be made.
pub fn key_ring(settings: &Settings, file: &Path) -> Result<KeyRing, KeyFileError> {
    if let Some(ring) = settings.secret_keys.clone().and_then(KeyRing::from_list) {
        return Ok(ring);
    }
    if let Ok(KeyFileState::Exposed(mode)) = inspect_key_file(file) {
        tracing::warn!("{} can be read by others (mode {mode:o}): run chmod 600 {}", file.display(), file.display());
    }
    read_or_make_key_file(file)
}

/// Opens the database of the settings and runs the migrations that are missing.
///
/// # Errors
/// If it cannot be opened or migrated, or is of a newer version.
pub fn open_database(settings: &Settings) -> Result<(Database, MigrationReport), StoreError> {
    Database::open(&settings.database)
}

/// Starts to send mail as the settings say: by a mail server, or into files.
///
/// # Errors
/// If no thread can be started.
pub fn mailer(settings: &Settings, public_url: &PublicUrl, clock: Arc<dyn Clock>) -> Result<Mailer, MailError> {
    let letterhead = Letterhead::new(public_url.host(), settings.mail_from.clone())?;
    match &settings.smtp_url {
        Some(url) => Mailer::smtp(url, letterhead, clock),
        None => Mailer::folder(&settings.mail_dir, letterhead, clock),
    }
}

/// Listens on the address of the settings, before anything else is touched.
///
/// # Errors
/// If something else listens there, or nobody may.
pub fn listen(settings: &Settings) -> Result<TcpListener, StartError> {
    let address = settings.bind;
    TcpListener::bind(address).map_err(|source| StartError::Bind { address, source })
}

/// Returns the machine's clock.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// The signals that end the server, heard from the moment this is made: whoever was told that it serves may stop it.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Starts to listen, on a runtime.
    ///
    /// # Errors
    /// If the operating system lets nobody listen.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Stops the server once one of them came: readiness turns 503, then no new connection is taken.
    async fn stop(mut self, handle: ServerHandle, site: web::Data<Site>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight finish");
        site.start_draining();
        tokio::time::sleep(DRAIN).await;
        handle.stop(true).await;
    }
}
