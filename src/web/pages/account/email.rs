//! `POST /account/email`, and giving up the change that it asked for.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::page::{Filled, page};
use crate::accounts;
use crate::domain::user::Email;
use crate::web::error::WebError;
use crate::web::extract::RecentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::pages::password_reset::ANSWER_AFTER;
use crate::web::pages::{NO_EMAIL, Problem, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

/// Sends a link to the new address. The answer is the same whether that address has an account.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: RecentUser,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, "/account/email", &client).await?;
    let typed = form.get("email");
    let email = match typed.parse::<Email>() {
        Ok(email) if email.as_str() != &*user.user().email.to_ascii_lowercase() => Ok(email),
        Ok(_) => Err("This is your email address already".to_owned()),
        Err(_) if typed.trim().is_empty() => Err(NO_EMAIL.to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let email = match email {
        Ok(email) => email,
        Err(message) => {
            let problems = vec![Problem { field: "email", message }];
            let filled = Filled { email: Some(typed), problems, ..Filled::default() };
            return page(&site, &auth, &user, StatusCode::UNPROCESSABLE_ENTITY, filled).await;
        }
    };
    let asked = accounts::request_email_change(&site.sessions, user.identity(), email);
    let (asked, ()) = tokio::join!(asked, tokio::time::sleep(ANSWER_AFTER));
    asked?;
    Ok(AuthChange::Done(Notice::ConfirmEmail).attach(see_other("/account")))
}

/// `POST /account/email/cancel`: gives up the change under way.
pub(crate) async fn cancel(
    site: web::Data<Site>,
    user: RecentUser,
    _form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    accounts::cancel_email_change(&site.sessions, user.identity()).await?;
    Ok(AuthChange::Done(Notice::EmailChangeCancelled).attach(see_other("/account")))
}
