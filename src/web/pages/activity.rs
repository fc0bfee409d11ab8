//! `/activity`: what happened to the account, as a timeline.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::render;
use crate::display::event::{Advice, EventFilter, KEPT, Tone, describe, whence};
use crate::display::time::{DisplayTime, Times};
use crate::domain::event::{PastEvent, Window};
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Entries on a page; a run of one kind is one entry.
const PAGE: usize = 25;

/// Events that are read for a page at most: runs take more of them than there are entries.
const READ: usize = 200;

#[derive(Template)]
#[template(path = "pages/activity.html")]
struct ActivityPage<'a> {
    layout: Layout<'a>,
    filters: Vec<FilterLink>,
    days: Vec<Day>,
    newer: Option<String>,
    older: Option<String>,
}

/// A link that shows some of the events.
struct FilterLink {
    title: &'static str,
    href: String,
    current: bool,
}

/// The entries of one day.
struct Day {
    title: String,
    entries: Vec<Entry>,
}

/// One event in words, or a run of events of one kind; the component `event.html` shows it.
pub(super) struct Entry {
    pub(super) at: DisplayTime,
    pub(super) words: String,
    pub(super) place: String,
    pub(super) icon: &'static str,
    pub(super) tone: Tone,
    pub(super) advice: Option<Advice>,
    /// The times and places of a run, newest first; empty where there is one event alone.
    pub(super) run: Vec<(DisplayTime, String)>,
}

/// Which part of the trail is asked for.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    before: Option<i64>,
    after: Option<i64>,
    #[serde(default)]
    show: String,
}

/// `GET /activity`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    user: CurrentUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let query = query.map(web::Query::into_inner);
    let window = match query {
        Some(Query { after: Some(id), .. }) => Window::After(id),
        Some(Query { before: Some(id), .. }) => Window::Before(id),
        _ => Window::Newest,
    };
    let filter = EventFilter::named(query.as_ref().map_or("", |query| &query.show));
    let times = auth.times();
    let past = site.sessions.activity(user.identity(), window, filter.kinds(), READ).await?;
    let (shown, more) = first_entries(past.events, window, &times);
    let more = more || past.reached.is_some();
    // Where the events that were looked through held none of the kind, the way leads on from the last of them.
    let newest = shown.first().map(|event| event.id).or(past.reached);
    let oldest = shown.last().map(|event| event.id).or(past.reached);
    let backwards = !matches!(window, Window::After(_));
    let newer = newest.filter(|_| if backwards { matches!(window, Window::Before(_)) } else { more });
    let older = oldest.filter(|_| !backwards || more);
    let here = request.uri().path_and_query().map_or("/activity", |here| here.as_str());
    let page = ActivityPage {
        layout: Layout::new(&site, Some(&auth), "activity").at(here),
        filters: EventFilter::ALL
            .into_iter()
            .map(|link| FilterLink { title: link.title(), href: address(link, None), current: link == filter })
            .collect(),
        days: days(&shown, &times),
        newer: newer.map(|id| address(filter, Some(("after", id)))),
        older: older.map(|id| address(filter, Some(("before", id)))),
    };
    render(StatusCode::OK, &page)
}

fn address(filter: EventFilter, from: Option<(&str, i64)>) -> String {
    let show = Some(filter.name()).filter(|name| !name.is_empty()).map(|name| format!("show={name}"));
    let from = from.map(|(side, id)| format!("{side}={id}"));
    let query: Vec<_> = show.into_iter().chain(from).collect();
    if query.is_empty() { "/activity".to_owned() } else { format!("/activity?{}", query.join("&")) }
}

/// Keeps the events of as many entries as fit on a page, counted from where the window starts; tells whether there are more.
fn first_entries(mut events: Vec<PastEvent>, window: Window, times: &Times) -> (Vec<PastEvent>, bool) {
    let forwards = matches!(window, Window::After(_));
    if forwards {
        events.reverse();
    }
    let (mut entries, mut kept) = (0, 0);
    let mut before: Option<&PastEvent> = None;
    for event in &events {
        if !before.is_some_and(|before| goes_on(before, event, times)) {
            entries += 1;
        }
        if entries > PAGE {
            break;
        }
        (before, kept) = (Some(event), kept + 1);
    }
    let more = kept < events.len();
    events.truncate(kept);
    if forwards {
        events.reverse();
    }
    (events, more)
}

/// Tells whether two neighbours are parts of one run.
fn goes_on(one: &PastEvent, other: &PastEvent, times: &Times) -> bool {
    one.kind == KEPT && other.kind == KEPT && times.is_same_day(one.at, other.at)
}

/// Sorts events, which come newest first, into days and runs.
fn days(events: &[PastEvent], times: &Times) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut rest = events;
    while let Some(first) = rest.first() {
        let length =
            1 + rest.windows(2).take_while(|pair| matches!(pair, [one, other] if goes_on(one, other, times))).count();
        let (run, after) = rest.split_at(length);
        let title = times.day(first.at);
        let entry = entry(first, run, times);
        match days.last_mut().filter(|day| day.title == title) {
            Some(day) => day.entries.push(entry),
            None => days.push(Day { title, entries: vec![entry] }),
        }
        rest = after;
    }
    days
}

/// Describes the first event of a run, or the whole of it.
pub(super) fn entry(event: &PastEvent, run: &[PastEvent], times: &Times) -> Entry {
    let described = describe(event);
    let mut entry = Entry {
        at: times.past(event.at),
        words: described.words,
        place: whence(event),
        icon: described.icon,
        tone: described.tone,
        advice: described.advice,
        run: Vec::new(),
    };
    if run.len() > 1 {
        entry.words = format!("{} {} times", entry.words, run.len());
        entry.run = run.iter().map(|event| (times.past(event.at), whence(event))).collect();
    }
    entry
}
