//! Authenticate on the way in, rotate on the way out. It decides nothing: it carries out what [`Auth`] decides.
//!
//! [`Auth`]: crate::auth::Auth

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use super::super::client_info::client;
use super::super::error::WebError;
use super::super::recent::Recent;
use super::super::site::Site;
use super::super::visit::{Outcome, Visit};
use crate::auth::{AuthError, Continuation, Presented, Resumed, Trail};

/// Who a request is, and what its answer owes the browser.
struct Arrival {
    visit: Visit,
    continuation: Option<Box<Continuation>>,
    clear: bool,
}

impl Arrival {
    /// Tells whether the answer may have to carry a cookie.
    fn owes_something(&self) -> bool {
        self.clear || self.continuation.is_some() || self.visit.changed_anything()
    }
}

/// Runs one request. Files and probes pass by: they belong to nobody, and a cache must never hold a cookie.
pub(super) async fn run(
    site: &Site,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_nobodys(request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let arrival = match recognise(site, &request) {
        Some(arrival) => arrival,
        // In boxes of their own, here and below: the future of nearly every request stays small enough to be moved about.
        None => match Box::pin(arrive(site, &request)).await {
            Ok(arrival) => arrival,
            Err(error) => return Ok(request.error_response(WebError::from(error))),
        },
    };
    let visit = arrival.visit.clone();
    request.extensions_mut().insert(visit);
    let mut response = next.call(request).await?.map_into_boxed_body();
    if arrival.owes_something() {
        Box::pin(leave(site, arrival, &mut response)).await;
    }
    Ok(response)
}

fn is_nobodys(path: &str) -> bool {
    path.starts_with("/static/") || matches!(path, "/healthz" | "/readyz")
}

/// The way in of nearly every request: by an access token that this process has verified before.
fn recognise(site: &Site, request: &ServiceRequest) -> Option<Arrival> {
    let now = site.auth.now();
    let headers = request.headers();
    let recent = request.app_data::<Recent>();
    let known = recent.and_then(|recent| recent.find(headers, |grant| site.auth.stands(grant, now)));
    let grant = match known {
        Some(grant) => grant,
        None => {
            let grant = site.auth.remembered(&site.jar.presented(headers), now)?;
            if let Some(recent) = recent {
                recent.keep(headers, &grant);
            }
            grant
        }
    };
    if site.debug_auth {
        tracing::info!(path = request.path(), why = "signed in: access token, remembered", "auth");
    }
    let visit = Visit::signed_in(grant, None, None, now);
    Some(Arrival { visit, continuation: None, clear: false })
}

/// The way in of the others.
async fn arrive(site: &Site, request: &ServiceRequest) -> Result<Arrival, AuthError> {
    let now = site.auth.now();
    let presented = site.jar.presented(request.headers());
    let mut trail = Trail::new(site.debug_auth);
    let from = client(request.request(), &site.trusted_proxies);
    let resumed = site.auth.resume(&presented, &from, &mut trail).await;
    if let Some(why) = trail.told() {
        tracing::info!(path = request.path(), why, "auth");
    }
    let form = site.jar.form(request.headers(), &site.form_cookie);
    let held = holds_anything(&presented);
    Ok(match resumed? {
        Resumed::Current(grant) => {
            Arrival { visit: Visit::signed_in(grant, None, form, now), continuation: None, clear: false }
        }
        Resumed::Continued(continuation) => Arrival {
            visit: Visit::signed_in(Arc::clone(continuation.grant()), Some(continuation.generation()), form, now),
            continuation: Some(continuation),
            clear: false,
        },
        Resumed::Anonymous => Arrival { visit: Visit::signed_out(None, form, now), continuation: None, clear: false },
        Resumed::Ended(ended) => {
            let visit = Visit::signed_out(Some(ended), form, now);
            Arrival { visit, continuation: None, clear: held }
        }
    })
}

/// The way out: the handler has spoken, the headers have not gone yet.
async fn leave(site: &Site, arrival: Arrival, response: &mut ServiceResponse<BoxBody>) {
    let Arrival { visit, continuation, clear } = arrival;
    let outcome = visit.take_outcome();
    if outcome.is_none() && response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Nothing was decided, so the next try must find every cookie as this one did, the form's included.
        return;
    }
    match (outcome, continuation) {
        (Some(Outcome::Began(tokens)), _) => {
            visit.drop_form();
            site.jar.set_tokens(response.headers_mut(), &tokens, site.auth.now());
        }
        (Some(Outcome::Ended(session)), _) => {
            visit.remember_ended(session);
            site.jar.clear_tokens(response.headers_mut());
        }
        (None, Some(continuation)) => {
            let from = client(response.request(), &site.trusted_proxies);
            match site.auth.settle(*continuation, &from).await {
                Ok(Some(tokens)) => site.jar.set_tokens(response.headers_mut(), &tokens, site.auth.now()),
                Ok(None) => {}
                // The reader keeps the page and the token; the next request tries again.
                Err(error) => tracing::warn!(%error, "an answer went out without its rotation"),
            }
        }
        (None, None) if clear => {
            if let Some(session) = visit.untold_end() {
                visit.remember_ended(session);
            }
            site.jar.clear_tokens(response.headers_mut());
        }
        (None, None) => {}
    }
    if let Some(form) = visit.changed_form() {
        site.jar.set_form(response.headers_mut(), form, &site.form_cookie);
    }
}

fn holds_anything(presented: &Presented<'_>) -> bool {
    !presented.access.is_empty() || !presented.refresh.is_empty()
}
