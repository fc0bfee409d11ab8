//! `/admin/events.csv` and `/admin/events.jsonl`: the audit trail as a file.
//!
//! It is read and sent a thousand events at a time, however long the trail is, and ends when the administrator is thrown
//! out or demoted meanwhile: a file that breaks off is noticed by whoever saves it.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::events::{Meant, Query, understand};
use super::read;
use crate::domain::id::SessionId;
use crate::domain::user::Role;
use crate::store::operator::{EventFilter, EventPage, Place, StoredEvent, events_before};
use crate::store::sessions;
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::site::Site;

/// Events that are read in one go.
const CHUNK: i64 = 1_000;

/// The head of a table.
const HEAD: [&str; 9] =
    ["id", "created_at", "user_id", "email", "event_type", "address", "user_agent", "reason", "details"];

/// With what a spreadsheet begins a formula (OWASP, "CSV Injection").
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// How events are written.
type Write = fn(&[StoredEvent], bool) -> Vec<u8>;

/// `GET /admin/events.csv`.
pub(crate) async fn csv(
    site: web::Data<Site>,
    admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    export(site, &admin, query, as_table, "text/csv; charset=utf-8", "attachment; filename=\"events.csv\"").await
}

/// `GET /admin/events.jsonl`.
pub(crate) async fn json_lines(
    site: web::Data<Site>,
    admin: AdminUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    export(site, &admin, query, as_lines, "application/jsonl", "attachment; filename=\"events.jsonl\"").await
}

/// An export under way.
struct Export {
    site: web::Data<Site>,
    session: SessionId,
    filter: EventFilter,
    /// Where the next part begins; nothing at the beginning.
    place: Option<Place>,
    begun: bool,
    write: Write,
}

async fn export(
    site: web::Data<Site>,
    admin: &AdminUser,
    query: Option<web::Query<Query>>,
    write: Write,
    kind: &'static str,
    file: &'static str,
) -> Result<HttpResponse, WebError> {
    let query = query.map(web::Query::into_inner).unwrap_or_default();
    let meant: Meant =
        understand(&query).map_err(|_| WebError::BadRequest("The filter of the events is malformed."))?;
    let filter = read(&site, move |rows| meant.filter(rows)).await?.ok_or(WebError::NotFound)?;
    let session = admin.identity().session();
    let export = Export { site, session, filter, place: None, begun: false, write };
    // The first part is read before the head is sent: what fails at once is answered with a page.
    let (first, rest) = next(export).await?;
    let rest = stream::try_unfold(rest, async |export| match export {
        None => Ok::<_, WebError>(None),
        Some(export) => next(export).await.map(Some),
    });
    let body = stream::StreamExt::chain(stream::iter([Ok(first)]), rest);
    let mut response = HttpResponse::Ok().streaming(Box::pin(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}

/// Reads and writes the next part; returns how it goes on, if it does.
async fn next(export: Export) -> Result<(Bytes, Option<Export>), WebError> {
    let Export { site, session, filter, place, begun, write } = export;
    let (lifetimes, now) = (*site.sessions.lifetimes(), site.sessions.now());
    let asked = filter.clone();
    let found = read(&site, move |rows| {
        let allowed = sessions::find_with_user(rows, session)?.is_some_and(|(session, user, _)| {
            session.ended(&lifetimes, now).is_none() && user.is_active && user.role == Role::ADMIN
        });
        if allowed { events_before(rows, &asked, place, CHUNK).map(Some) } else { Ok(None) }
    });
    let Some(EventPage { events, reached }) = found.await? else { return Err(WebError::NotFound) };
    let text = write(&events, !begun);
    let rest = reached.map(|place| Export { site, session, filter, place: Some(place), begun: true, write });
    Ok((Bytes::from(text), rest))
}

fn time(event: &StoredEvent) -> String {
    event.at.format(&Rfc3339).unwrap_or_default()
}

/// Writes events with the names of the columns of their table, as the command line does.
fn as_lines(events: &[StoredEvent], _first: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    for event in events {
        let document = json!({
            "id": event.id,
            "user_id": event.user.map(|user| user.0),
            "event_type": event.kind,
            "details": event.details,
            "created_at": time(event),
        });
        lines.extend_from_slice(document.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// Writes events as a table (RFC 4180); `first` has its head.
fn as_table(events: &[StoredEvent], first: bool) -> Vec<u8> {
    let mut table = String::new();
    if first {
        write_row(&mut table, &HEAD.map(str::to_owned));
    }
    for event in events {
        let detail = |name: &str| event.details.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = [
            event.id.to_string(),
            time(event),
            event.user.map(|user| user.to_string()).unwrap_or_default(),
            event.email.clone().unwrap_or_default(),
            event.kind.clone(),
            detail("address"),
            detail("user_agent"),
            detail("reason"),
            event.details.to_string(),
        ];
        write_row(&mut table, &cells);
    }
    table.into_bytes()
}

/// Writes the cells of a row, each between quotes.
fn write_row(table: &mut String, cells: &[String]) {
    for (number, cell) in cells.iter().enumerate() {
        table.push_str(if number == 0 { "\"" } else { ",\"" });
        table.push_str(&neutral(cell).replace('"', "\"\""));
        table.push('"');
    }
    table.push_str("\r\n");
}

/// Keeps a spreadsheet from taking a cell for a formula.
fn neutral(cell: &str) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(neutral(formula), format!("'{formula}"));
        }
        for text in ["", "a=1", "2026-11-22", "{\"a\":1}", "192.0.2.1"] {
            assert_eq!(neutral(text), text);
        }
    }
}
