//! `/admin/events`: the audit trail of everybody, the newest first.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use form_urlencoded::Serializer;
use time::format_description::well_known::Iso8601;
use time::{Date, Duration};

use super::event_row::EventRow;
use super::read;
use crate::domain::user::Email;
use crate::store::operator::{EventFilter, Place, events_before};
use crate::store::{Connection, StoreError, users};
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, Problem, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Events on a page.
const PAGE: i64 = 50;

/// The kinds that the form offers; the field takes any other as well.
const KINDS: [&str; 19] = [
    "signed_in",
    "sign_in_failed",
    "auto_signed_in",
    "signed_out",
    "session_revoked",
    "refresh_token_replayed",
    "account_locked",
    "account_unlocked",
    "registered",
    "password_changed",
    "password_reset_requested",
    "password_reset",
    "email_changed",
    "email_verified",
    "user_deactivated",
    "user_activated",
    "role_changed",
    "user_deleted",
    "signing_key_added",
];

#[derive(Template)]
#[template(path = "admin/events.html")]
struct EventsPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    asked: &'a Query,
    /// Whether anything was chosen: the form lies open then.
    is_filtered: bool,
    kinds: &'a [&'static str],
    events: Vec<EventRow>,
    older: Option<String>,
    csv: String,
    json_lines: String,
    problems: Vec<Problem>,
    failure: Option<&'a str>,
}

/// Which events are asked for, as the fields of the form have it.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Query {
    /// The number or the address of an account.
    #[serde(default)]
    user: String,
    /// A kind.
    #[serde(default, rename = "type")]
    kind: String,
    /// The first day, such as `2026-11-22`.
    #[serde(default)]
    from: String,
    /// The last day.
    #[serde(default)]
    to: String,
    /// The event behind which the page begins: its time and its number.
    #[serde(default)]
    before: String,
}

impl Query {
    /// Finds out what is meant.
    fn understand(&self) -> Result<Meant, Vec<Problem>> {
        let mut problems = Vec::new();
        let user = match self.user.trim() {
            "" => None,
            named if named.parse::<i64>().is_ok() || named.parse::<Email>().is_ok() => Some(named.to_owned()),
            _ => {
                let message = "Enter the number of an account, or its whole email address".to_owned();
                problems.push(Problem { field: "user", message });
                None
            }
        };
        let mut day = |field, text: &str| {
            let parsed = Date::parse(text.trim(), &Iso8601::DATE);
            if parsed.is_err() && !text.trim().is_empty() {
                problems.push(Problem { field, message: "Enter a day such as 2026-11-22".to_owned() });
            }
            parsed.ok()
        };
        let (from, to) = (day("from", &self.from), day("to", &self.to));
        let filter = EventFilter {
            user: None,
            kind: Some(self.kind.trim().to_owned()).filter(|kind| !kind.is_empty()),
            from: from.map(|day| day.midnight().assume_utc().unix_timestamp()),
            until: to.map(|day| (day.midnight().assume_utc() + Duration::DAY).unix_timestamp()),
        };
        if problems.is_empty() { Ok(Meant { user, filter, place: self.place() }) } else { Err(problems) }
    }

    fn place(&self) -> Option<Place> {
        let (at, id) = self.before.split_once('.')?;
        Some(Place { at: at.parse().ok()?, id: id.parse().ok()? })
    }

    /// Writes the same question for another page, and from another place on.
    fn address(&self, path: &str, place: Option<Place>) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [("user", &self.user), ("type", &self.kind), ("from", &self.from), ("to", &self.to)] {
            if !value.trim().is_empty() {
                query.append_pair(name, value.trim());
            }
        }
        if let Some(Place { at, id }) = place {
            query.append_pair("before", &format!("{at}.{id}"));
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Meant {
    user: Option<String>,
    filter: EventFilter,
    place: Option<Place>,
}

impl Meant {
    /// Returns the filter, with the number of the account; nothing where there is none.
    pub(super) fn filter(self, connection: &mut Connection) -> Result<Option<EventFilter>, StoreError> {
        let Some(named) = self.user else { return Ok(Some(self.filter)) };
        let found = users::find_named(connection, &named)?;
        Ok(found.map(|user| EventFilter { user: Some(user.id), ..self.filter }))
    }
}

/// Reads the question of a request.
///
/// # Errors
/// What is wrong with which field.
pub(super) fn understand(query: &Query) -> Result<Meant, Vec<Problem>> {
    query.understand()
}

/// `GET /admin/events`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    _admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let asked = query.map(web::Query::into_inner).unwrap_or_default();
    let (meant, problems) = match asked.understand() {
        Ok(meant) => (Some(meant), Vec::new()),
        Err(problems) => (None, problems),
    };
    let found = match meant {
        None => None,
        Some(meant) => {
            let place = meant.place;
            read(&site, move |rows| {
                let Some(filter) = meant.filter(rows)? else { return Ok(None) };
                events_before(rows, &filter, place, PAGE).map(Some)
            })
            .await?
        }
    };
    let failure = (found.is_none() && problems.is_empty()).then_some("There is no such account.");
    let (events, reached) = found.map_or((Vec::new(), None), |page| (page.events, page.reached));
    let here = request.uri().path_and_query().map_or("/admin/events", |here| here.as_str());
    let times = auth.times();
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = EventsPage {
        layout: Layout::new(&site, Some(&auth), "admin").at(here),
        section: "events",
        kinds: &KINDS,
        events: events.into_iter().map(|event| EventRow::new(event, &times)).collect(),
        older: reached.map(|place| asked.address("/admin/events", Some(place))),
        csv: asked.address("/admin/events.csv", None),
        json_lines: asked.address("/admin/events.jsonl", None),
        is_filtered: !asked.address("", None).is_empty(),
        asked: &asked,
        problems,
        failure,
    };
    render(status, &page)
}
