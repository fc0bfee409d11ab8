//! `/password-reset`: ask for a link to set a new password.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::{NO_EMAIL, Problem, render, see_other, told, without_referrer};
use crate::accounts;
use crate::domain::mail_token::RESET_LIFE;
use crate::domain::user::Email;
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::form_page::FormPage;
use crate::web::forms::SubmittedForm;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;
use crate::web::throttle;

/// When every request for a mail is answered: whether there was a mail to write takes some milliseconds more or less, and
/// nobody who counts them may learn from that which accounts exist.
///
/// Long enough for every database that is well, too short to be felt as waiting. It holds no thread.
pub(super) const ANSWER_AFTER: Duration = Duration::from_millis(250);

#[derive(Template)]
#[template(path = "pages/password_reset.html")]
struct PasswordResetPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    minutes: i64,
    problems: Vec<Problem>,
}

#[derive(Template)]
#[template(path = "pages/password_reset_sent.html")]
struct SentPage<'a> {
    layout: Layout<'a>,
    minutes: i64,
}

/// `GET /password-reset`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth) -> Result<HttpResponse, WebError> {
    page(&site, &auth, StatusCode::OK, "", Vec::new())
}

/// `POST /password-reset`: the answer is the same whether the address has an account.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, "/password-reset", &client).await?;
    let typed = form.get("email");
    let email = match typed.parse::<Email>() {
        Ok(email) => email,
        Err(error) => {
            let message = if typed.trim().is_empty() { NO_EMAIL.to_owned() } else { error.to_string() };
            let problems = vec![Problem { field: "email", message }];
            return page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, typed, problems);
        }
    };
    let asked = accounts::request_reset(&site.sessions, email, &client);
    let (asked, ()) = tokio::join!(asked, tokio::time::sleep(ANSWER_AFTER));
    asked?;
    Ok(without_referrer(see_other("/password-reset/check-mail")))
}

/// `GET /password-reset/check-mail`: what to do now, for everybody alike.
pub(crate) async fn sent(site: web::Data<Site>, auth: RequestAuth) -> Result<HttpResponse, WebError> {
    let page = SentPage { layout: Layout::new(&site, Some(&auth), ""), minutes: RESET_LIFE.whole_minutes() };
    Ok(without_referrer(render(StatusCode::OK, &page)?))
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    status: StatusCode,
    email: &str,
    problems: Vec<Problem>,
) -> Result<HttpResponse, WebError> {
    let page = PasswordResetPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(site, Some(auth), ""),
        email,
        minutes: RESET_LIFE.whole_minutes(),
        problems,
    };
    let response = match &site.choices.pages.password_reset {
        Some(maker) => page.form().answer(maker, status),
        None => render(status, &page)?,
    };
    Ok(without_referrer(response))
}

impl PasswordResetPage<'_> {
    /// Returns what a page of the application's shows instead.
    fn form(&self) -> FormPage<'_> {
        FormPage {
            action: format!("{}/password-reset", self.layout.base),
            form_token: &self.form_token,
            hidden: Vec::new(),
            values: vec![("email", self.email)],
            problems: told(&self.problems),
            message: None,
            notices: self.layout.notices(),
        }
    }
}
