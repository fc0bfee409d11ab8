//! `/admin/invitations`: an account for somebody, who sets its password by a mailed link.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::accounts::{self, Invited};
use crate::display::duration::exactly;
use crate::domain::mail_token::RESET_LIFE;
use crate::domain::user::{Email, FullName, Role};
use crate::web::admin_notice::AdminNotice;
use crate::web::error::WebError;
use crate::web::extract::{AdminForm, CurrentUser, RecentAdmin};
use crate::web::notice::Notice;
use crate::web::pages::{Layout, Problem, render, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "admin/invitations.html")]
struct InvitationsPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    form_token: &'a str,
    registration_open: bool,
    life: String,
    full_name: &'a str,
    email: &'a str,
    role: &'a str,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
}

/// What was typed.
#[derive(Default)]
struct Filled<'a> {
    full_name: &'a str,
    email: &'a str,
    role: &'a str,
    problems: Vec<Problem>,
}

/// `GET /admin/invitations`.
pub(crate) async fn get(
    site: web::Data<Site>,
    auth: RequestAuth,
    admin: RecentAdmin,
) -> Result<HttpResponse, WebError> {
    let user = Role::USER;
    let filled = Filled { role: user.as_str(), ..Filled::default() };
    page(&site, &auth, &admin, StatusCode::OK, filled)
}

/// `POST /admin/invitations`.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    AdminForm { admin, form }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let mut filled = Filled {
        full_name: form.get("full_name"),
        email: form.get("email"),
        role: form.get("role").trim(),
        problems: Vec::new(),
    };
    let mut problem = |field, message: String| filled.problems.push(Problem { field, message });
    let full_name = form.get("full_name").parse::<FullName>().map_err(|error| problem("full_name", error.to_string()));
    let email = form.get("email").parse::<Email>().map_err(|error| problem("email", error.to_string()));
    let role = form.get("role").trim().parse::<Role>().map_err(|error| problem("role", error.to_string()));
    let (Ok(full_name), Ok(email), Ok(role)) = (full_name, email, role) else {
        return page(&site, &auth, &admin, StatusCode::UNPROCESSABLE_ENTITY, filled);
    };
    match accounts::invite(&site.sessions, admin.identity(), email, full_name, role).await? {
        Invited::User(user) => {
            let response = see_other(&format!("/admin/users/{user}"));
            Ok(AuthChange::Done(Notice::Administered(AdminNotice::Invited)).attach(response))
        }
        Invited::EmailTaken => {
            filled.problems.push(Problem { field: "email", message: "This address has an account already".to_owned() });
            page(&site, &auth, &admin, StatusCode::UNPROCESSABLE_ENTITY, filled)
        }
        Invited::NotAllowed => Err(WebError::NotFound),
    }
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    admin: &CurrentUser,
    status: StatusCode,
    filled: Filled<'_>,
) -> Result<HttpResponse, WebError> {
    let page = InvitationsPage {
        layout: Layout::new(site, Some(auth), "admin").on("/admin/invitations"),
        section: "invitations",
        form_token: site.form_token_of(admin.identity()),
        registration_open: site.registration_open,
        life: exactly(RESET_LIFE),
        full_name: filled.full_name,
        email: filled.email,
        role: filled.role,
        problems: filled.problems,
        failure: None,
    };
    render(status, &page)
}
