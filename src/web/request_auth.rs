//! Who a request is, and what its answer does to that.
//!
//! The middleware makes a [`RequestAuth`] on the way in and puts it into the request; handlers read it. A handler that
//! changes it says so by an [`AuthChange`] in its answer, which the middleware turns into cookies on the way out.

use std::cell::OnceCell;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Once};

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

use super::cookies::FormCookie;
use super::error::WebError;
use super::notice::Notice;
use super::policy::POLICY;
use super::site::Site;
use crate::crypto::{FormBinding, random_bytes};
use crate::display::time::Times;
use crate::domain::id::{FormId, SessionId};
use crate::session::{Authenticated, Identity, IssuedTokens};

/// What a handler did to the sign-in of its request.
#[derive(Debug)]
pub(crate) enum AuthChange {
    /// A session began, and the next page may have to say something of it.
    SignedIn(IssuedTokens, Option<Notice>),
    /// The password was entered again: the session goes on with these tokens, and the next page may confirm what was done.
    Renewed(IssuedTokens, Option<Notice>),
    /// The visitor ended the session that they came with.
    SignedOut(SessionId),
    /// The visitor's session is gone, and their account with it.
    AccountDeleted,
    /// The page told why a session ended; it need not be told again.
    ToldWhy,
    /// Something else was done, which the next page confirms.
    Done(Notice),
}

impl AuthChange {
    /// Puts the change into the answer.
    pub(crate) fn attach(self, mut response: HttpResponse) -> HttpResponse {
        response.extensions_mut().insert(Some(self));
        response
    }

    /// Takes the change out of an answer.
    pub(crate) fn detach<B>(response: &mut HttpResponse<B>) -> Option<Self> {
        response.extensions_mut().get_mut::<Option<Self>>().and_then(Option::take)
    }
}

/// What is known of one request: made once, by the middleware.
#[derive(Debug, Clone)]
pub(crate) struct RequestAuth(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    site: web::Data<Site>,
    now: OffsetDateTime,
    address: Option<IpAddr>,
    authenticated: Authenticated,
    form: Option<FormCookie>,
    /// The form cookie that a page of this request needs, where the browser brought none.
    new_form: OnceCell<FormCookie>,
    /// What lets the style element of this page in, once it has one.
    nonce: OnceCell<String>,
}

impl RequestAuth {
    pub(crate) fn new(
        site: web::Data<Site>,
        now: OffsetDateTime,
        address: Option<IpAddr>,
        authenticated: Authenticated,
        form: Option<FormCookie>,
    ) -> Self {
        let (new_form, nonce) = (OnceCell::new(), OnceCell::new());
        Self(Rc::new(Inner { site, now, address, authenticated, form, new_form, nonce }))
    }

    /// Returns the state of the web floor, so that a handler that has this need not look for it.
    pub(crate) fn site(&self) -> &web::Data<Site> {
        &self.0.site
    }

    /// Returns when the request arrived.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.0.now
    }

    /// Returns how whoever sent the request is told of times.
    pub(crate) fn times(&self) -> Times {
        Times::new(self.now(), self.identity().and_then(|identity| identity.user().time_zone))
    }

    /// Returns the address that the request came from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// Returns who is signed in.
    pub(crate) fn identity(&self) -> Option<&Arc<Identity>> {
        self.0.authenticated.identity.as_ref()
    }

    /// Returns all that was found out about who it is.
    pub(crate) fn authenticated(&self) -> &Authenticated {
        &self.0.authenticated
    }

    /// Returns the form cookie that the browser brought.
    pub(crate) fn form(&self) -> Option<&FormCookie> {
        self.0.form.as_ref()
    }

    /// Returns the form cookie that a page of this request needs, where the browser brought none and one was asked for.
    pub(crate) fn new_form(&self) -> Option<&FormCookie> {
        self.0.new_form.get()
    }

    /// Returns what this page says once.
    pub(crate) fn notice(&self) -> Option<&Notice> {
        self.form().and_then(|form| form.notice.as_ref())
    }

    /// Returns the nonce of a style element, where a countdown of this page starts; the policy of its answer lets it in and
    /// nothing else.
    ///
    /// Nothing where there are no random bytes: then the words stand still and are right.
    pub(crate) fn style_nonce(&self) -> Option<&str> {
        if self.0.nonce.get().is_none() {
            let _ = self.0.nonce.set(STANDARD.encode(random_bytes::<16>().ok()?));
        }
        self.0.nonce.get().map(String::as_str)
    }

    /// Lets the style element of this page in, if it has one.
    pub(crate) fn set_style_policy(&self, headers: &mut HeaderMap) {
        let Some(nonce) = self.0.nonce.get() else { return };
        let policy = POLICY.replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
    }

    /// Returns what the forms of this page are bound to; a browser that has no form cookie yet gets one with the answer.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub(crate) fn form_binding(&self) -> Result<FormBinding, WebError> {
        if let Some(identity) = self.identity() {
            return Ok(FormBinding::Session(identity.session()));
        }
        if let Some(form) = self.form().or(self.new_form()) {
            return Ok(FormBinding::Browser(form.id));
        }
        let made = FormCookie::new(fresh_form_id()?);
        Ok(FormBinding::Browser(self.0.new_form.get_or_init(|| made).id))
    }

    /// Returns what a form that this browser sends must be bound to, if it holds anything to bind to.
    pub(crate) fn presented_binding(&self) -> Option<FormBinding> {
        match self.identity() {
            Some(identity) => Some(FormBinding::Session(identity.session())),
            None => self.form().map(|form| FormBinding::Browser(form.id)),
        }
    }
}

/// Makes the name of a browser that is not signed in.
///
/// # Errors
/// If there are no random bytes.
pub(crate) fn fresh_form_id() -> Result<FormId, WebError> {
    random_bytes().map(FormId::from_bytes).map_err(|error| WebError::Internal(Box::new(error)))
}

impl FromRequest for RequestAuth {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let auth = request.extensions().get::<Self>().cloned();
        ready(auth.ok_or_else(|| {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                tracing::error!(
                    path = request.match_pattern(),
                    "a handler asks who is signed in, and perennial::authenticate has not seen the request: wrap the App \
                     itself, by .wrap(from_fn(perennial::authenticate)), and not a scope beside the handler"
                );
            });
            WebError::Internal("wrap the application in perennial::authenticate".into())
        }))
    }
}
