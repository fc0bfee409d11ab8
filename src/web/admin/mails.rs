//! `/admin/mails`: mail that waits, and mail that a mail server refused.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::read;
use crate::display::time::{DisplayTime, Times};
use crate::domain::event::Window;
use crate::store::operator::{WaitingMail, mails_within};
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Mails on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "admin/mails.html")]
struct MailsPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    mails: Vec<MailRow>,
    older: Option<String>,
}

/// One mail in words; what it says is nothing for anybody but its recipient.
struct MailRow {
    id: i64,
    recipient: String,
    subject: String,
    since: DisplayTime,
    until: DisplayTime,
    next: Option<DisplayTime>,
    attempts: i64,
    refusal: Option<String>,
}

impl MailRow {
    fn new(mail: WaitingMail, times: &Times) -> Self {
        Self {
            id: mail.id,
            recipient: mail.recipient,
            subject: mail.subject,
            since: times.past(mail.created_at),
            until: times.end(mail.expires_at),
            next: mail.due_at.map(|at| times.end(at)),
            attempts: mail.attempts,
            refusal: mail.refusal,
        }
    }
}

/// Which part of the list is asked for.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Query {
    before: Option<i64>,
}

/// `GET /admin/mails`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    _admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let window = query.and_then(|query| query.before).map_or(Window::Newest, Window::Before);
    let mut found = read(&site, move |rows| mails_within(rows, window, PAGE as i64 + 1)).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let here = request.uri().path_and_query().map_or("/admin/mails", |here| here.as_str());
    let times = auth.times();
    let page = MailsPage {
        layout: Layout::new(&site, Some(&auth), "admin").at(here),
        section: "mails",
        older: found.last().filter(|_| more).map(|mail| format!("/admin/mails?before={}", mail.id)),
        mails: found.into_iter().map(|mail| MailRow::new(mail, &times)).collect(),
    };
    render(StatusCode::OK, &page)
}
