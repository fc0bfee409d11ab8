//! A mailed link, and the page behind it: set a new password.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::{Problem, render, see_other, without_referrer};
use crate::accounts::{self, LiveLink, ResetOutcome};
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::domain::password::Password;
use crate::domain::user::User;
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "pages/new_password.html")]
struct NewPasswordPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    minimum: usize,
    problems: Vec<Problem>,
}

#[derive(Template)]
#[template(path = "pages/dead_link.html")]
struct DeadLinkPage<'a> {
    layout: Layout<'a>,
    minutes: i64,
}

/// `GET /password-reset/{token}`: moves the token out of the address, and asks the database nothing. Opened any number of
/// times, by whatever scans mail, it spends nothing.
pub(crate) async fn link(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    let Ok(token) = request.match_info().query("token").parse::<MailToken>() else {
        return dead(&site, &auth);
    };
    let mut response = see_other("/password-reset/new");
    site.jar.set_password_reset(response.headers_mut(), &token);
    Ok(without_referrer(response))
}

/// `GET /password-reset/new`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    match live_link(&request, &site).await? {
        Some(link) => page(&site, &auth, StatusCode::OK, &link.user, Vec::new()),
        None => dead(&site, &auth),
    }
}

/// `POST /password-reset/new`: uses the link up.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    mut form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    // Before anything is hashed. A link of another account, opened in another tab since, has taken the place of the cookie:
    // nobody's password is set but that of the account that the form named.
    let named = form.get("email");
    let link = live_link(&request, &site).await?.filter(|link| named.is_empty() || named == &*link.user.email);
    let Some(link) = link else { return dead(&site, &auth) };
    let password = match Password::new(form.take("password"), site.password_min_length) {
        Ok(password) => password,
        Err(error) => {
            let problems = vec![Problem { field: "password", message: error.to_string() }];
            return page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, &link.user, problems);
        }
    };
    let user = link.user.clone();
    match accounts::reset_password(&site.sessions, link, password, &client).await? {
        ResetOutcome::Done => {
            let mut response = without_referrer(see_other("/login"));
            site.jar.clear_password_reset(response.headers_mut());
            Ok(AuthChange::Done(Notice::PasswordReset).attach(response))
        }
        ResetOutcome::WeakPassword(weakness) => {
            let problems = vec![Problem { field: "password", message: weakness.to_string() }];
            page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, &user, problems)
        }
        ResetOutcome::DeadLink => dead(&site, &auth),
    }
}

async fn live_link(request: &HttpRequest, site: &Site) -> Result<Option<LiveLink>, WebError> {
    Ok(accounts::find_link(&site.sessions, site.jar.password_reset(request.headers())).await?)
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    status: StatusCode,
    user: &User,
    problems: Vec<Problem>,
) -> Result<HttpResponse, WebError> {
    let page = NewPasswordPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(site, Some(auth), ""),
        email: &user.email,
        minimum: site.password_min_length,
        problems,
    };
    Ok(without_referrer(render(status, &page)?))
}

/// Answers for every link that does not work alike: used, replaced, too old, garbled, or of an account that is not active.
fn dead(site: &Site, auth: &RequestAuth) -> Result<HttpResponse, WebError> {
    let page = DeadLinkPage { layout: Layout::new(site, Some(auth), ""), minutes: RESET_LIFE.whole_minutes() };
    Ok(without_referrer(render(StatusCode::GONE, &page)?))
}
