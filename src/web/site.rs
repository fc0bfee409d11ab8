//! What every handler needs, made once by the composition root.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use actix_web::http::header::{HeaderMap, HeaderValue, REFERER};
use actix_web::{HttpRequest, web};

use super::assets::Assets;
use super::choices::Choices;
use super::cookies::CookieJar;
use super::error::WebError;
use super::faults::Faults;
use super::local_path::LocalPath;
use super::request_id::RequestIds;
use super::static_folder::StaticFolder;
use super::trusted_proxies::TrustedProxies;
use crate::crypto::{FirstAccountTokens, FormBinding, FormSeal, FormTokens, SignedValues};
use crate::domain::public_url::PublicUrl;
use crate::session::{Identity, Sessions};

/// What the composition root brings.
#[derive(Debug)]
pub struct SiteParts {
    /// The use cases.
    pub sessions: Sessions,
    /// The tokens in forms.
    pub form_tokens: FormTokens,
    /// The cipher of forms that could not be carried out.
    pub form_seal: FormSeal,
    /// The signature of the form cookie.
    pub form_cookie: SignedValues,
    /// The signature of the cookie that names a device.
    pub device_cookie: SignedValues,
    /// The signature of the cookie that names a browser which came without a proof.
    pub unproven_cookie: SignedValues,
    /// The one origin.
    pub public_url: PublicUrl,
    /// Whether strangers may make an account.
    pub registration_open: bool,
    /// Whether a new account waits until its address is confirmed, because mail reaches people.
    pub confirms_addresses: bool,
    /// The token that the first account takes; none where whoever reaches this server is at its machine.
    pub first_account: Option<FirstAccountTokens>,
    /// Code points of a new password at least.
    pub password_min_length: usize,
    /// Whose word on a client's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// What pages call the site.
    pub site_name: String,
    /// A folder whose files replace the embedded ones.
    pub static_dir: Option<PathBuf>,
    /// Whether each decision on a request is logged.
    pub debug_auth: bool,
    /// Whether each request is logged.
    pub log_requests: bool,
    /// What the application around it chooses.
    pub choices: Choices,
}

/// The state of the web floor.
///
/// Each worker has a copy of its own, made from the same parts: what all of them count references to at every request
/// goes back and forth between the caches of their processors, and that costs more than a look into the cookies.
#[derive(Debug, Clone)]
pub struct Site {
    pub(crate) sessions: Sessions,
    pub(crate) form_tokens: FormTokens,
    pub(crate) form_seal: FormSeal,
    pub(crate) form_cookie: SignedValues,
    pub(crate) device_cookie: SignedValues,
    pub(crate) unproven_cookie: SignedValues,
    pub(crate) jar: CookieJar,
    pub(crate) assets: Assets,
    pub(crate) public_url: PublicUrl,
    pub(crate) origin: HeaderValue,
    pub(crate) registration_open: bool,
    pub(crate) confirms_addresses: bool,
    pub(crate) first_account: Option<FirstAccountTokens>,
    pub(crate) password_min_length: usize,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) site_name: Arc<str>,
    pub(crate) static_dir: Option<StaticFolder>,
    pub(crate) debug_auth: bool,
    pub(crate) log_requests: bool,
    pub(crate) choices: Choices,
    /// The path of the dashboard, as the browser asks for it.
    dashboard: String,
    pub(crate) faults: Faults,
    pub(crate) request_ids: RequestIds,
    draining: Arc<AtomicBool>,
}

impl Site {
    /// Puts the parts together and reads the static files.
    ///
    /// # Errors
    /// If the static folder is not there, or a file of it cannot be read or lies elsewhere.
    pub fn new(parts: SiteParts) -> std::io::Result<Self> {
        let static_dir = parts.static_dir.as_deref().map(StaticFolder::open).transpose()?;
        let assets = Assets::load(static_dir.as_ref())?;
        let origin = HeaderValue::from_str(parts.public_url.as_str()).map_err(std::io::Error::other)?;
        let dashboard = format!("{}/dashboard", parts.public_url.mount());
        Ok(Self {
            sessions: parts.sessions,
            form_tokens: parts.form_tokens,
            form_seal: parts.form_seal,
            form_cookie: parts.form_cookie,
            device_cookie: parts.device_cookie,
            unproven_cookie: parts.unproven_cookie,
            jar: CookieJar::new(parts.public_url.is_secure()),
            assets,
            public_url: parts.public_url,
            origin,
            registration_open: parts.registration_open,
            confirms_addresses: parts.confirms_addresses,
            first_account: parts.first_account,
            password_min_length: parts.password_min_length,
            trusted_proxies: parts.trusted_proxies,
            site_name: parts.site_name.into(),
            static_dir,
            debug_auth: parts.debug_auth,
            log_requests: parts.log_requests,
            choices: parts.choices,
            dashboard,
            faults: Faults::default(),
            request_ids: RequestIds::new().map_err(std::io::Error::other)?,
            draining: Arc::default(),
        })
    }

    /// Finds the site that answers a request.
    ///
    /// # Errors
    /// If Perennial is not configured in the application.
    pub(crate) fn of(request: &HttpRequest) -> Result<web::Data<Self>, WebError> {
        let site = request.app_data::<web::Data<Self>>().cloned();
        site.ok_or_else(|| {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                tracing::error!(
                    "every request fails: the application is wrapped in perennial::authenticate and has no Perennial; call \
                     App::configure with Application::configure on the same App, not on a scope of it"
                );
            });
            WebError::Internal("configure the application with perennial's routes".into())
        })
    }

    /// Returns where a sign-in leads: to the page that it was on the way to, or to where the application wants it.
    pub(crate) fn after_sign_in<'a>(&'a self, next: Option<&'a LocalPath>) -> &'a str {
        next.or(self.choices.after_sign_in.as_ref()).map_or(&self.dashboard, LocalPath::as_str)
    }

    /// Returns the path of a page of Perennial's as the browser asks for it.
    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.public_url.mount())
    }

    /// Returns a path as [`ROUTES`](super::routes::ROUTES) has it; empty for what is not below Perennial's mount.
    pub(crate) fn within<'a>(&self, path: &'a str) -> &'a str {
        self.public_url.within(path).unwrap_or_default()
    }

    /// Returns the token that forms carry on the pages of a session; empty where this process has just lost the key that
    /// signs, and takes no form either.
    pub(crate) fn form_token_of<'a>(&self, identity: &'a Identity) -> &'a str {
        identity.form_token(|| self.form_tokens.written(FormBinding::Session(identity.session())).ok())
    }

    /// Returns the page of this site that a form was sent from, as the browser says; nothing that somebody else could make of
    /// it leads off this site.
    pub(crate) fn page_of_form(&self, headers: &HeaderMap) -> Option<LocalPath> {
        let referrer = headers.get(REFERER)?.to_str().ok()?;
        LocalPath::parse(referrer.strip_prefix(self.origin.to_str().ok()?)?)
    }

    /// Says that the process is about to end: readiness turns 503, and kept connections are wound down.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Tells whether the process is about to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
