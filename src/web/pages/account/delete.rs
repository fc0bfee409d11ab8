//! `/account/delete`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::accounts::{self, DeletionOutcome};
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::extract::{CurrentUser, RecentUser};
use crate::web::forms::SubmittedForm;
use crate::web::pages::layout::Layout;
use crate::web::pages::logout::clearing_cache;
use crate::web::pages::{Problem, render, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

/// What is missing where the box was not checked.
const NOT_CONFIRMED: &str = "Check the box to say that you mean it";

/// Why the last administrator stays.
const LAST_ADMINISTRATOR: &str = "You are the only administrator, and other people have accounts here. \
                                  Make somebody else an administrator first.";

#[derive(Template)]
#[template(path = "pages/delete_account.html")]
struct DeleteAccountPage<'a> {
    layout: Layout<'a>,
    form_token: &'a str,
    email: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
}

/// `GET /account/delete`: says what it does, and asks.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth, user: RecentUser) -> Result<HttpResponse, WebError> {
    page(&site, &auth, &user, StatusCode::OK, Vec::new(), None)
}

/// `POST /account/delete`.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: RecentUser,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    if !form.is_checked("confirm") {
        let problems = vec![Problem { field: "confirm", message: NOT_CONFIRMED.to_owned() }];
        return page(&site, &auth, &user, refused, problems, None);
    }
    match accounts::delete_account(&site.sessions, user.identity(), &client).await? {
        DeletionOutcome::Deleted => Ok(AuthChange::AccountDeleted.attach(clearing_cache(see_other("/login")))),
        DeletionOutcome::LastAdmin => page(&site, &auth, &user, refused, Vec::new(), Some(LAST_ADMINISTRATOR)),
    }
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    user: &CurrentUser,
    status: StatusCode,
    problems: Vec<Problem>,
    failure: Option<&str>,
) -> Result<HttpResponse, WebError> {
    let page = DeleteAccountPage {
        layout: Layout::new(site, Some(auth), "account"),
        form_token: site.form_token_of(user.identity()),
        email: &user.user().email,
        problems,
        failure,
    };
    render(status, &page)
}
