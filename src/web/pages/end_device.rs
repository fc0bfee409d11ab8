//! `/devices/end`: the link that a sign-in on a new device was told with, and the page behind it that ends that sign-in.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::mail_link::{self, Dead};
use super::{render, see_other, without_referrer};
use crate::display::device::device;
use crate::display::time::DisplayTime;
use crate::session::EndLink;
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

const PATH: &str = "/devices/end";

const DEAD: Dead = Dead {
    lead: "A link to end a sign-in works once, for 7 days, and only as long as that sign-in lasts. Nothing was changed.",
    advice: "If you think that somebody knows your password, set a new one: that signs every device out.",
    choices: &[("/password-reset", "Set a new password"), ("/devices", "Look at your devices")],
};

#[derive(Template)]
#[template(path = "pages/end_new_device.html")]
struct EndDevicePage<'a> {
    layout: Layout<'a>,
    form_token: String,
    device: String,
    address: &'a str,
    since: DisplayTime,
    session: String,
}

/// `GET /devices/end/{token}`: moves the token out of the address. Opened any number of times, it spends nothing.
pub(crate) async fn link(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    mail_link::open(&request, &site, &auth, PATH, &DEAD)
}

/// `GET /devices/end`: asks for the button.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    let tokens = site.jar.password_reset(request.headers());
    let Some(EndLink { session, .. }) = site.sessions.find_end_link(tokens).await? else {
        return mail_link::dead(&site, &auth, &DEAD);
    };
    let page = EndDevicePage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(&site, Some(&auth), ""),
        device: device(&session.user_agent),
        address: &session.address,
        since: DisplayTime::new(session.created_at, auth.now()),
        session: session.id.to_string(),
    };
    Ok(without_referrer(render(StatusCode::OK, &page)?))
}

/// `POST /devices/end`: uses the link up, and offers a new password.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, PATH, &client).await?;
    // Another link, opened in another tab since, has taken the place of the cookie.
    let named = form.get("session");
    let found = site.sessions.find_end_link(site.jar.password_reset(request.headers())).await?;
    let found = found.filter(|found| named.is_empty() || named == found.session.id.to_string());
    let Some(found) = found else { return mail_link::dead(&site, &auth, &DEAD) };
    if !site.sessions.end_by_link(found, &client).await? {
        return mail_link::dead(&site, &auth, &DEAD);
    }
    let mut response = without_referrer(see_other("/password-reset"));
    site.jar.clear_password_reset(response.headers_mut());
    Ok(AuthChange::Done(Notice::SignInEnded).attach(response))
}
