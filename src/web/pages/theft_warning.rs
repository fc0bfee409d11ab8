//! The warning that somebody else may have used one of the user's sign-ins, on every page until they have taken note of it.

use actix_web::{HttpResponse, web};
use time::OffsetDateTime;

use super::{lead_to, see_other};
use crate::display::device::device;
use crate::display::time::{DisplayTime, Times};
use crate::domain::event::Theft;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::forms::SubmittedForm;
use crate::web::local_path::LocalPath;
use crate::web::notice::Notice;
use crate::web::request_auth::AuthChange;
use crate::web::site::Site;

/// A theft in words; the component `theft_warning.html` shows it.
pub(crate) struct TheftWarning {
    pub(crate) at: DisplayTime,
    pub(crate) noticed: i64,
    pub(crate) device: String,
    pub(crate) address: String,
    pub(crate) other_device: String,
    pub(crate) other_address: String,
}

impl TheftWarning {
    /// Describes a theft to its owner.
    pub(crate) fn new(theft: &Theft, times: &Times) -> Self {
        Self {
            at: times.past(theft.at),
            noticed: theft.at.unix_timestamp(),
            device: device(&theft.other_user_agent),
            address: theft.other_address.clone(),
            other_device: device(&theft.user_agent),
            other_address: theft.address.clone(),
        }
    }
}

/// `POST /theft/acknowledge`: the user has taken note, whichever of the two buttons says so.
///
/// The form names the theft that its page showed: one that was noticed since is still to be seen.
pub(crate) async fn acknowledge(
    site: web::Data<Site>,
    user: CurrentUser,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    let shown = form.get("noticed").parse().ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let known = user.identity().theft().map(|theft| theft.at);
    let next = LocalPath::parse(form.get("next"));
    let back = next.as_ref().map_or_else(|| see_other("/dashboard"), |next| lead_to(next.as_str()));
    // Somebody was faster, on another device or with a second click.
    let Some(noticed) = shown.or(known) else { return Ok(back) };
    site.sessions.acknowledge_theft(user.identity(), noticed).await?;
    Ok(AuthChange::Done(Notice::TheftAcknowledged).attach(back))
}
