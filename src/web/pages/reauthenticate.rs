//! `/reauthenticate`: the password again, before something that wants to know that it is still the owner.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::throttled::{Refusal, retry_after};
use super::{Problem, lead_to, render, see_other};
use crate::display::time::DisplayTime;
use crate::domain::password::Password;
use crate::session::ReauthenticationOutcome;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::local_path::LocalPath;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

/// What a wrong password is told.
const REFUSED: &str = "That is not your password.";

#[derive(Template)]
#[template(path = "pages/reauthenticate.html")]
struct ReauthenticatePage<'a> {
    layout: Layout<'a>,
    form_token: &'a str,
    email: &'a str,
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    again: Option<DisplayTime>,
}

/// What the form comes back with.
#[derive(Default)]
struct Filled<'a> {
    next: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
    again: Option<DisplayTime>,
}

/// The query of the page.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    next: Option<String>,
}

/// `GET /reauthenticate`: the form, also where the password was entered just now, since no page knows how recent is recent
/// enough for the one that led here.
pub(crate) async fn get(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let next = query.and_then(|query| LocalPath::parse(query.next.as_deref()?));
    let next = next.as_ref().map_or("", LocalPath::as_str);
    page(&site, &auth, &user, StatusCode::OK, Filled { next, ..Filled::default() })
}

/// `POST /reauthenticate`.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    ClientInfo(client): ClientInfo,
    mut form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let password = Password::entered(form.take("password"));
    let next = LocalPath::parse(form.get("next"));
    let filled = Filled { next: next.as_ref().map_or("", LocalPath::as_str), ..Filled::default() };
    let password = match password {
        Ok(password) => password,
        Err(error) => {
            let problems = vec![Problem { field: "password", message: error.to_string() }];
            return page(&site, &auth, &user, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..filled });
        }
    };
    let (presented, device) = (site.jar.presented(request.headers()), throttle::device(&request, &site, &auth)?);
    let acting = user.acting(&presented, device, &client);
    match site.sessions.reauthenticate(acting, password).await? {
        ReauthenticationOutcome::Done(tokens) => {
            let response = next.as_ref().map_or_else(|| see_other("/account"), |next| lead_to(next.as_str()));
            Ok(AuthChange::Renewed(tokens, None).attach(throttle::remember(&site, device, response)))
        }
        ReauthenticationOutcome::Refused => {
            page(&site, &auth, &user, StatusCode::UNAUTHORIZED, Filled { failure: Some(REFUSED), ..filled })
        }
        ReauthenticationOutcome::Throttled(throttled) => {
            let Refusal { status, words, at } = Refusal::of(throttled, auth.now());
            let filled = Filled { failure: Some(words), again: at, ..filled };
            Ok(retry_after(throttled, page(&site, &auth, &user, status, filled)?))
        }
    }
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    user: &CurrentUser,
    status: StatusCode,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let page = ReauthenticatePage {
        layout: Layout::new(site, Some(auth), "reauthenticate"),
        form_token: site.form_token_of(user.identity()),
        email: &user.user().email,
        next: filled.next,
        problems: filled.problems,
        failure: filled.failure,
        again: filled.again,
    };
    render(status, &page)
}
