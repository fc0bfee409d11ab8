//! Actix Web without any sign-in, as a process of its own: what a page costs at least.
//!
//! It sends what Perennial sends, byte for byte, headers included. There are three of it:
//!
//! - one makes the page as Perennial does, by the same template, and puts dates and the address into words; what only a
//!   sign-in needs lies ready: the name of the user and of the browser, and the form token;
//! - one renders the template from texts that all lie ready;
//! - one sends a body that lies ready.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use askama::Template;
use perennial::SystemClock;
use perennial::display::time::DisplayTime;

use perennial::domain::clock::Clock;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How the page is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Making {
    /// By Askama, for every request, with its dates and the address.
    Made,
    /// By Askama, for every request, from ready texts.
    Rendered,
    /// Once, and sent as it lies there.
    Constant,
}

/// An answer of Perennial's, taken apart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    headers: Vec<(String, String)>,
    body: String,
    stylesheet: String,
    icon: String,
    form_token: String,
    /// The sentence beside the shield.
    because: String,
    /// The words and the place of each event.
    events: Vec<[String; 2]>,
    moments: Vec<[String; 3]>,
}

#[derive(Template)]
#[template(path = "pages/dashboard.html")]
struct DashboardPage<'a> {
    layout: Layout<'a>,
    full_name: &'a str,
    email: &'a str,
    welcome_back: bool,
    safety: Safety<'a>,
    events: Vec<LastEvent<'a>>,
    last_sign_in: Option<Cow<'a, DisplayTime>>,
    device: &'a str,
    address: Cow<'a, str>,
    kept: bool,
    sign_in_ends: Cow<'a, DisplayTime>,
}

struct Safety<'a> {
    answer: &'a str,
    because: &'a str,
    to_do: Option<(&'static str, &'static str)>,
}

struct LastEvent<'a> {
    words: &'a str,
    place: &'a str,
    icon: &'a str,
    warning: bool,
    at: Cow<'a, DisplayTime>,
}

struct Layout<'a> {
    base: &'a str,
    site_name: &'a str,
    stylesheet: &'a str,
    icon: &'a str,
    logo: Option<&'a str>,
    frame: Option<Around<'a>>,
    nav: Option<Nav<'a>>,
    notice: Option<Banner<'a>>,
    ends_soon: Option<&'a DisplayTime>,
    curtain: Option<Curtain<'a>>,
    theft: Option<TheftWarning<'a>>,
    here: &'a str,
}

struct Around<'a> {
    head: &'a str,
    before: &'a str,
    after: &'a str,
}

struct Curtain<'a> {
    end: &'a DisplayTime,
    seconds: i64,
    nonce: &'a str,
}

struct Banner<'a> {
    words: &'a str,
    warning: bool,
    link: Option<(&'static str, &'static str)>,
}

struct Nav<'a> {
    full_name: &'a str,
    form_token: &'a str,
    current: &'static str,
    is_admin: bool,
}

struct TheftWarning<'a> {
    at: &'a DisplayTime,
    noticed: i64,
    device: &'a str,
    address: &'a str,
    other_device: &'a str,
    other_address: &'a str,
}

impl Page {
    /// Takes a dashboard apart.
    pub(crate) fn of(head: &str, body: &str) -> Self {
        let own = ["content-length", "content-type", "date"];
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| !own.contains(name));
        let times = body.match_indices("<time datetime=\"").map(|(at, start)| {
            let (before, rest) = (&body[..at], &body[at + start.len()..]);
            let (iso, rest) = rest.split_once("\">").unwrap();
            let words = rest.split("</time>").next().unwrap();
            let ago = before.trim_end_matches("</span> ").trim_end_matches(", ").rsplit('>').next().unwrap();
            [iso, words, ago].map(str::to_owned)
        });
        let between = |text: &str, before: &str, after: &str| {
            text.split_once(before).unwrap().1.split(after).next().unwrap().to_owned()
        };
        let events = body.split("class=\"event__words\">").skip(1);
        let events =
            events.map(|event| [event.split("</p>").next().unwrap().to_owned(), between(event, "&nbsp;· ", "</p>")]);
        let attribute = |before: &str| body.split_once(before).unwrap().1.split('"').next().unwrap().to_owned();
        Self {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            stylesheet: attribute("rel=\"stylesheet\" href=\""),
            icon: attribute("rel=\"icon\" href=\""),
            form_token: attribute("name=\"form_token\" value=\""),
            because: between(body, "<h2 id=\"safety-title\">All quiet.</h2>\n<p>", "</p>"),
            events: events.collect(),
            moments: times.collect(),
            body: body.to_owned(),
        }
    }

    /// Writes it down for the server that will send it.
    pub(crate) fn save(&self, file: &Path) {
        std::fs::write(file, serde_json::to_vec(self).unwrap()).unwrap();
    }

    fn load(file: &Path) -> Self {
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }
}

/// What the handler needs.
struct Ready {
    making: Making,
    page: Page,
    body: web::Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    moments: Vec<DisplayTime>,
    times: Vec<OffsetDateTime>,
    clock: SystemClock,
}

/// Serves the page until it is killed.
pub(crate) fn serve(making: Making, file: &Path, address: SocketAddr) -> std::io::Result<()> {
    let page = Page::load(file);
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
    let headers = page.headers.iter().map(|(key, value)| (name(key), HeaderValue::from_str(value).unwrap()));
    let headers = headers.collect();
    let moments = page.moments.iter().map(|[iso, words, ago]| DisplayTime {
        iso: iso.clone(),
        words: words.clone(),
        ago: ago.clone(),
    });
    let moments = moments.collect();
    let times = page.moments.iter().map(|[iso, ..]| OffsetDateTime::parse(iso, &Rfc3339).unwrap());
    let times = times.collect();
    let clock = SystemClock::start();
    let body = web::Bytes::from(page.body.clone());
    let ready = web::Data::new(Ready { making, body, headers, moments, times, clock, page });
    actix_web::rt::System::new().block_on(
        HttpServer::new(move || App::new().app_data(ready.clone()).route("/dashboard", web::get().to(dashboard)))
            .bind(address)?
            .run(),
    )
}

async fn dashboard(request: HttpRequest, ready: web::Data<Ready>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("text/html; charset=utf-8");
    for (name, value) in &ready.headers {
        response.insert_header((name.clone(), value.clone()));
    }
    match ready.making {
        Making::Constant => response.body(ready.body.clone()),
        Making::Rendered => {
            let moments = ready.moments.iter().map(Cow::Borrowed).collect();
            response.body(render(&ready, moments, "127.0.0.1".into()))
        }
        Making::Made => {
            let now = ready.clock.now();
            let moments = ready.times.iter().map(|time| Cow::Owned(DisplayTime::new(*time, now))).collect();
            let address = request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
            response.body(render(&ready, moments, address.into()))
        }
    }
}

/// The drawing of every event of somebody who has only signed in.
const ICON: &str = "enter";

/// Makes the page; its first times are those of the events, the next says when the sign-in ends, and one after it when the
/// last sign-in was.
fn render<'a>(ready: &'a Ready, mut moments: Vec<Cow<'a, DisplayTime>>, address: Cow<'a, str>) -> String {
    let rest = moments.split_off(ready.page.events.len());
    let mut rest = rest.into_iter();
    let sign_in_ends = rest.next().unwrap();
    let events = ready.page.events.iter().zip(moments);
    let events = events.map(|([words, place], at)| LastEvent { words, place, icon: ICON, warning: false, at });
    let name = "Ada Lovelace";
    let nav = Nav { full_name: name, form_token: &ready.page.form_token, current: "dashboard", is_admin: true };
    let layout = Layout {
        base: "",
        site_name: "Perennial",
        stylesheet: &ready.page.stylesheet,
        icon: &ready.page.icon,
        logo: None,
        frame: None,
        nav: Some(nav),
        notice: None,
        ends_soon: None,
        curtain: None,
        theft: None,
        here: "",
    };
    let page = DashboardPage {
        layout,
        full_name: name,
        email: super::client::EMAIL,
        welcome_back: false,
        safety: Safety { answer: "All quiet.", because: &ready.page.because, to_do: None },
        events: events.collect(),
        last_sign_in: rest.next(),
        device: "Chrome on Linux",
        address,
        kept: true,
        sign_in_ends,
    };
    page.render().unwrap()
}
