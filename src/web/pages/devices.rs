//! `/devices`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use time::Duration;

use super::dialogs::opens_dialogs;
use super::layout::Layout;
use super::logout::signed_out;
use super::{render, see_other};
use crate::crypto::FormBinding;
use crate::display::device::{device, kind};
use crate::display::duration::{exactly, spelled};
use crate::display::place::place;
use crate::display::time::{DisplayTime, more};
use crate::domain::id::SessionId;
use crate::domain::session::{Lifetimes, SHARED_IDLE, Session};
use crate::session::RevokeOutcome;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

/// For how long a sign-in counts as new: whoever looks in once a week sees every new one marked.
const NEW: Duration = Duration::days(7);

#[derive(Template)]
#[template(path = "pages/devices.html")]
struct DevicesPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    /// On how many, in words.
    count: String,
    /// Whether the browser may know how to open a dialog.
    dialogs: bool,
    devices: Vec<DeviceRow>,
}

/// One sign-in in words; the component `device_row.html` shows it.
pub(super) struct DeviceRow {
    pub(super) id: String,
    pub(super) icon: &'static str,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) place: String,
    pub(super) first_seen: DisplayTime,
    pub(super) last_used: DisplayTime,
    /// How long it stays signed in, in the line below its name.
    pub(super) kept_for: String,
    /// What is left of a kept sign-in, in hundredths.
    pub(super) left: Option<i64>,
    pub(super) ends_unused: Option<DisplayTime>,
    pub(super) ends: DisplayTime,
    pub(super) is_new: bool,
    pub(super) own: bool,
    /// Whether its device proves itself, so that a copy of its cookies is worthless.
    pub(super) bound: bool,
}

impl DeviceRow {
    fn new(session: Session, auth: &RequestAuth, own: SessionId, lifetimes: &Lifetimes) -> Self {
        let (now, times) = (auth.now(), auth.times());
        let left = (session.expires_at - now).max(Duration::ZERO);
        let whole = (session.expires_at - session.created_at).whole_seconds().max(1);
        let kept_for = match (session.kept, session.shared_computer) {
            (true, _) => format!("kept for {}", more(left)),
            (false, false) => "until the browser closes".to_owned(),
            (false, true) => format!("shared computer, over after {} unused", exactly(SHARED_IDLE)),
        };
        let idle_end = session.idle_end(lifetimes).filter(|end| *end < session.expires_at);
        Self {
            id: session.id.to_string(),
            icon: kind(&session.user_agent),
            name: device(&session.user_agent),
            place: place(&session.address, auth.address()),
            first_seen: times.past(session.created_at),
            last_used: times.past(session.last_seen_at),
            kept_for,
            left: session.kept.then(|| (100 * left.whole_seconds() / whole).min(100)),
            ends_unused: idle_end.map(|end| times.end(end)),
            ends: times.end(session.expires_at),
            is_new: now - session.created_at < NEW,
            own: session.id == own,
            bound: session.is_bound(),
            address: session.address,
        }
    }
}

#[derive(Template)]
#[template(path = "pages/end_device.html")]
struct EndDevicePage<'a> {
    layout: Layout<'a>,
    form_token: String,
    id: String,
    name: String,
    address: String,
    first_seen: DisplayTime,
    last_used: DisplayTime,
    own: bool,
}

/// `GET /devices`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
) -> Result<HttpResponse, WebError> {
    let own = user.identity().session();
    let mut devices = site.sessions.devices(user.identity(), auth.now()).await?;
    // The sort is stable: the others stay in the order of their last use.
    devices.sort_by_key(|session| session.id != own);
    let lifetimes = site.sessions.lifetimes();
    let page = DevicesPage {
        layout: Layout::new(&site, Some(&auth), "devices"),
        form_token: site.form_tokens.token(FormBinding::Session(own))?,
        count: spelled(devices.len(), "device"),
        dialogs: opens_dialogs(request.headers()),
        devices: devices.into_iter().map(|session| DeviceRow::new(session, &auth, own, lifetimes)).collect(),
    };
    render(StatusCode::OK, &page)
}

/// `GET /devices/{id}/revoke`: asks, where the browser cannot open a dialog without a script.
pub(crate) async fn ask(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let id: SessionId = id.parse().map_err(|_| WebError::NotFound)?;
    let (times, own) = (auth.times(), user.identity().session());
    let devices = site.sessions.devices(user.identity(), auth.now()).await?;
    let session = devices.into_iter().find(|session| session.id == id).ok_or(WebError::NotFound)?;
    let page = EndDevicePage {
        layout: Layout::new(&site, Some(&auth), "devices"),
        form_token: site.form_tokens.token(FormBinding::Session(own))?,
        id: id.to_string(),
        name: device(&session.user_agent),
        address: session.address,
        first_seen: times.past(session.created_at),
        last_used: times.past(session.last_seen_at),
        own: id == own,
    };
    render(StatusCode::OK, &page)
}

/// `POST /devices/{id}/revoke`.
pub(crate) async fn revoke(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    ClientInfo(client): ClientInfo,
    id: web::Path<String>,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let id: SessionId = id.parse().map_err(|_| WebError::NotFound)?;
    if id == user.identity().session() {
        site.sessions.sign_out(user.identity(), auth.authenticated(), &client).await?;
        return Ok(signed_out(&user, None));
    }
    match site.sessions.revoke(user.identity(), id, &client).await? {
        RevokeOutcome::Ended { user_agent } => {
            Ok(AuthChange::Done(Notice::DeviceSignedOut(device(&user_agent))).attach(see_other("/devices")))
        }
        RevokeOutcome::NotFound => Err(WebError::NotFound),
    }
}

/// `POST /devices/others/revoke`.
pub(crate) async fn revoke_others(
    site: web::Data<Site>,
    user: CurrentUser,
    ClientInfo(client): ClientInfo,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let ended = site.sessions.revoke_others(user.identity(), &client).await?;
    Ok(AuthChange::Done(Notice::OthersSignedOut(ended)).attach(see_other("/devices")))
}
