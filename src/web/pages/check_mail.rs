//! `/register/check-mail`: a link to confirm the address is on its way, for everybody alike.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::password_reset::ANSWER_AFTER;
use super::{NO_EMAIL, Problem, render, see_other, without_referrer};
use crate::accounts::{self, Registration, UnconfirmedWish};
use crate::domain::mail_token::CONFIRMATION_LIFE;
use crate::domain::password_quality::Weakness;
use crate::domain::user::Email;
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

const PATH: &str = "/register/check-mail";

#[derive(Template)]
#[template(path = "pages/check_mail.html")]
struct CheckMailPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    hours: i64,
    problems: Vec<Problem>,
}

/// Answers a registration whose address is to be confirmed: the same for every address, unless the password is weak.
pub(super) async fn answer(site: &Site, wish: Registration) -> Result<Result<HttpResponse, Weakness>, WebError> {
    let Registration { full_name, email, password, may_be_first, keep, form, device: _ } = wish;
    let wish = UnconfirmedWish { full_name, email, password, may_be_first, keep };
    let prepared = match accounts::prepare_registration(&site.sessions, wish).await? {
        Ok(prepared) => prepared,
        Err(weakness) => return Ok(Err(weakness)),
    };
    let asked = accounts::request_registration(&site.sessions, prepared, form);
    let (asked, ()) = tokio::join!(asked, tokio::time::sleep(ANSWER_AFTER));
    asked?;
    Ok(Ok(without_referrer(see_other(PATH))))
}

/// `GET /register/check-mail`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth) -> Result<HttpResponse, WebError> {
    page(&site, &auth, StatusCode::OK, "", Vec::new())
}

/// `POST /register/check-mail`: sends the link again. The answer is the same for every address.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, PATH, &client).await?;
    let typed = form.get("email");
    let email = match typed.parse::<Email>() {
        Ok(email) => email,
        Err(error) => {
            let message = if typed.trim().is_empty() { NO_EMAIL.to_owned() } else { error.to_string() };
            let problems = vec![Problem { field: "email", message }];
            return page(&site, &auth, StatusCode::UNPROCESSABLE_ENTITY, typed, problems);
        }
    };
    // Whoever is signed in has no registration under way, and mail is for those who have.
    let browser = auth.form().map(|form| form.id).filter(|_| site.confirms_addresses);
    let asked = async {
        match browser {
            Some(browser) => accounts::resend_registration(&site.sessions, email, browser).await,
            None => Ok(()),
        }
    };
    let (asked, ()) = tokio::join!(asked, tokio::time::sleep(ANSWER_AFTER));
    asked?;
    Ok(AuthChange::Done(Notice::LinkSentAgain).attach(without_referrer(see_other(PATH))))
}

fn page(
    site: &Site,
    auth: &RequestAuth,
    status: StatusCode,
    email: &str,
    problems: Vec<Problem>,
) -> Result<HttpResponse, WebError> {
    let page = CheckMailPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(site, Some(auth), ""),
        email,
        hours: CONFIRMATION_LIFE.whole_hours(),
        problems,
    };
    Ok(without_referrer(render(status, &page)?))
}
