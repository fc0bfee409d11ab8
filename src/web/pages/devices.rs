//! `/devices`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::client_info::client;
use super::super::error::WebError;
use super::super::extract::CurrentUser;
use super::super::forms::SubmittedForm;
use super::super::site::Site;
use super::super::visit::{Outcome, Visit};
use super::layout::Layout;
use super::theft_warning::TheftWarning;
use super::{render, see_other};
use crate::auth::RevokeOutcome;
use crate::crypto::FormBinding;
use crate::domain::device::device;
use crate::domain::id::SessionId;
use crate::domain::moment::Moment;

#[derive(Template)]
#[template(path = "pages/devices.html")]
struct DevicesPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    devices: Vec<DeviceRow>,
    warning: Option<TheftWarning>,
}

/// One sign-in in words.
struct DeviceRow {
    id: String,
    name: String,
    address: String,
    first_seen: Moment,
    last_seen: Moment,
    kept: bool,
    ends: Moment,
    this_device: bool,
}

/// `GET /devices`.
pub(in crate::web) async fn get(
    site: web::Data<Site>,
    visit: Visit,
    user: CurrentUser,
) -> Result<HttpResponse, WebError> {
    let now = site.auth.now();
    let own = user.session();
    let devices = site.auth.devices(own).await?;
    let theft = site.auth.recent_theft(own).await?;
    let page = DevicesPage {
        layout: Layout::new(&site, Some(&visit), "devices"),
        form_token: site.form_tokens.token(FormBinding::Session(own.id)),
        devices: devices
            .into_iter()
            .map(|session| DeviceRow {
                id: session.id.to_string(),
                name: device(&session.user_agent),
                first_seen: Moment::new(session.created_at, now),
                last_seen: Moment::new(session.last_seen_at, now),
                kept: session.kept,
                ends: Moment::new(session.expires_at, now),
                this_device: session.id == own.id,
                address: session.address,
            })
            .collect(),
        warning: theft.map(|theft| TheftWarning::new(&theft, now)),
    };
    render(StatusCode::OK, &page)
}

/// `POST /devices/{id}/revoke`.
pub(in crate::web) async fn revoke(
    request: HttpRequest,
    site: web::Data<Site>,
    visit: Visit,
    user: CurrentUser,
    id: web::Path<String>,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let id: SessionId = id.parse().map_err(|_| WebError::NotFound)?;
    let from = client(&request, &site.trusted_proxies);
    if id == user.session().id {
        site.auth.sign_out(user.session(), &from).await?;
        visit.set_outcome(Outcome::Ended(id));
        return Ok(see_other("/login"));
    }
    match site.auth.revoke(user.session(), id, &from).await? {
        RevokeOutcome::Ended => Ok(see_other("/devices")),
        RevokeOutcome::NotFound => Err(WebError::NotFound),
    }
}

/// `POST /devices/others/revoke`.
pub(in crate::web) async fn revoke_others(
    request: HttpRequest,
    site: web::Data<Site>,
    user: CurrentUser,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let from = client(&request, &site.trusted_proxies);
    site.auth.revoke_others(user.session(), &from).await?;
    Ok(see_other("/devices"))
}
