//! `/`, and the address that password managers open to change a password.

use actix_web::HttpResponse;

use super::see_other;
use crate::web::extract::MaybeUser;

/// `GET /`: to the dashboard, or to the sign-in page.
pub(crate) async fn get(user: MaybeUser) -> HttpResponse {
    see_other(if user.0.is_some() { "/dashboard" } else { "/login" })
}

/// `GET /.well-known/change-password` (W3C, "A Well-Known URL for Changing Passwords"): to the page about the account.
pub(crate) async fn where_to_change_password() -> HttpResponse {
    see_other("/account")
}
