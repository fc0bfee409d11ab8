//! `/admin/users`: every account, the newest first, and the search for one.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use form_urlencoded::Serializer;

use super::read;
use crate::display::time::{DisplayTime, Times};
use crate::domain::event::Window;
use crate::domain::user::Role;
use crate::store::operator::{Account, accounts_beginning, accounts_containing, accounts_within};
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Accounts on a page.
const PAGE: usize = 50;

/// Accounts that begin with what is searched for, above the others: whoever sees more types another letter.
const BEGINNING: usize = 10;

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    search: &'a str,
    /// Those that begin with what is searched for, on the first page of a search whose others are not all there.
    beginning: Vec<UserRow>,
    users: Vec<UserRow>,
    newer: Option<String>,
    older: Option<String>,
}

/// One account in words.
struct UserRow {
    id: i64,
    name: String,
    email: String,
    role: Option<String>,
    is_active: bool,
    created: DisplayTime,
    last_sign_in: Option<DisplayTime>,
}

impl UserRow {
    fn new(account: Account, times: &Times) -> Self {
        let user = account.user;
        Self {
            id: user.id.0,
            name: user.full_name.into(),
            email: user.email.into(),
            role: (user.role != Role::USER).then(|| user.role.as_str().to_owned()),
            is_active: user.is_active,
            created: times.past(account.created_at),
            last_sign_in: user.last_login_at.map(|at| times.past(at)),
        }
    }
}

/// Which part of the list is asked for.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Query {
    before: Option<i64>,
    after: Option<i64>,
    #[serde(default)]
    search: String,
}

/// `GET /admin/users`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    _admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let query = query.map(web::Query::into_inner).unwrap_or_default();
    let search = query.search.trim();
    let times = auth.times();
    let here = request.uri().path_and_query().map_or("/admin/users", |here| here.as_str());
    let layout = Layout::new(&site, Some(&auth), "admin").at(here);
    let page = if search.is_empty() {
        let window = match query {
            Query { after: Some(id), .. } => Window::After(id),
            Query { before: Some(id), .. } => Window::Before(id),
            _ => Window::Newest,
        };
        let mut found = read(&site, move |rows| accounts_within(rows, window, PAGE as i64 + 1)).await?;
        let more = found.len() > PAGE;
        let forwards = matches!(window, Window::After(_));
        if more && forwards {
            found.remove(0);
        }
        found.truncate(PAGE);
        let newest = found.first().map(|account| account.user.id.0);
        let oldest = found.last().map(|account| account.user.id.0);
        UsersPage {
            layout,
            section: "users",
            search,
            beginning: Vec::new(),
            users: found.into_iter().map(|account| UserRow::new(account, &times)).collect(),
            newer: newest.filter(|_| if forwards { more } else { matches!(window, Window::Before(_)) }).map(after),
            older: oldest.filter(|_| forwards || more).map(|id| before("", id)),
        }
    } else {
        let (text, from) = (search.to_owned(), query.before);
        let (beginning, found) = read(&site, move |rows| {
            let found = accounts_containing(rows, &text, from, PAGE)?;
            // Where everybody was looked through, those are among the found.
            let begins = if from.is_none() && found.reached.is_some() {
                accounts_beginning(rows, &text, BEGINNING)?
            } else {
                Vec::new()
            };
            Ok((begins, found))
        })
        .await?;
        UsersPage {
            beginning: beginning.into_iter().map(|account| UserRow::new(account, &times)).collect(),
            layout,
            section: "users",
            search,
            users: found.accounts.into_iter().map(|account| UserRow::new(account, &times)).collect(),
            newer: None,
            older: found.reached.map(|id| before(search, id)),
        }
    };
    render(StatusCode::OK, &page)
}

fn after(id: i64) -> String {
    format!("/admin/users?after={id}")
}

fn before(search: &str, id: i64) -> String {
    let mut query = Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("search", search);
    }
    query.append_pair("before", &id.to_string());
    format!("/admin/users?{}", query.finish())
}
