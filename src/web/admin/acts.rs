//! What an administrator does to one account: `POST /admin/users/{id}/…`, and the pages that ask before.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::read;
use super::sign_in_row::SignInRow;
use super::user::{Filled, named, page};
use crate::accounts::{self, Operated};
use crate::domain::id::{SessionId, UserId};
use crate::domain::user::Role;
use crate::store::operator::account;
use crate::store::sessions;
use crate::web::admin_notice::AdminNotice;
use crate::web::error::WebError;
use crate::web::extract::{AdminForm, RecentAdmin};
use crate::web::notice::Notice;
use crate::web::pages::{Layout, Problem, render, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

const LAST_ADMINISTRATOR: &str = "This is the last active administrator, so nothing was changed: nobody could open these \
                                  pages any more. Make somebody else an administrator first.";

const ONESELF: &str = "This is your own account, and you would lock yourself out, so nothing was changed. Another \
                       administrator can do it for you.";

const OWN_SIGN_IN: &str = "This is the sign-in you are using now, so nothing was changed. To end it, sign out.";

const DEACTIVATED: &str =
    "The account is deactivated, so a link would open nothing and none was sent. Activate it first.";

const NO_ADDRESS: &str = "No mail can be sent to the address of this account, so nothing was changed.";

/// What every act needs.
struct Act<'a> {
    site: &'a Site,
    auth: &'a RequestAuth,
    admin: &'a RecentAdmin,
    user: UserId,
}

impl Act<'_> {
    /// Answers with what came of it: on the page of the account, or by the reason why nothing did.
    async fn answer(
        &self,
        operated: Operated,
        oneself: &str,
        done: impl FnOnce(usize) -> AdminNotice,
    ) -> Result<HttpResponse, WebError> {
        let failure = match operated {
            Operated::Done { ended } => return Ok(self.back(done(ended))),
            Operated::Unchanged => return Ok(self.back(AdminNotice::Unchanged)),
            Operated::NotFound | Operated::NotAllowed => return Err(WebError::NotFound),
            Operated::LastAdmin => LAST_ADMINISTRATOR,
            Operated::Oneself => oneself,
            Operated::Deactivated => DEACTIVATED,
            Operated::NoAddress => NO_ADDRESS,
        };
        let filled = Filled { failure: Some(failure), ..Filled::default() };
        page(self.site, self.auth, self.admin, self.user, StatusCode::UNPROCESSABLE_ENTITY, filled).await
    }

    fn back(&self, notice: AdminNotice) -> HttpResponse {
        AuthChange::Done(Notice::Administered(notice)).attach(see_other(&format!("/admin/users/{}", self.user)))
    }
}

/// `POST /admin/users/{id}/deactivate`.
pub(crate) async fn deactivate(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, .. }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let operated = accounts::deactivate_user(&site.sessions, admin.identity(), act.user).await?;
    act.answer(operated, ONESELF, |ended| AdminNotice::Deactivated { ended }).await
}

/// `POST /admin/users/{id}/activate`.
pub(crate) async fn activate(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, .. }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let operated = accounts::activate_user(&site.sessions, admin.identity(), act.user).await?;
    act.answer(operated, ONESELF, |_| AdminNotice::Activated).await
}

/// `POST /admin/users/{id}/unlock`.
pub(crate) async fn unlock(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, .. }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let operated = accounts::unlock_user(&site.sessions, admin.identity(), act.user).await?;
    act.answer(operated, ONESELF, |_| AdminNotice::Unlocked).await
}

/// `POST /admin/users/{id}/revoke`: ends every sign-in of the account, or the one that the field `session` names.
pub(crate) async fn revoke(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, form }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let one = match form.get("session") {
        "" => None,
        named => Some(named.parse::<SessionId>().map_err(|_| WebError::NotFound)?),
    };
    let operated = accounts::end_sign_ins(&site.sessions, admin.identity(), act.user, one).await?;
    act.answer(operated, OWN_SIGN_IN, |ended| AdminNotice::Revoked { ended }).await
}

/// `POST /admin/users/{id}/reset-link`.
pub(crate) async fn reset_link(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, .. }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let operated = accounts::mail_reset_link(&site.sessions, admin.identity(), act.user).await?;
    act.answer(operated, ONESELF, |_| AdminNotice::LinkMailed).await
}

/// `POST /admin/users/{id}/role`.
pub(crate) async fn role(
    site: web::Data<Site>,
    auth: RequestAuth,
    id: web::Path<String>,
    AdminForm { admin, form }: AdminForm,
) -> Result<HttpResponse, WebError> {
    let act = Act { site: &site, auth: &auth, admin: &admin, user: named(&id)? };
    let typed = form.get("role");
    let role = match typed.trim().parse::<Role>() {
        Ok(role) => role,
        Err(error) => {
            let problems = vec![Problem { field: "role", message: error.to_string() }];
            let filled = Filled { role: Some(typed), problems, ..Filled::default() };
            return page(&site, &auth, &admin, act.user, StatusCode::UNPROCESSABLE_ENTITY, filled).await;
        }
    };
    let operated = accounts::set_user_role(&site.sessions, admin.identity(), act.user, role).await?;
    act.answer(operated, ONESELF, |_| AdminNotice::RoleGiven).await
}

#[derive(Template)]
#[template(path = "admin/ask.html")]
struct AskPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    form_token: &'a str,
    id: i64,
    email: String,
    act: &'static str,
    question: String,
    /// The one sign-in that is asked about.
    sign_in: Option<SignInRow>,
    consequence: &'static str,
    button: &'static str,
}

/// What is asked before an act.
struct Question {
    act: &'static str,
    asks: fn(&str) -> String,
    consequence: &'static str,
    button: &'static str,
}

/// `GET /admin/users/{id}/deactivate`: asks, where the browser cannot open a dialog without a script.
pub(crate) async fn ask_to_deactivate(
    site: web::Data<Site>,
    auth: RequestAuth,
    admin: RecentAdmin,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let question = Question {
        act: "deactivate",
        asks: |email| format!("Deactivate {email}?"),
        consequence: "Every device is signed out within a second, and nobody can sign in until you activate the account.",
        button: "Deactivate",
    };
    ask(&site, &auth, &admin, named(&id)?, None, &question).await
}

/// Which sign-in is asked about; all of the account where none is named.
#[derive(serde::Deserialize)]
pub(crate) struct Asked {
    session: Option<String>,
}

/// `GET /admin/users/{id}/revoke`: asks, where the browser cannot open a dialog without a script.
pub(crate) async fn ask_to_revoke(
    site: web::Data<Site>,
    auth: RequestAuth,
    admin: RecentAdmin,
    id: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, WebError> {
    let user = named(&id)?;
    let Some(session) = asked.into_inner().session else {
        let question = Question {
            act: "revoke",
            asks: |email| format!("End every sign-in of {email}?"),
            consequence: "Every device is signed out within a second, and has to enter the password again.",
            button: "End them",
        };
        return ask(&site, &auth, &admin, user, None, &question).await;
    };
    let session = session.parse::<SessionId>().map_err(|_| WebError::NotFound)?;
    let found = read(&site, move |rows| sessions::find(rows, session)).await?;
    let found = found.filter(|session| session.user_id == user).ok_or(WebError::NotFound)?;
    let question = Question {
        act: "revoke",
        asks: |device| format!("End the sign-in on {device}?"),
        consequence: "It is signed out within a second, and has to enter the password again.",
        button: "End it",
    };
    let row = SignInRow::new(&found, &auth.times(), admin.identity().session());
    ask(&site, &auth, &admin, user, Some(row), &question).await
}

async fn ask(
    site: &Site,
    auth: &RequestAuth,
    admin: &RecentAdmin,
    user: UserId,
    sign_in: Option<SignInRow>,
    question: &Question,
) -> Result<HttpResponse, WebError> {
    let found = read(site, move |rows| account(rows, user)).await?.ok_or(WebError::NotFound)?;
    let email: String = found.user.email.into();
    let about = sign_in.as_ref().map_or(email.as_str(), |sign_in| sign_in.device.as_str());
    let page = AskPage {
        layout: Layout::new(site, Some(auth), "admin"),
        section: "users",
        form_token: site.form_token_of(admin.identity()),
        id: user.0,
        act: question.act,
        question: (question.asks)(about),
        email,
        sign_in,
        consequence: question.consequence,
        button: question.button,
    };
    render(StatusCode::OK, &page)
}
