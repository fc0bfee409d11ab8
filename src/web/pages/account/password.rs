//! `POST /account/password`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::page::{Filled, page};
use crate::accounts::{self, PasswordChangeOutcome};
use crate::domain::password::Password;
use crate::web::error::WebError;
use crate::web::extract::RecentUser;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::pages::throttled::{Refusal, retry_after};
use crate::web::pages::{Problem, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

/// What a wrong current password is told.
const REFUSED: &str = "That is not your current password";

/// Changes the password.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: RecentUser,
    ClientInfo(client): ClientInfo,
    mut form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let invalid = |problems| {
        page(&site, &auth, &user, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..Filled::default() })
    };
    let problem = |field, message| vec![Problem { field, message }];
    let current = Password::entered(form.take("current_password"));
    let chosen = Password::new(form.take("password"), site.password_min_length);
    let (current, chosen) = match (current, chosen) {
        (Ok(current), Ok(chosen)) => (current, chosen),
        (current, chosen) => {
            let current = current.err().map(|error| ("current_password", error.to_string()));
            let chosen = chosen.err().map(|error| ("password", error.to_string()));
            let problems = current.into_iter().chain(chosen);
            return invalid(problems.map(|(field, message)| Problem { field, message }).collect()).await;
        }
    };
    let (presented, device) = (site.jar.presented(request.headers()), throttle::device(&request, &site, &auth)?);
    let acting = user.acting(&presented, device, &client);
    match accounts::change_password(&site.sessions, acting, current, chosen).await? {
        PasswordChangeOutcome::Done(tokens) => {
            let response = throttle::remember(&site, device, see_other("/account"));
            Ok(AuthChange::Renewed(tokens, Some(Notice::PasswordChanged)).attach(response))
        }
        PasswordChangeOutcome::Refused => invalid(problem("current_password", REFUSED.to_owned())).await,
        PasswordChangeOutcome::WeakPassword(weakness) => invalid(problem("password", weakness.to_string())).await,
        PasswordChangeOutcome::Throttled(throttled) => {
            let Refusal { status, words, at } = Refusal::of(throttled, auth.now());
            let filled = Filled { failure: Some(words), again: at, ..Filled::default() };
            Ok(retry_after(throttled, page(&site, &auth, &user, status, filled).await?))
        }
    }
}
