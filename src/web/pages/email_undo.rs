//! `/email-undo`: the link that a change of address was told with, and the page behind it that undoes the change.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::mail_link::{self, Dead};
use super::{render, see_other, without_referrer};
use crate::accounts::{self, UndoLink};
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

const PATH: &str = "/email-undo";

const DEAD: Dead = Dead {
    lead: "A link to undo a change of address works once, for 7 days. Nothing was changed.",
    advice: "If you have just used it, set a new password now: a link for that goes to the address of the account.",
    choices: &[("/password-reset", "Set a new password"), ("/login", "Sign in")],
};

#[derive(Template)]
#[template(path = "pages/email_undo.html")]
struct EmailUndoPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
}

/// `GET /email-undo/{token}`: moves the token out of the address. Opened any number of times, it spends nothing.
pub(crate) async fn link(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    mail_link::open(&request, &site, &auth, PATH, &DEAD)
}

/// `GET /email-undo`: asks for the button.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    let tokens = site.jar.password_reset(request.headers());
    let Some(UndoLink { email, .. }) = accounts::find_undo(&site.sessions, tokens).await? else {
        return mail_link::dead(&site, &auth, &DEAD);
    };
    let page = EmailUndoPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(&site, Some(&auth), ""),
        email: email.as_str(),
    };
    Ok(without_referrer(render(StatusCode::OK, &page)?))
}

/// `POST /email-undo`: uses the link up, and leads to the form for a new password.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, PATH, &client).await?;
    let named = form.get("email");
    let found = accounts::find_undo(&site.sessions, site.jar.password_reset(request.headers())).await?;
    let found = found.filter(|found| named.is_empty() || named == found.email.as_str());
    let Some(found) = found else { return mail_link::dead(&site, &auth, &DEAD) };
    let Some(reset) = accounts::undo_email_change(&site.sessions, found, &client).await? else {
        return mail_link::dead(&site, &auth, &DEAD);
    };
    let mut response = without_referrer(see_other("/password-reset/new"));
    site.jar.set_password_reset(response.headers_mut(), &reset);
    Ok(AuthChange::Done(Notice::EmailUndone).attach(response))
}
