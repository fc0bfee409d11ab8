//! `/token-details`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::life::Life;
use super::render;
use crate::display::duration::countdown;
use crate::display::time::DisplayTime;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::middleware::Renewal;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "pages/token_details.html")]
struct TokenDetailsPage<'a> {
    layout: Layout<'a>,
    life: Life,
    rows: Vec<TokenRow>,
    nonce: &'a str,
    remaining_seconds: i64,
    remaining: String,
}

struct TokenRow {
    name: &'static str,
    value: TokenValue,
}

enum TokenValue {
    Text(String),
    Time(DisplayTime),
    Remaining,
}

/// `GET /token-details`.
///
/// Where the token is renewed by this very answer, the page already shows the new one: it is issued at this time and
/// with this life; its generation is the one that the rotation leads to.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
) -> Result<HttpResponse, WebError> {
    let (now, times, identity) = (auth.now(), auth.times(), user.identity());
    let access = identity.access();
    let session = site.sessions.row(identity.session()).await?.ok_or(WebError::NotFound)?;
    let generation = Renewal::of(&request).map_or(session.generation, |renewal| renewal.generation);
    let left = (access.expires_at - now).max(time::Duration::ZERO);
    let time = |at| TokenValue::Time(times.past(at));
    let end = |at| TokenValue::Time(times.end(at));
    let text = |text: &dyn std::fmt::Display| TokenValue::Text(text.to_string());
    let mut rows = vec![
        TokenRow { name: "Token Type", value: text(&"Access token (JWT, HS256)") },
        TokenRow { name: "Issued At", value: time(access.issued_at) },
        TokenRow { name: "Expires At", value: end(access.expires_at) },
        TokenRow { name: "Remaining Time", value: TokenValue::Remaining },
        TokenRow { name: "Subject (User ID)", value: text(&user.user().id) },
        TokenRow { name: "Session", value: text(&identity.session()) },
        TokenRow { name: "Generation", value: text(&generation) },
        TokenRow { name: "Sign-in Ends At", value: end(identity.expires_at()) },
    ];
    if identity.is_bound() {
        let meaning = "Yes: the browser proves that it is on this device whenever it renews";
        rows.push(TokenRow { name: "Bound to this device", value: text(&meaning) });
    }
    let page = TokenDetailsPage {
        layout: Layout::new(&site, Some(&auth), "devices").on("/token-details"),
        rows,
        nonce: auth.style_nonce().unwrap_or_default(),
        life: Life::new(&session, generation, left, site.sessions.lifetimes(), &auth),
        remaining_seconds: left.whole_seconds(),
        remaining: countdown(left),
    };
    render(StatusCode::OK, &page)
}
