//! A form that cannot be carried out when it arrives is not lost.
//!
//! Whoever sends one with a sign-in that is over, or that is too old for it, signs in first: meanwhile the server keeps the
//! form, encrypted, for ten minutes. Then its user sees what it was, and sends it with a button, from a page, as any form.
//! Nothing is ever sent by itself, and nobody else sees any of it.
//!
//! While the database is away nothing can be kept: the page that says so carries the fields itself, encrypted, and sends
//! them again.
//!
//! Either is done only for a form that its own browser sent: from this origin, and with the token of the sign-in that the
//! cookies name. Passwords are never kept, see [`is_password`](crate::domain::kept_form::is_password).

mod again;
mod bindings;
mod lost_form;
mod recording;
mod words;

pub(crate) use again::{PATH as SEND_AGAIN, forward};
pub(crate) use lost_form::{KEPT, LostForm};
pub(crate) use words::{act, label, looks_hidden};

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use actix_web::{HttpMessage, HttpResponse, web};

use self::bindings::{claimed, presented};
use self::recording::Recording;
use super::error::WebError;
use super::forms::is_form;
use super::local_path::LocalPath;
use super::request_auth::RequestAuth;
use super::site::Site;
use crate::crypto::{FormBinding, random_bytes};
use crate::domain::id::KeptFormId;
use crate::domain::kept_form::MAX_BYTES;
use crate::session::Authenticated;
use crate::store::kept_forms::NewKeptForm;

/// The form that asks for the password and leads on: where it leads is all there is to rescue.
const LEADS_ON: &str = "/reauthenticate";

/// A form on its way to its handler; what arrives of it is recorded.
pub(crate) struct Sent {
    to: LocalPath,
    page: LocalPath,
    recording: Recording,
}

/// What becomes of a form that was not carried out.
enum Loss {
    /// Its sender has to pass this page first.
    Door(&'static str),
    /// It may be sent again.
    Outage,
}

impl Loss {
    fn of(response: &HttpResponse) -> Option<Self> {
        match response.error()?.as_error::<WebError>()? {
            WebError::SignInRequired { json: false, .. } => Some(Self::Door("/login")),
            WebError::ProofRequired { .. } => Some(Self::Door("/session/confirm")),
            WebError::ReauthenticationRequired { json: false, .. } => Some(Self::Door("/reauthenticate")),
            WebError::Unavailable(_) | WebError::Busy => Some(Self::Outage),
            _ => None,
        }
    }
}

/// Records the form that a request brings, as its handler reads it; nothing where it could not be rescued anyway: what is no
/// form, or too large.
pub(crate) fn record(site: &Site, mut request: ServiceRequest) -> (ServiceRequest, Option<Sent>) {
    let again = site.within(request.path()) == SEND_AGAIN;
    let sent = addressed(site, &request).and_then(|(to, page)| {
        let announced = announced_length(request.headers())?;
        let limit = if again { again::MAX_BYTES } else { MAX_BYTES };
        if announced.is_some_and(|length| length > limit) {
            return None;
        }
        let (recording, payload) = Recording::start(request.take_payload(), announced, limit);
        request.set_payload(Payload::Stream { payload });
        Some(Sent { to, page, recording })
    });
    (request, sent)
}

/// Returns where the form of a request goes and which page it stands on, if it may be rescued.
fn addressed(site: &Site, request: &ServiceRequest) -> Option<(LocalPath, LocalPath)> {
    let headers = request.headers();
    if request.method() != Method::POST || !is_form(headers) {
        return None;
    }
    // Whoever wants to sign out has nothing left to do.
    let path = request.uri().path_and_query().filter(|path| site.within(path.path()) != "/logout")?;
    let to = LocalPath::parse(path.as_str())?;
    let page = site.page_of_form(headers).filter(|page| !site.within(page.as_str()).starts_with(KEPT));
    let page = page.unwrap_or_else(|| to.clone());
    Some((to, page))
}

/// Returns the length that a body says it has, if it says so.
#[expect(clippy::option_option, reason = "a length that cannot be read is not one that is not said")]
fn announced_length(headers: &HeaderMap) -> Option<Option<usize>> {
    match headers.get(CONTENT_LENGTH) {
        None => Some(None),
        Some(length) => length.to_str().ok()?.parse().ok().map(Some),
    }
}

/// Rescues a form that was not carried out, as the answer says: the answer leads to it then, or carries it.
pub(crate) async fn rescue(site: &web::Data<Site>, auth: &RequestAuth, sent: Sent, response: &mut HttpResponse) {
    let Some(loss) = Loss::of(response) else { return };
    let (Sent { to, page, recording }, bindings) = (sent, presented(auth));
    let Some(body) = recording.rest().await else { return };
    if let Loss::Door(door) = loss {
        if site.within(to.as_str()) == LEADS_ON {
            if let Some(location) = next_of(&to, &body).and_then(|next| on_the_way(door, &next)) {
                response.headers_mut().insert(LOCATION, location);
            }
            return;
        }
        match keep(site, auth, &to, &page, &body).await {
            Ok(kept) => {
                let page = kept.and_then(|id| LocalPath::parse(&site.at(&format!("{KEPT}{id}"))));
                if let Some(location) = page.and_then(|page| on_the_way(door, &page)) {
                    response.headers_mut().insert(LOCATION, location);
                }
                return;
            }
            Err(error) => *response = HttpResponse::from_error(error),
        }
    }
    if matches!(Loss::of(response), Some(Loss::Outage)) {
        again::offer(site, &bindings, &to, &body, response);
    }
}

fn on_the_way(door: &str, next: &LocalPath) -> Option<HeaderValue> {
    HeaderValue::from_str(&LocalPath::on_the_way(door, Some(next))).ok()
}

/// Returns where a form was to lead on to.
fn next_of(to: &LocalPath, body: &[u8]) -> Option<LocalPath> {
    let (form, _) = LostForm::read(to, body)?;
    let (_, next) = form.fields.into_iter().find(|(name, _)| name == "next")?;
    LocalPath::parse(&next?)
}

/// Keeps a form for the user of the sign-in that the request came with, if it was made for that.
async fn keep(
    site: &Site,
    auth: &RequestAuth,
    to: &LocalPath,
    page: &LocalPath,
    body: &[u8],
) -> Result<Option<KeptFormId>, WebError> {
    let Some((form, token)) = LostForm::read(to, body) else { return Ok(None) };
    let Authenticated { identity, ended, unproven, .. } = auth.authenticated();
    let (session, known) = match (identity, unproven, ended) {
        (Some(identity), ..) => (identity.session(), Some(identity.user().id)),
        (None, Some(unproven), _) => (unproven.session, Some(unproven.user)),
        (None, None, Some(ended)) => (ended.session, None),
        (None, None, None) => return Ok(None),
    };
    if !site.form_tokens.accepts(&token, FormBinding::Session(session)) {
        return Ok(None);
    }
    let user = match known {
        Some(user) => Some(user),
        None => site.sessions.user_of(session).await?,
    };
    let Some(user) = user else { return Ok(None) };
    let id = KeptFormId::from_bytes(random_bytes().map_err(|error| WebError::Internal(Box::new(error)))?);
    let page = site.form_seal.seal(page.as_str().as_bytes(), &LostForm::page_context(id, user))?;
    let fields = site.form_seal.seal(&form.encode(), &LostForm::context(id, user))?;
    let kept = site.sessions.keep_form(NewKeptForm { id, user, page, fields }, auth.now()).await?;
    Ok(kept.then_some(id))
}

/// Answers a request of which nobody can say who it is; its form is carried by the answer.
pub(crate) async fn unrecognized(site: &web::Data<Site>, request: ServiceRequest, error: WebError) -> ServiceResponse {
    let (request, sent) = record(site, request);
    let offered = sent.map(|sent| (sent, claimed(site, request.headers())));
    let mut response = request.error_response(error);
    if let Some((Sent { to, recording, .. }, bindings)) = offered
        && matches!(Loss::of(response.response()), Some(Loss::Outage))
        && let Some(body) = recording.rest().await
    {
        again::offer(site, &bindings, &to, &body, response.response_mut());
    }
    response
}
