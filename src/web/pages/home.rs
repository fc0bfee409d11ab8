//! `/`, and the address that password managers open to change a password.

use actix_web::HttpResponse;

use super::{lead_to, see_other};
use crate::web::extract::MaybeUser;
use crate::web::request_auth::RequestAuth;

/// `GET /`: to the dashboard, or to the sign-in page.
pub(crate) async fn get(user: MaybeUser, auth: RequestAuth) -> HttpResponse {
    // This page cannot lead to itself; where an application has a page of its own here, this is never reached.
    let (here, home) = (auth.site().at("/"), auth.site().after_sign_in(None));
    // Where only a proof is missing, the dashboard leads to the page that waits for it.
    let is_in = user.0.is_some() || auth.authenticated().unproven.is_some();
    match is_in {
        true if home == here => see_other("/dashboard"),
        true => lead_to(home),
        false => see_other("/login"),
    }
}

/// `GET /.well-known/change-password` (W3C, "A Well-Known URL for Changing Passwords"): to the page about the account.
pub(crate) async fn where_to_change_password() -> HttpResponse {
    see_other("/account")
}
