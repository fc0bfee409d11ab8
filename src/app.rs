//! The composition root: settings in, a running server out.

mod accounts;
mod bind;
mod builder;
mod events;
mod first_account;
mod library;
mod metrics;
mod parts;
mod sign_ins;
mod signals;
mod systemd;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, web};
use zeroize::Zeroizing;

pub use accounts::{AccountError, Accounts, NewAccount};
pub use bind::bind;
pub use builder::Builder;
pub use events::{AccountEvent, AccountEvents, EventCursor};
pub use parts::{
    KEY_FILE, StartError, key_file_lost, key_ring, mail_templates, open_database, system_clock, transport,
};
pub use sign_ins::{SessionInfo, UserSessions};
pub use signals::StopSignals;
pub use systemd::tell_ready;

use self::events::Hooks;
use self::metrics::{Metrics, MetricsServer, bind_metrics};
#[cfg(feature = "sqlite")]
use self::parts::backups;
use self::parts::keys_that_fit;
use crate::config::{ClientAddressHeader, DeviceBinding, Registration, Settings};
use crate::crypto::{
    AccessTokens, ApiRefreshTokens, DeviceProofs, FirstAccountTokens, FirstSecrets, FormSeal, FormTokens, KeyRing,
    KeyState, PasswordHasher, PasswordPool, SignedValues, random_bytes,
};
use crate::domain::clock::Clock;
use crate::domain::public_url::PublicUrl;
#[cfg(feature = "sqlite")]
use crate::jobs::BackupWorker;
use crate::jobs::{
    ChangeFollower, Heartbeat, JoinedNode, LastSeenWriter, NodeParts, OutboxParts, OutboxWorker, Retention,
    RetentionWorker,
};
use crate::mail::{MailTemplates, Transport};
use crate::server::{Listening, RequestCounts, Server, raise_descriptor_limit};
use crate::session::{NodeState, Sessions, SessionsParts};
use crate::store::{Database, StoreError, answer_at_start, peppers};
use crate::web::{AddressHeader, Choices, Site, SiteParts, TrustedProxies, authenticate, configure};

/// How long the database may take to be closed after the last request.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Perennial, ready to be served by its own server or to be mounted in another Actix application.
#[derive(Debug, Clone)]
pub struct Application {
    site: web::Data<Site>,
    follower: Arc<ChangeFollower>,
    heartbeat: Arc<Heartbeat>,
    last_seen: Arc<LastSeenWriter>,
    retention: Retention,
    retention_worker: Arc<RetentionWorker>,
    outbox: Arc<OutboxWorker>,
    hooks: Arc<Hooks>,
    #[cfg(feature = "sqlite")]
    backups: Option<Arc<BackupWorker>>,
    requests: Option<RequestCounts>,
    metrics: Option<Arc<MetricsServer>>,
    connections_per_address: usize,
    drain_time: Duration,
}

/// What an application is started with.
struct Start<'a> {
    settings: &'a Settings,
    public_url: PublicUrl,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    key_file: PathBuf,
    choices: Choices,
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

    /// Opens the database, reads the keys and starts what runs beside the requests; mail goes where the settings say. As
    /// long as there is no account, the log says where to create the first; see [`Application::first_account_url`].
    ///
    /// It blocks for the moment that takes, and may be called before a runtime is started or in an async `main`. A database
    /// that does not answer is waited for up to eight seconds; migrations take as long as they need.
    ///
    /// # Errors
    /// If there is no database or no key; each says what to do.
    pub fn build(settings: &Settings, public_url: PublicUrl, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let transport = transport(settings, &public_url)?;
        let application = Self::build_with_transport(settings, public_url, clock, transport)?;
        application.log_first_account()?;
        Ok(application)
    }

    /// Does the same with a transport of the caller's, [`Memory`](crate::mail::Memory) for a test that reads the mail, and
    /// leaves it to the caller to say where the first account is made.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub fn build_with_transport(
        settings: &Settings,
        public_url: PublicUrl,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, StartError> {
        let key_file = PathBuf::from(KEY_FILE);
        Self::start(Start { settings, public_url, clock, transport, key_file, choices: Choices::default() })
    }

    fn start(start: Start<'_>) -> Result<Self, StartError> {
        let Start { settings, public_url, clock, transport, key_file, choices } = start;
        let mail_templates = mail_templates(settings)?;
        let metrics = settings.metrics_bind.map(bind_metrics).transpose()?;
        // A database that this program must not touch is noticed before a key file is made.
        Database::refuse_unusable(&settings.database)?;
        let keys = keys_that_fit(settings, &key_file)?;
        let (database, _) = open_database(settings)?;
        let settings = settings.clone();
        let place = settings.database.shown();
        let mail = (transport, mail_templates);
        answer_at_start(&place, move || {
            let mut application =
                Self::assemble(&settings, public_url, Arc::clone(&clock), mail, &keys, (database, choices))?;
            if let Some(listener) = metrics {
                application.start_metrics(listener, clock)?;
            }
            Ok(application)
        })
    }

    /// Joins the other processes on an open database, and starts what runs beside the requests.
    fn assemble(
        settings: &Settings,
        public_url: PublicUrl,
        clock: Arc<dyn Clock>,
        (transport, mail_templates): (Arc<dyn Transport>, MailTemplates),
        keys: &KeyRing,
        (database, choices): (Database, Choices),
    ) -> Result<Self, StartError> {
        let key_state = KeyState::new(keys);
        let node = NodeState::new(key_state.clone(), &settings.lifetimes);
        let joined = JoinedNode::join(NodeParts {
            database: database.clone(),
            clock: Arc::clone(&clock),
            state: node.clone(),
            lifetimes: settings.lifetimes,
            device_binding: settings.device_binding == DeviceBinding::On && public_url.binds_devices(),
        })?;
        let retention = Retention::new(database.clone(), Arc::clone(&clock), settings.event_retention)?;
        let fresh = Zeroizing::new(random_bytes::<32>()?);
        let now = clock.now();
        let peppers = database.write_blocking(move |connection| peppers::find_or_insert(connection, &fresh, now))?;
        let hasher = PasswordHasher::new(settings.bcrypt_cost, peppers.current).knowing(peppers.older);
        let passwords = PasswordPool::start(hasher, Arc::clone(&clock))?;
        let sessions = Sessions::new(SessionsParts {
            database: database.clone(),
            passwords,
            clock: Arc::clone(&clock),
            lifetimes: settings.lifetimes,
            access_tokens: AccessTokens::new(keys, &key_state, public_url.as_str(), settings.lifetimes.access),
            refresh_cookie: SignedValues::for_refresh_cookie(keys, &key_state),
            api_access_tokens: AccessTokens::for_api(keys, &key_state, public_url.as_str(), settings.lifetimes.access),
            api_refresh_tokens: ApiRefreshTokens::new(keys, &key_state),
            device_proofs: DeviceProofs::new(keys, &key_state),
            first_secrets: FirstSecrets::new(keys, &key_state),
            public_url: public_url.clone(),
            site_name: settings.site_name.clone(),
            mail_templates,
            node,
        })?;
        sessions.set_reissue_in_place(database.version_before_may_run()?);
        let site = Site::new(SiteParts {
            sessions: sessions.clone(),
            form_tokens: FormTokens::new(keys, &key_state),
            form_seal: FormSeal::new(keys, &key_state),
            form_cookie: SignedValues::for_form_cookie(keys, &key_state),
            device_cookie: SignedValues::for_known_device_cookie(keys, &key_state),
            unproven_cookie: SignedValues::for_unproven_try_cookie(keys, &key_state),
            first_account: (!public_url.is_loopback())
                .then(|| FirstAccountTokens::new(keys, &key_state, public_url.as_str())),
            public_url,
            registration_open: settings.registration == Registration::Open,
            confirms_addresses: settings.smtp_url.is_some(),
            password_min_length: settings.password_min_length,
            trusted_proxies: TrustedProxies {
                networks: settings.trusted_proxies.clone(),
                header: match settings.client_address_header {
                    ClientAddressHeader::XForwardedFor => AddressHeader::XForwardedFor,
                    ClientAddressHeader::Forwarded => AddressHeader::Forwarded,
                },
            },
            site_name: settings.site_name.clone(),
            static_dir: settings.static_dir.clone(),
            debug_auth: settings.debug_auth,
            log_requests: settings.log_requests,
            choices,
        })?;
        Ok(Self {
            site: web::Data::new(site),
            follower: Arc::new(ChangeFollower::start(sessions.clone())?),
            heartbeat: Arc::new(Heartbeat::start(sessions.clone(), joined)?),
            last_seen: Arc::new(LastSeenWriter::start(sessions.clone())?),
            retention_worker: Arc::new(RetentionWorker::start(retention.clone(), sessions.clone())?),
            retention,
            #[cfg(feature = "sqlite")]
            backups: backups(settings, &clock)?.map(Arc::new),
            requests: None,
            metrics: None,
            hooks: Arc::default(),
            outbox: Arc::new(OutboxWorker::start(OutboxParts {
                database,
                transport,
                clock,
                queue_untold: Box::new(move || sessions.queue_untold()),
            })?),
            connections_per_address: settings.connections_per_address,
            drain_time: settings.drain_time,
        })
    }

    /// Serves metrics, and counts requests for them from now on.
    fn start_metrics(&mut self, listener: TcpListener, clock: Arc<dyn Clock>) -> Result<(), StartError> {
        let requests = RequestCounts::new(Arc::clone(&clock));
        let metrics = Metrics::new(self.site.sessions.clone(), requests.clone(), clock);
        self.metrics = Some(Arc::new(MetricsServer::start(listener, metrics)?));
        self.requests = Some(requests);
        Ok(())
    }

    /// Adds Perennial's pages to an application; wrap it in [`authenticate`] as well.
    ///
    /// The first route that fits a request answers it: what the application registers before takes the place of a page of
    /// Perennial's. An answer to what is not there is the application's own, if it has one. What runs beside the requests
    /// lives as long as the application that was configured.
    pub fn configure(&self, config: &mut ServiceConfig) {
        config.app_data(self.clone());
        configure(config, self.site.clone());
    }

    /// Says that the process is about to end: `/readyz` turns 503 and kept connections are wound down.
    ///
    /// [`Application::serve`] does so by itself; an application with a server of its own calls it when it is told to
    /// stop.
    pub fn start_draining(&self) {
        self.site.start_draining();
    }

    /// Returns where the rows are.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn database(&self) -> &Database {
        self.site.sessions.database()
    }

    /// Takes in at once whatever other processes have committed, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database has no answer.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        self.follower.catch_up()
    }

    /// Writes down at once when sessions were last used, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn write_last_seen(&self) -> Result<(), StoreError> {
        self.last_seen.write()
    }

    /// Lets this process be heard from by the others on its database, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn beat(&self) -> Result<(), StoreError> {
        self.heartbeat.beat()
    }

    /// Drops from memory at once what is over, as a test needs it that does not wait.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn sweep(&self) {
        self.site.sessions.sweep();
    }

    /// Returns how many changes this process remembers.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn known_changes(&self) -> usize {
        self.site.sessions.known_changes()
    }

    /// Returns how many rounds of bcrypt were computed so far: the work of a password, without a stopwatch.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn password_work(&self) -> u64 {
        self.site.sessions.password_work()
    }

    /// Returns what cleans up, for whoever does not wait for the background to do so.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Sends the mail that is due at once, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database has no answer.
    pub fn deliver_mail(&self) -> Result<(), StoreError> {
        self.outbox.deliver_due()
    }

    /// Ends the threads beside the requests, as a test needs it that starts another process in the place of this one.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn stop(&self) {
        self.stop_workers();
    }

    /// Ends the threads beside the requests, all at once: where a server hangs, each of them waits for it.
    fn stop_workers(&self) {
        thread::scope(|scope| {
            scope.spawn(|| self.last_seen.stop());
            scope.spawn(|| self.heartbeat.stop());
            scope.spawn(|| self.follower.stop());
            scope.spawn(|| self.retention_worker.stop());
            scope.spawn(|| self.outbox.close());
            scope.spawn(|| self.hooks.stop());
            scope.spawn(|| self.metrics.as_ref().map(|metrics| metrics.stop()));
            #[cfg(feature = "sqlite")]
            scope.spawn(|| self.backups.as_ref().map(|backups| backups.stop()));
        });
    }

    /// Serves until SIGTERM, SIGINT, SIGHUP or SIGQUIT: then readiness turns 503, requests in flight finish, their mail is
    /// sent as far as ten seconds allow, and this returns.
    ///
    /// # Errors
    /// If the server cannot start.
    pub async fn serve(self, listener: impl Into<Listening>, stop: StopSignals) -> Result<(), StartError> {
        let server = Server::new(
            self.site.clone(),
            self.connections_per_address,
            raise_descriptor_limit(),
            self.requests.clone(),
        );
        let application = self.clone();
        let app = move || {
            let application = application.clone();
            App::new().configure(move |config| application.configure(config)).wrap(from_fn(authenticate))
        };
        server.run(listener.into(), app, stop.drained(self.site.clone(), self.drain_time)).await?;
        // From here on this waits, and nobody waits for this thread any more.
        self.stop_workers();
        let closing = self.site.sessions.database().closing();
        drop(self);
        // A worker that has said that it stopped may still hold the application for a moment; the program must not end
        // before the database is one closed file.
        if !closing.wait(CLOSE_TIMEOUT) {
            tracing::warn!("the database could not be closed; it recovers by itself at the next start");
        }
        Ok(())
    }
}
