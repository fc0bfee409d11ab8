//! `POST /account/name`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::page::{Filled, page};
use crate::accounts;
use crate::domain::user::FullName;
use crate::web::error::WebError;
use crate::web::extract::RecentUser;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::pages::{Problem, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

/// Changes the name.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: RecentUser,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let typed = form.get("full_name");
    match typed.parse::<FullName>() {
        Ok(full_name) => {
            accounts::change_name(&site.sessions, user.identity(), full_name).await?;
            Ok(AuthChange::Done(Notice::NameChanged).attach(see_other("/account")))
        }
        Err(error) => {
            let problems = vec![Problem { field: "full_name", message: error.to_string() }];
            let filled = Filled { full_name: Some(typed), problems, ..Filled::default() };
            page(&site, &auth, &user, StatusCode::UNPROCESSABLE_ENTITY, filled).await
        }
    }
}
