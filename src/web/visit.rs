//! One request, from the sign-in's point of view: who it is, and which cookies its answer will carry.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use std::future::{Ready, ready};
use time::OffsetDateTime;

use super::cookies::FormCookie;
use super::error::WebError;
use crate::auth::{Ended, Grant, IssuedTokens};
use crate::crypto::{FormBinding, random_bytes};
use crate::domain::id::{FormId, SessionId};

/// What a handler did to the sign-in of its request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A sign-in began.
    Began(IssuedTokens),
    /// The sign-in ended.
    Ended(SessionId),
}

/// The state of one request; the middleware makes it, handlers read it, the middleware writes its cookies.
#[derive(Debug, Clone)]
pub(super) struct Visit(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: OffsetDateTime,
    grant: Option<Arc<Grant>>,
    ended: Option<Ended>,
    next_generation: Option<i64>,
    form_presented: Option<FormCookie>,
    form: Cell<Option<FormCookie>>,
    told: Cell<bool>,
    outcome: RefCell<Option<Outcome>>,
}

impl Visit {
    /// Starts a visit of somebody who is signed in, perhaps by their refresh token.
    pub(super) fn signed_in(
        grant: Arc<Grant>,
        next_generation: Option<i64>,
        form: Option<FormCookie>,
        now: OffsetDateTime,
    ) -> Self {
        Self::new(Some(grant), None, next_generation, form, now)
    }

    /// Starts a visit of somebody who is not, perhaps because their sign-in ended.
    pub(super) fn signed_out(ended: Option<Ended>, form: Option<FormCookie>, now: OffsetDateTime) -> Self {
        Self::new(None, ended, None, form, now)
    }

    fn new(
        grant: Option<Arc<Grant>>,
        ended: Option<Ended>,
        next_generation: Option<i64>,
        form: Option<FormCookie>,
        arrived: OffsetDateTime,
    ) -> Self {
        Self(Rc::new(Inner {
            arrived,
            grant,
            ended,
            next_generation,
            form_presented: form,
            form: Cell::new(form),
            told: Cell::new(false),
            outcome: RefCell::new(None),
        }))
    }

    /// Returns when the request arrived.
    pub(super) fn arrived(&self) -> OffsetDateTime {
        self.0.arrived
    }

    /// Returns who is signed in.
    pub(super) fn grant(&self) -> Option<&Arc<Grant>> {
        self.0.grant.as_ref()
    }

    /// Returns the generation that this answer's rotation leads to, if the refresh token brought the visit in.
    pub(super) fn next_generation(&self) -> Option<i64> {
        self.0.next_generation
    }

    /// Returns the sign-in whose end this page should tell of, and notes that it was told.
    pub(super) fn take_ended(&self) -> Option<SessionId> {
        let form = self.0.form.get();
        let ended = self.0.ended.and_then(|ended| ended.session).or(form.and_then(|form| form.ended))?;
        self.0.told.set(true);
        self.0.form.set(form.map(|form| FormCookie { ended: None, ..form }));
        Some(ended)
    }

    /// Returns the sign-in that this request showed to be over, if no page has told of it.
    pub(super) fn untold_end(&self) -> Option<SessionId> {
        self.0.ended.and_then(|ended| ended.session).filter(|_| !self.0.told.get())
    }

    /// Returns what the forms of this page are bound to; a browser that has no form cookie yet gets one.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub(super) fn form_binding(&self) -> Result<FormBinding, WebError> {
        if let Some(grant) = &self.0.grant {
            return Ok(FormBinding::Session(grant.session.id));
        }
        let form = match self.0.form.get() {
            Some(form) => form,
            None => fresh_form()?,
        };
        self.0.form.set(Some(form));
        Ok(FormBinding::Browser(form.id))
    }

    /// Returns what a form that this browser sends must be bound to, if it holds anything to bind to.
    pub(super) fn presented_binding(&self) -> Option<FormBinding> {
        match &self.0.grant {
            Some(grant) => Some(FormBinding::Session(grant.session.id)),
            None => self.0.form_presented.map(|form| FormBinding::Browser(form.id)),
        }
    }

    /// Notes what a handler did to the sign-in.
    pub(super) fn set_outcome(&self, outcome: Outcome) {
        self.0.outcome.replace(Some(outcome));
    }

    /// Returns what a handler did to the sign-in.
    pub(super) fn take_outcome(&self) -> Option<Outcome> {
        self.0.outcome.take()
    }

    /// Tells whether a handler did anything to the sign-in or to the form cookie.
    pub(super) fn changed_anything(&self) -> bool {
        self.0.outcome.borrow().is_some() || self.changed_form().is_some()
    }

    /// Lets the next sign-in page tell of the end of `session`.
    pub(super) fn remember_ended(&self, session: SessionId) {
        let id = self.0.form_presented.map_or_else(|| FormId::after(session), |form| form.id);
        self.0.form.set(Some(FormCookie { id, ended: Some(session) }));
    }

    /// Forgets the form cookie: whoever signs in starts with nothing that was there before.
    pub(super) fn drop_form(&self) {
        self.0.form.set(None);
    }

    /// Returns the form cookie that the answer must carry, if it differs from the one that was presented.
    pub(super) fn changed_form(&self) -> Option<Option<FormCookie>> {
        let form = self.0.form.get();
        (form != self.0.form_presented).then_some(form)
    }
}

fn fresh_form() -> Result<FormCookie, WebError> {
    let bytes = random_bytes().map_err(|error| WebError::Internal(Box::new(error)))?;
    Ok(FormCookie { id: FormId::from_bytes(bytes), ended: None })
}

impl FromRequest for Visit {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = request.extensions().get::<Self>().cloned();
        ready(visit.ok_or_else(|| WebError::Internal("wrap the application in perennial::guard".into())))
    }
}
