//! `/devices`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::logout::signed_out;
use super::{render, see_other};
use crate::crypto::FormBinding;
use crate::display::device::device;
use crate::display::time::DisplayTime;
use crate::domain::id::SessionId;
use crate::session::RevokeOutcome;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "pages/devices.html")]
struct DevicesPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    devices: Vec<DeviceRow>,
}

/// One sign-in in words.
struct DeviceRow {
    id: String,
    name: String,
    address: String,
    first_seen: DisplayTime,
    last_seen: DisplayTime,
    kept: bool,
    ends: DisplayTime,
    this_device: bool,
}

/// `GET /devices`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth, user: CurrentUser) -> Result<HttpResponse, WebError> {
    let now = auth.now();
    let own = user.identity();
    let devices = site.sessions.devices(own, now).await?;
    let page = DevicesPage {
        layout: Layout::new(&site, Some(&auth), "devices"),
        form_token: site.form_tokens.token(FormBinding::Session(own.session()))?,
        devices: devices
            .into_iter()
            .map(|session| DeviceRow {
                id: session.id.to_string(),
                name: device(&session.user_agent),
                first_seen: DisplayTime::new(session.created_at, now),
                last_seen: DisplayTime::new(session.last_seen_at, now),
                kept: session.kept,
                ends: DisplayTime::of_end(session.expires_at, now),
                this_device: session.id == own.session(),
                address: session.address,
            })
            .collect(),
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
