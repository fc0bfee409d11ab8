//! Every component in every state, light and dark, in one file to look at.

mod templates;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use askama::Template;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use self::templates::{Event, Frame, Lives, Macro, Part, Row, Safe};
use super::Problem;
use super::activity::entry;
use super::dashboard::Safety;
use super::devices::DeviceRow;
use super::error::PasswordField;
use super::layout::{Banner, Base, Curtain, Layout, Nav};
use super::life::Life;
use super::theft_warning::TheftWarning;
use crate::display::time::Times;
use crate::domain::event::PastEvent;
use crate::web::assets::Assets;

const NOW: OffsetDateTime = datetime!(2026-11-22 09:30 UTC);

/// The whole file.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Components</title><style>{{ style|safe }}
body { background: none; } .shown { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
.shown > * { background: var(--color-page); color: var(--color-text); contain: layout; padding: 1rem; }
.shown:has(.curtain) > * { --end-time: 0s; min-block-size: 14rem; }
.light { color-scheme: light; } .dark { color-scheme: dark; }</style>
<main>{% for (component, states) in components %}<h2>{{ component }}</h2>
{% for (state, html) in states %}<p class="hint">{{ state }}</p>
<div class="shown"><div class="light">{{ html|safe }}</div><div class="dark">{{ html|safe }}</div></div>
{% endfor %}{% endfor %}</main></html>"#
)]
struct Showcase {
    style: String,
    components: Vec<Component>,
}

/// A component, and its states.
type Component = (&'static str, Vec<(String, String)>);

fn times() -> Times {
    Times::new(NOW, None)
}

fn state(name: impl Into<String>, template: &impl Template) -> (String, String) {
    (name.into(), template.render().unwrap())
}

fn layout() -> Layout<'static> {
    Layout {
        base: Base(""),
        site_name: "Perennial",
        stylesheet: "",
        icon: "../static/icons/icon.svg",
        logo: Some("../static/icons/icon.svg"),
        frame: None,
        nav: Some(Nav { full_name: "Ada Lovelace", form_token: "", current: "devices", is_admin: false }),
        notice: None,
        ends_soon: None,
        curtain: None,
        theft: None,
        here: "/devices".to_owned(),
    }
}

fn frame(part: &'static str, change: impl FnOnce(&mut Layout<'static>)) -> Frame {
    let mut layout = layout();
    change(&mut layout);
    Frame { part, layout }
}

fn frames() -> Vec<Component> {
    let curtain = || Curtain { end: times().end(NOW + Duration::minutes(4)), seconds: 240, nonce: "" };
    let notice = |words: &str, warning, link| {
        frame("notice", |layout| {
            layout.notice = Some(Banner { words: words.to_owned(), warning, link });
        })
    };
    let theft = || TheftWarning {
        at: times().past(NOW - Duration::hours(2)),
        noticed: 0,
        device: "Firefox on Linux".to_owned(),
        address: "192.0.2.14".to_owned(),
        other_device: "A program".to_owned(),
        other_address: "2001:db8::7".to_owned(),
    };
    let warned = |current| {
        frame("theft_warning", |layout| {
            layout.theft = Some(theft());
            layout.nav = Some(Nav { full_name: "Ada Lovelace", form_token: "", current, is_admin: false });
        })
    };
    vec![
        (
            "header navigation",
            vec![
                state("signed in", &frame("header", |_| {})),
                state("signed out", &frame("header", |layout| layout.nav = None)),
                state(
                    "names that are too long",
                    &frame("header", |layout| {
                        layout.site_name = "The Society for the Diffusion of Useful Knowledge";
                        let full_name = "Augusta Ada King-Noel, Countess of Lovelace, born Byron";
                        layout.nav = Some(Nav { full_name, form_token: "", current: "account", is_admin: false });
                    }),
                ),
            ],
        ),
        (
            "notice",
            vec![
                state("done", &notice("Firefox on Linux is signed out.", false, None)),
                state("to be done", &notice("Please change your password.", true, Some(("/account", "Change it")))),
            ],
        ),
        (
            "ends_soon",
            vec![
                state(
                    "with a countdown",
                    &frame("ends_soon", |layout| {
                        layout.ends_soon = Some(curtain().end);
                        layout.curtain = Some(curtain());
                    }),
                ),
                state("without", &frame("ends_soon", |layout| layout.ends_soon = Some(curtain().end))),
            ],
        ),
        ("theft_warning", vec![state("elsewhere", &warned("dashboard")), state("above the list", &warned("devices"))]),
        ("curtain", vec![state("closed", &frame("curtain", |layout| layout.curtain = Some(curtain())))]),
    ]
}

fn row(change: impl FnOnce(&mut DeviceRow)) -> Row {
    let past = |hours| times().past(NOW - Duration::hours(hours));
    let mut device = DeviceRow {
        id: "0296ae12-8800-746b-a067-3280fff1f752".to_owned(),
        icon: "phone",
        name: "Safari on iPhone".to_owned(),
        address: "198.51.100.7".to_owned(),
        place: "198.51.100.7".to_owned(),
        first_seen: past(500),
        last_used: past(2),
        kept_for: "kept for 9 more days".to_owned(),
        left: Some(31),
        ends_unused: Some(times().end(NOW + Duration::days(6))),
        ends: times().end(NOW + Duration::days(9)),
        is_new: false,
        own: false,
        bound: false,
    };
    change(&mut device);
    Row { layout: layout(), device, dialogs: true, form_token: "" }
}

fn rows() -> Component {
    let states = vec![
        state("another device", &row(|_| {})),
        state("for a text browser", &Row { dialogs: false, ..row(|_| {}) }),
        state(
            "this device",
            &row(|device| {
                device.own = true;
                device.icon = "computer";
                device.place = "this network".to_owned();
            }),
        ),
        state(
            "new, until the browser closes",
            &row(|device| {
                device.is_new = true;
                device.left = None;
                device.ends_unused = None;
                device.kept_for = "until the browser closes".to_owned();
            }),
        ),
        state(
            "nearly over, at a long address",
            &row(|device| {
                device.left = Some(4);
                device.place = "2001:db8:85a3:8d3:1319:8a2e:370:7348".to_owned();
            }),
        ),
    ];
    ("device_row", states)
}

fn event(kind: &str, reason: &str) -> PastEvent {
    PastEvent {
        id: 1,
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        by: String::new(),
        address: "192.0.2.14".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        at: NOW - Duration::hours(3),
    }
}

fn events() -> Component {
    let mut states = Vec::new();
    for (kind, reason) in [
        ("signed_in", ""),
        ("sign_in_failed", ""),
        ("auto_signed_in", ""),
        ("signed_out", ""),
        ("session_revoked", ""),
        ("refresh_token_replayed", ""),
        ("account_locked", ""),
        ("registered", ""),
        ("password_changed", ""),
        ("password_reset_requested", ""),
        ("email_changed", ""),
        ("email_verified", ""),
        ("device_bound", ""),
        ("device_not_proven", ""),
    ] {
        let event = event(kind, reason);
        states.push(state(
            kind,
            &Event { layout: layout(), event: entry(&event, std::slice::from_ref(&event), &times()) },
        ));
    }
    let run = vec![event("auto_signed_in", ""); 3];
    states
        .push(state("a run", &Event { layout: layout(), event: entry(&event("auto_signed_in", ""), &run, &times()) }));
    ("event", states)
}

fn answers() -> Vec<Component> {
    let safe = |answer, because: &'static str, to_do| Safe {
        layout: layout(),
        safety: Safety { answer, because: because.into(), to_do },
    };
    let life = |generation, idles| Lives {
        life: Life {
            began: times().past(NOW - Duration::days(10)),
            renewed: format!("Renewed {generation} times"),
            generation,
            access_left: "14m 3s".to_owned(),
            idles: Some(times().end(NOW + Duration::days(14))).filter(|_| idles),
            ends: times().end(NOW + Duration::days(20)),
            now_at: 34,
            access_at: 36,
            idle_at: Some(78).filter(|_| idles),
            renewals_at: (1..=generation.min(40)).map(|mark| 30 + 310 * mark / (generation.min(40) + 1)).collect(),
        },
    };
    vec![
        (
            "safety",
            vec![
                state("quiet", &safe("All quiet.", "Three devices, the last new one on 9 November.", None)),
                state(
                    "to do",
                    &safe("Your password is easy to guess.", "It is tried first.", Some(("/account", "Change it"))),
                ),
            ],
        ),
        (
            "life",
            vec![
                state("a few renewals", &life(5, true)),
                state("many", &life(960, true)),
                state("no idle end", &life(0, false)),
            ],
        ),
    ]
}

fn macros() -> Vec<Component> {
    let part = |name: &str, part| state(name, &Macro { part });
    let problem = |message: &str| Problem { field: "name", message: message.to_owned() };
    let icons = include_str!("../../../templates/components/icon.html").split("name == \"").skip(1);
    let icons = icons.map(|rest| rest.split('"').next().unwrap()).chain(["anything else"]);
    let time = times().past(NOW - Duration::days(3));
    let password = PasswordField::all(["new_password"].into_iter(), |_| "New password".to_owned()).remove(0);
    vec![
        ("icon", icons.map(|name| part(name, Part::Icon(name.to_owned()))).collect()),
        (
            "address",
            vec![
                part("long", Part::Address("ada.augusta.king.countess.of.lovelace@engines.analytical.example.org")),
                part("none", Part::Address("no address")),
            ],
        ),
        ("time", vec![part("when, how long ago, both", Part::Time(time))]),
        (
            "field",
            vec![
                part("plain", Part::Field(vec![], false)),
                part("with a hint", Part::Field(vec![], true)),
                part("with a problem", Part::Field(vec![problem("Enter your name")], false)),
                part("with a hint and problems", Part::Field(vec![problem("Too long"), problem("Too loud")], true)),
            ],
        ),
        (
            "error_summary",
            vec![
                part("fields", Part::Summary(vec![problem("Enter your name"), problem("Too loud")], None)),
                part("as a whole", Part::Summary(vec![], Some("Invalid email or password."))),
            ],
        ),
        ("try_again", vec![part("locked", Part::TryAgain(Some(times().end(NOW + Duration::minutes(2)))))]),
        ("password_again", vec![part("empty", Part::PasswordAgain(password))]),
    ]
}

#[test]
#[ignore = "needs somebody who looks at target/components.html"]
fn every_component_is_shown_in_every_state() {
    let assets = Assets::load(None).unwrap();
    let style = assets.find(assets.stylesheet().trim_start_matches("/static/")).unwrap();
    let style = String::from_utf8(style.plain.to_vec()).unwrap();
    let components = [frames(), vec![rows(), events()], answers(), macros()].concat();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown: BTreeSet<_> = components.iter().flat_map(|(names, _)| names.split(' ')).map(str::to_owned).collect();
    let files = fs::read_dir(folder.join("templates/components")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap().replace(".html", ""));
    assert_eq!(shown, files.collect());
    let target = folder.join("target/components.html");
    fs::write(&target, Showcase { style, components }.render().unwrap()).unwrap();
    println!("{}", target.display());
}
