//! Authenticate on the way in, renew on the way out. It decides nothing: it carries out what [`Sessions`] decides.
//!
//! [`Sessions`]: crate::session::Sessions

use actix_web::dev::ServiceRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use crate::domain::client::Client;
use crate::domain::id::SessionId;
use crate::session::{Authenticated, DecisionLog, Pending, Presented, SessionError, Unproven};
use crate::web::cookies::{CookieJar, FormCookie};
use crate::web::device_session::ask_to_register;
use crate::web::extract::client_info::{address, client};
use crate::web::fault_log::lost_nothing;
use crate::web::loggable_path::loggable;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth, fresh_form_id};
use crate::web::site::Site;

/// What the way in leaves for the way out.
pub(crate) struct Arrived {
    auth: RequestAuth,
    pending: Option<(Box<Pending>, Client)>,
    /// Whether the request asks for something to be shown.
    reads: bool,
}

impl Arrived {
    /// Returns what is known of the request.
    pub(crate) fn auth(&self) -> &RequestAuth {
        &self.auth
    }
}

/// Tells whether a path is that of a file of Perennial's, which belongs to nobody: a cache must never hold a cookie.
///
/// Below `/static` there may be handlers of an application's too, which know their user.
pub(crate) fn is_own_file(site: &Site, path: &str) -> bool {
    let name = site.within(path).strip_prefix("/static/");
    name.is_some_and(|name| site.static_dir.is_some() || site.assets.find(name).is_some())
}

/// Tells whether a path is one that probes and caches know, so that no answer there sets a cookie.
pub(crate) fn is_for_nobody(site: &Site, path: &str) -> bool {
    let is_known = |path: &str| {
        path.starts_with("/static/")
            || matches!(path, "/healthz" | "/readyz" | "/favicon.ico" | "/apple-touch-icon.png" | "/robots.txt")
    };
    // At the root, where browsers ask for them, and below the mount.
    is_known(path) || (!site.public_url.mount().is_empty() && is_known(site.within(path)))
}

/// The way in of nearly every request: by an access token that this process has verified before.
pub(crate) fn recognize(site: &web::Data<Site>, request: &ServiceRequest) -> Option<Arrived> {
    let now = site.sessions.now();
    let (pair, form) = site.jar.sole(request.headers())?;
    let identity = site.sessions.recognize(pair, now)?;
    if site.debug_auth {
        tracing::info!(path = loggable(request.path()), why = "signed in: access token, remembered", "auth");
    }
    let address = address(request.request(), &site.trusted_proxies);
    // Whoever is signed in has one only between an act, or the sign-in, and the page that tells of it.
    let form = form.and_then(|value| CookieJar::verified_form(value, &site.form_cookie));
    let auth = RequestAuth::new(site.clone(), now, address, Authenticated::signed_in(identity), form);
    request.extensions_mut().insert(auth.clone());
    Some(Arrived { auth, pending: None, reads: request.method() == Method::GET })
}

/// The way in of the others.
pub(crate) async fn authenticate(site: &web::Data<Site>, request: &ServiceRequest) -> Result<Arrived, SessionError> {
    let now = site.sessions.now();
    let browser = site.jar.unproven(request.headers(), &site.unproven_cookie);
    let presented = Presented { browser, ..site.jar.presented(request.headers()) };
    let mut log = DecisionLog::new(site.debug_auth);
    let address = address(request.request(), &site.trusted_proxies);
    let client = client(address, request.headers());
    let authenticated = site.sessions.authenticate(&presented, &client, now, &mut log).await;
    if let Some(why) = log.line() {
        tracing::info!(path = loggable(request.path()), why, "auth");
    }
    let mut authenticated = authenticated?;
    let form = site.jar.form(request.headers(), &site.form_cookie);
    let pending = authenticated.pending.take();
    let auth = RequestAuth::new(site.clone(), now, address, authenticated, form);
    request.extensions_mut().insert(auth.clone());
    if let Some(pending) = &pending {
        request.extensions_mut().insert(Renewal { generation: pending.generation() });
    }
    let reads = request.method() == Method::GET;
    Ok(Arrived { auth, pending: pending.map(|pending| (pending, client)), reads })
}

/// What the answer to a request will do to its refresh token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal {
    /// The generation that the token has after it, unless another request is faster.
    pub(crate) generation: i64,
}

impl Renewal {
    /// Returns what the answer to a request will do to its refresh token; nothing where an access token signed it in.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }
}

/// The way out: the handler has answered, and the headers have not gone yet.
///
/// The ordinary answer of a signed-in page returns at once.
pub(crate) async fn finish<B>(site: &web::Data<Site>, arrived: Arrived, response: &mut HttpResponse<B>) {
    let Arrived { auth, pending, reads } = arrived;
    let change = AuthChange::detach(response);
    if change.is_none() && response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Nothing was decided, so the next try must find every cookie as this one did, the form's included.
        return;
    }
    let mut form = auth.form().or(auth.new_form()).cloned();
    match change {
        Some(AuthChange::SignedIn(tokens, notice)) => {
            // Whoever signs in starts with nothing that was there before.
            form = notice.and_then(|notice| with_notice(None, notice));
            site.jar.set_tokens(response.headers_mut(), &tokens);
            ask_to_register(site, response.headers_mut(), tokens.registration.as_ref());
        }
        // What the refresh token means was asked when the tokens were issued.
        Some(AuthChange::Renewed(tokens, notice)) => {
            if let Some(notice) = notice {
                form = with_notice(form, notice);
            }
            site.jar.set_tokens(response.headers_mut(), &tokens);
            ask_to_register(site, response.headers_mut(), tokens.registration.as_ref());
        }
        Some(AuthChange::SignedOut(session)) => {
            form = sign_out_form(auth.form(), session);
            site.jar.clear_tokens(response.headers_mut());
        }
        Some(AuthChange::AccountDeleted) => {
            form = with_notice(None, Notice::AccountDeleted);
            site.jar.clear_tokens(response.headers_mut());
        }
        change => {
            if let Some(Unproven { browser, is_new: true, .. }) = &auth.authenticated().unproven {
                site.jar.set_unproven(response.headers_mut(), browser.as_ref(), &site.unproven_cookie);
            }
            if reads && auth.notice().is_some() && is_page(response) {
                form = after_notice(&auth, form);
            }
            match change {
                Some(AuthChange::ToldWhy) => form = form.map(|form| FormCookie { ended: None, ..form }),
                Some(AuthChange::Done(notice)) => form = with_notice(form, notice),
                _ => {}
            }
            if let Some((pending, client)) = pending {
                match site.sessions.finish(*pending, &client).await {
                    Ok(Some(tokens)) => site.jar.set_tokens(response.headers_mut(), &tokens),
                    Ok(None) => {}
                    // The reader keeps the page and the token; the next request tries again.
                    Err(error) => lost_nothing(site, &error.into()),
                }
            }
        }
    }
    if form.as_ref() != auth.form() {
        site.jar.set_form(response.headers_mut(), form.as_ref(), &site.form_cookie);
    }
}

/// Tells whether an answer is a page that was asked for, and so one that says what there is to say once.
fn is_page<B>(response: &HttpResponse<B>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK && kind.starts_with("text/html")
}

/// Takes away what was said: whoever is signed in has no other use for the cookie.
fn after_notice(auth: &RequestAuth, form: Option<FormCookie>) -> Option<FormCookie> {
    if auth.identity().is_some() { None } else { form.map(|form| FormCookie { notice: None, ..form }) }
}

/// Lets the next page say what was done.
fn with_notice(before: Option<FormCookie>, notice: Notice) -> Option<FormCookie> {
    let form = before.or_else(|| fresh_form_id().ok().map(FormCookie::new))?;
    Some(FormCookie { notice: Some(notice), ..form })
}

/// Lets the next sign-in page tell of the end of `session`.
fn sign_out_form(before: Option<&FormCookie>, session: SessionId) -> Option<FormCookie> {
    let id = match before {
        Some(form) => form.id,
        None => fresh_form_id().ok()?,
    };
    Some(FormCookie { id, ended: Some(session), notice: None })
}

/// Tells whether an answer may have to carry a cookie.
pub(crate) fn owes_something<B>(arrived: &Arrived, response: &HttpResponse<B>) -> bool {
    let told = arrived.auth.notice().is_some();
    let named = arrived.auth.authenticated().unproven.as_ref().is_some_and(|unproven| unproven.is_new);
    told || named
        || arrived.pending.is_some()
        || arrived.auth.new_form().is_some()
        || response.extensions().contains::<Option<AuthChange>>()
}
