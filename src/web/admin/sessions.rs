//! `/admin/sessions`: every sign-in that is alive, those that began last first.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::read;
use super::sign_in_row::SignInRow;
use crate::domain::id::SessionId;
use crate::store::operator::sessions_before;
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, opens_dialogs, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Sign-ins on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "admin/sessions.html")]
struct SessionsPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    form_token: &'a str,
    /// Whether the browser may know how to open a dialog.
    dialogs: bool,
    sessions: Vec<SignInRow>,
    older: Option<String>,
}

/// Which part of the list is asked for.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Query {
    before: Option<String>,
}

/// `GET /admin/sessions`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let before = query.and_then(|query| query.into_inner().before);
    // What is no name of a sign-in is not asked for.
    let before = before.filter(|id| id.parse::<SessionId>().is_ok());
    let (lifetimes, now, times) = (*site.sessions.lifetimes(), auth.now(), auth.times());
    let found = read(&site, move |rows| sessions_before(rows, before, &lifetimes, now, PAGE)).await?;
    let here = request.uri().path_and_query().map_or("/admin/sessions", |here| here.as_str());
    let own = admin.identity().session();
    let page = SessionsPage {
        layout: Layout::new(&site, Some(&auth), "admin").at(here),
        section: "sessions",
        form_token: site.form_token_of(admin.identity()),
        dialogs: opens_dialogs(request.headers()),
        sessions: found
            .sessions
            .into_iter()
            .map(|(session, email)| SignInRow::new(&session, &times, own).of(email))
            .collect(),
        older: found.reached.map(|id| format!("/admin/sessions?before={id}")),
    };
    render(StatusCode::OK, &page)
}
