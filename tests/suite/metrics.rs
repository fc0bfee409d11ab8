//! What `METRICS_BIND` serves: figures that follow what happened, at an address of their own.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::Rows;
use crate::support::chromium::find_program;
use crate::support::client::{ACCESS, Client, exchange};
use crate::support::kept::PageForm;
use crate::support::patience::until;
use crate::support::server::{Launch, Server, empty_folder, free_port};

/// A server, and a browser that looks at its metrics.
fn start(folder: &std::path::Path) -> (Server, Client) {
    let port = free_port();
    let server = Launch::in_folder(folder).set("METRICS_BIND", &format!("127.0.0.1:{port}")).start();
    (server, Client::at(([127, 0, 0, 1], port).into()))
}

fn scrape(metrics: &mut Client) -> String {
    let answer = metrics.get("/metrics").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.body
}

/// Returns the value of a sample by all that stands before it.
fn sample(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[test]
fn figures_follow_what_happened() {
    let folder = empty_folder();
    let (server, mut metrics) = start(folder.path());
    let mut ada = Client::of(&server);
    ada.register("ada");
    assert!(ada.is_signed_in());
    assert_eq!(ada.get("/devices/01a1ff61-0000-7000-8000-000000000000/revoke").unwrap().status, 404);
    assert_eq!(ada.get("/not/there?of=ada@example.org").unwrap().status, 404);
    Rows::of(folder.path()).age_rotations();
    ada.jar.remove(ACCESS);
    assert!(ada.is_signed_in(), "by the refresh token, which is renewed");

    let text = scrape(&mut metrics);
    let requests = |method: &str, route: &str, status: u16| {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        sample(&text, &format!("perennial_http_requests_total{labels}"))
    };
    assert_eq!(requests("POST", "/register", 303), Some(1.0), "{text}");
    assert_eq!(requests("GET", "/dashboard", 200), Some(2.0), "{text}");
    assert_eq!(requests("GET", "/devices/{id}/revoke", 404), Some(1.0), "{text}");
    assert_eq!(requests("GET", "other", 404), Some(1.0), "{text}");
    let all: f64 = text
        .lines()
        .filter(|line| line.starts_with("perennial_http_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(sample(&text, "perennial_http_request_duration_seconds_count"), Some(all));
    for (series, value) in [
        ("perennial_session_decisions_total{decision=\"rotate\"}", 1.0),
        ("perennial_session_decisions_total{decision=\"replayed\"}", 0.0),
        ("perennial_session_decisions_total{decision=\"not_proven\"}", 0.0),
        ("perennial_device_proofs_total{decision=\"rotate\"}", 0.0),
        ("perennial_sessions_live", 1.0),
        ("perennial_sessions_bound", 0.0),
        ("perennial_mails_waiting", 0.0),
        ("perennial_nodes", 1.0),
        ("perennial_bcrypt_queue", 0.0),
        ("perennial_bcrypt_seconds_count", 1.0),
        ("perennial_throttled_total", 0.0),
        (concat!("perennial_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(sample(&text, series), Some(value), "{series} in {text}");
    }
    assert!(sample(&text, "perennial_database_pool_connections{state=\"used\"}").is_some(), "{text}");
    for secret in ["ada", "example.org", "127.0.0.1", "01a1ff61"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn what_becomes_of_rescued_forms_is_counted() {
    let folder = empty_folder();
    let (server, mut metrics) = start(folder.path());
    let mut ada = Client::of(&server);
    ada.register("ada");
    let outcome = |text: &str, outcome: &str| {
        sample(text, &format!("perennial_rescued_forms_total{{outcome=\"{outcome}\"}}")).unwrap()
    };
    let text = scrape(&mut metrics);
    let outcomes = ["kept", "not_kept", "sent", "expired", "carried", "sent_again"];
    assert!(outcomes.iter().all(|word| outcome(&text, word) == 0.0), "{text}");
    assert_eq!(text.matches("perennial_rescued_forms_total{").count(), outcomes.len(), "{text}");

    let token = ada.form_token("/devices");
    Rows::of(folder.path()).execute("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked'");
    let refused = until("the sign-in to be known as ended", || {
        let answer = ada.post("/devices/others/revoke", &[("form_token", &token)]).unwrap();
        answer.header("location").and_then(|to| to.strip_prefix("/login?next=")).map(|kept| kept.replace("%2F", "/"))
    });
    let text = scrape(&mut metrics);
    assert_eq!((outcome(&text, "kept"), outcome(&text, "sent")), (1.0, 0.0), "{text}");
    assert_eq!(ada.sign_in("ada").status, 303);
    let page = ada.get(&refused).unwrap();
    let form = PageForm::with_button(&page.body, "Send it now").unwrap();
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    for _ in 0..2 {
        ada.post(&form.action, &fields).unwrap();
    }
    let text = scrape(&mut metrics);
    assert_eq!((outcome(&text, "kept"), outcome(&text, "sent")), (1.0, 1.0), "{text}");
}

#[test]
fn they_are_at_an_address_of_their_own_and_nothing_else_is_there() {
    let folder = empty_folder();
    let (server, mut metrics) = start(folder.path());
    assert_eq!(Client::of(&server).get("/metrics").unwrap().status, 404);
    for path in ["/", "/login", "/healthz", "/admin"] {
        let answer = metrics.get(path).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[test]
fn an_address_in_use_ends_the_start_with_one_line() {
    let folder = empty_folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = Launch::in_folder(folder.path()).set("METRICS_BIND", &address).finish();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let begins = format!("perennial: cannot listen on {address}: ");
    assert!(finished.stderr.starts_with(&begins), "{finished:?}");
    assert!(finished.stderr.trim_end().ends_with("set METRICS_BIND to another address"), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");

    let finished = Launch::in_folder(folder.path()).set("METRICS_BIND", "everywhere").finish();
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert!(finished.stderr.starts_with("perennial: METRICS_BIND: takes "), "{finished:?}");
}

#[test]
#[ignore = "needs promtool"]
fn prometheus_finds_no_fault_with_them() {
    let folder = empty_folder();
    let (server, mut metrics) = start(folder.path());
    let mut ada = Client::of(&server);
    ada.register("ada");
    for path in ["/dashboard", "/devices", "/admin/users/1", "/not/there", "/static/none", "/api/v1/me", "/%00"] {
        ada.get(path).unwrap();
    }
    let mut wrong = Client::of(&server);
    for _ in 0..6 {
        wrong.submit("/login", "/login", &[("email", "ada@example.org"), ("password", "wrong")]);
    }
    for method in ["DELETE", "BREW", "get"] {
        exchange(server.address, wrong.head(method, "/login", "").as_bytes()).unwrap();
    }
    ada.sign_out();
    let text = scrape(&mut metrics);
    assert!(sample(&text, "perennial_throttled_total") > Some(0.0), "{text}");
    assert!(text.contains("method=\"other\"") && !text.contains("BREW"), "{text}");
    let mut checker = Command::new(find_program(&["promtool"]))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    checker.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = checker.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{said}");
}
