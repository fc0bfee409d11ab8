//! `POST /account/time-zone`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::page::{Filled, page};
use crate::accounts;
use crate::domain::time_zone::TimeZone;
use crate::web::error::WebError;
use crate::web::extract::RecentUser;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::pages::{Problem, see_other};
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;

/// Changes the time zone.
pub(crate) async fn post(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: RecentUser,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let chosen = form.get("time_zone");
    let zone = if chosen.is_empty() { Ok(None) } else { chosen.parse::<TimeZone>().map(Some) };
    match zone {
        Ok(zone) => {
            accounts::change_time_zone(&site.sessions, user.identity(), zone).await?;
            Ok(AuthChange::Done(Notice::TimeZoneChanged).attach(see_other("/account")))
        }
        Err(error) => {
            let problems = vec![Problem { field: "time_zone", message: error.to_string() }];
            page(&site, &auth, &user, StatusCode::UNPROCESSABLE_ENTITY, Filled { problems, ..Filled::default() }).await
        }
    }
}
