//! What every mailed link has in common: opened any number of times it spends nothing, its token leaves the address at
//! once, and one that does not work says so without telling which accounts exist.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::layout::Layout;
use super::{render, see_other, without_referrer};
use crate::domain::mail_token::MailToken;
use crate::web::error::WebError;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// What the page says where a link does not work: used, replaced, too old, garbled, or of an account that is not active.
pub(super) struct Dead {
    /// What such a link is for, and how long it works.
    pub(super) lead: &'static str,
    /// How to get another.
    pub(super) advice: &'static str,
    /// Where to go, and the words for it, the best first.
    pub(super) choices: &'static [(&'static str, &'static str)],
}

#[derive(Template)]
#[template(path = "pages/dead_mail_link.html")]
struct DeadMailLinkPage<'a> {
    layout: Layout<'a>,
    dead: &'a Dead,
}

/// Moves the token of a link into a cookie and leads to the page at `page`; it asks the database nothing.
pub(super) fn open(
    request: &HttpRequest,
    site: &Site,
    auth: &RequestAuth,
    page: &'static str,
    dead: &Dead,
) -> Result<HttpResponse, WebError> {
    let Ok(token) = request.match_info().query("token").parse::<MailToken>() else {
        return self::dead(site, auth, dead);
    };
    let mut response = see_other(page);
    site.jar.set_password_reset(response.headers_mut(), &token);
    Ok(without_referrer(response))
}

/// Answers for a link that does not work.
pub(super) fn dead(site: &Site, auth: &RequestAuth, dead: &Dead) -> Result<HttpResponse, WebError> {
    let page = DeadMailLinkPage { layout: Layout::new(site, Some(auth), ""), dead };
    Ok(without_referrer(render(StatusCode::GONE, &page)?))
}
