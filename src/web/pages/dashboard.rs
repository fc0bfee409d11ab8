//! `/dashboard`: whether everything is as it should be, and what happened last.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::layout::Layout;
use super::render;
use crate::display::event::Tone;
use crate::display::time::{DisplayTime, Times};
use crate::session::{Concern, Glance, Identity};
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::extract::browser_name::browser_name;
use crate::web::fault_log::lost_nothing;

#[derive(Template)]
#[template(path = "pages/dashboard.html")]
struct DashboardPage<'a> {
    layout: Layout<'a>,
    full_name: &'a str,
    email: &'a str,
    welcome_back: bool,
    safety: Safety<'a>,
    events: Vec<LastEvent<'a>>,
    last_sign_in: Option<DisplayTime>,
    device: &'a str,
    address: String,
    kept: bool,
    sign_in_ends: DisplayTime,
}

/// The answer to "am I safe?".
pub(super) struct Safety<'a> {
    /// The answer in a few words.
    pub(super) answer: &'static str,
    /// What it rests on.
    pub(super) because: Cow<'a, str>,
    /// The one thing to do, where there is one: where, and how the link reads.
    pub(super) to_do: Option<(&'static str, &'static str)>,
}

/// One of the last events.
struct LastEvent<'a> {
    words: &'a str,
    place: &'a str,
    icon: &'static str,
    warning: bool,
    at: DisplayTime,
}

/// `GET /dashboard`.
pub(crate) async fn get(request: HttpRequest, user: CurrentUser) -> Result<HttpResponse, WebError> {
    let (identity, auth) = (user.identity(), user.auth());
    let (site, times) = (auth.site(), auth.times());
    let welcome_back = site.sessions.claim_welcome(identity).await.unwrap_or_else(|error| {
        // The reader loses nothing but the greeting, and has that the next time.
        lost_nothing(site, &error.into());
        false
    });
    let glance: Option<Arc<Glance>> = site.sessions.glance(identity, auth.now()).await;
    let events = glance.iter().flat_map(|glance| &glance.events).map(|event| LastEvent {
        words: &event.described.words,
        place: &event.place,
        icon: event.described.icon,
        warning: event.described.tone == Tone::Warning,
        at: times.past(event.at),
    });
    let device = browser_name(request.headers());
    let page = DashboardPage {
        layout: Layout::new(site, Some(auth), "dashboard"),
        full_name: &user.user().full_name,
        email: &user.user().email,
        welcome_back,
        safety: safety(identity, glance.as_deref(), &times),
        events: events.collect(),
        last_sign_in: user.user().last_login_besides(identity.created_at()).map(|at| times.past(at)),
        device: &device,
        address: auth.address().map(|address| address.to_string()).unwrap_or_default(),
        kept: identity.is_kept(),
        sign_in_ends: times.end(identity.expires_at()),
    };
    render(StatusCode::OK, &page)
}

/// Answers "am I safe?" in one sentence; what needs the owner most comes first.
fn safety<'a>(identity: &Identity, glance: Option<&'a Glance>, times: &Times) -> Safety<'a> {
    let to_do = |answer, because, to_do| Safety { answer, because, to_do: Some(to_do) };
    if identity.theft().is_some() {
        return to_do(
            "Please have a look.",
            "One of your sign-ins was used from two places, and was ended.".into(),
            ("/devices", "Look at your devices"),
        );
    }
    let Some(glance) = glance else {
        let because = "What happened last can't be read at the moment. You're still signed in.".into();
        return Safety { answer: "Nothing to report.", because, to_do: None };
    };
    match glance.concern {
        Some(Concern::Locked(at)) => to_do(
            "Somebody tried many passwords.",
            format!(
                "Too many wrong ones locked your account {}. If that wasn't you, a new password ends the worry.",
                times.past(at).ago
            )
            .into(),
            ("/account", "Change your password"),
        ),
        Some(Concern::WeakPassword) => to_do(
            "Your password is easy to guess.",
            "It is the first thing that somebody else would try. Three random words make a good one.".into(),
            ("/account", "Change your password"),
        ),
        None => Safety { answer: "All quiet.", because: glance.devices.as_str().into(), to_do: None },
    }
}
