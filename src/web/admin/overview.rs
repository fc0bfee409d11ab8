//! `/admin`: how much of what happens, day by day.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::chart::{Chart, Subject};
use super::read;
use crate::domain::event::EventType;
use crate::store::operator::{events_by_day, live_by_day};
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// What is drawn of events.
const SUBJECTS: [(EventType, Subject); 5] = [
    (
        EventType::SignedIn,
        Subject {
            id: "sign-ins",
            title: "Sign-ins",
            what: "With a password.",
            href: "/admin/events?type=signed_in",
            adds_up: true,
        },
    ),
    (
        EventType::SignInFailed,
        Subject {
            id: "failures",
            title: "Failures",
            what: "Sign-ins that were refused.",
            href: "/admin/events?type=sign_in_failed",
            adds_up: true,
        },
    ),
    (
        EventType::AutoSignedIn,
        Subject {
            id: "renewals",
            title: "Renewals",
            what: "Of kept sign-ins: the first of each, and those after a pause. Those of a browser in use are not noted.",
            href: "/admin/events?type=auto_signed_in",
            adds_up: true,
        },
    ),
    (
        EventType::RefreshTokenReplayed,
        Subject {
            id: "replays",
            title: "Replays",
            what: "Copies of a sign-in that were used; each ended that sign-in.",
            href: "/admin/events?type=refresh_token_replayed",
            adds_up: true,
        },
    ),
    (
        EventType::AccountLocked,
        Subject {
            id: "lockouts",
            title: "Lockouts",
            what: "Accounts that were locked after too many tries.",
            href: "/admin/events?type=account_locked",
            adds_up: true,
        },
    ),
];

const LIVE_SIGN_INS: Subject = Subject {
    id: "live",
    title: "Live sign-ins",
    what: "Sign-ins that are alive: today's as of now, those of other days as of their last hour.",
    href: "/admin/sessions",
    adds_up: false,
};

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    charts: Vec<Chart>,
}

/// `GET /admin`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth, _admin: AdminUser) -> Result<HttpResponse, WebError> {
    let (lifetimes, now) = (*site.sessions.lifetimes(), auth.now());
    let counted = read(&site, move |rows| {
        let live = live_by_day(rows, &lifetimes, now)?;
        let mut events = Vec::new();
        for (kind, subject) in &SUBJECTS {
            events.push((subject, events_by_day(rows, *kind, now)?));
        }
        Ok((live, events))
    });
    let (live, events) = counted.await?;
    let today = now.date();
    let mut charts: Vec<_> = events.iter().map(|(subject, series)| Chart::new(subject, series, today)).collect();
    charts.insert(1, Chart::new(&LIVE_SIGN_INS, &live, today));
    let page = OverviewPage { layout: Layout::new(&site, Some(&auth), "admin"), section: "overview", charts };
    render(StatusCode::OK, &page)
}
