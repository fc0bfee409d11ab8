//! What the log says, and what it never says.

use std::io::Write;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::Value;
use time::Duration;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::client::{Client, PASSWORD};
use crate::support::patience::{DEADLINE, Stopwatch};
use crate::support::server::{Launch, Server, empty_folder, free_port};
use crate::support::{BoxedPayloadStream, TestApp};

/// Reads lines that must all be objects.
fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn lines_with<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

/// Sends a sign-in that is refused.
fn refused(server: &Server, email: &str, password: &str) {
    let mut client = Client::of(server);
    client.extra = "X-Forwarded-For: 203.0.113.7\r\n".to_owned();
    assert_eq!(client.submit("/login", "/login", &[("email", email), ("password", password)]).status, 401);
}

#[test]
fn with_json_every_line_is_an_object_the_banner_too() {
    let folder = empty_folder();
    let port = free_port();
    let launch = Launch::in_folder(folder.path()).on_port(port).set("LOG_FORMAT", "json").set("LOG_REQUESTS", "true");
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    refused(&server, "ada@example.org", "not her password");
    let occupied = launch.clone().argument("serve").finish();
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let banner = objects(&finished.stdout);
    let words: Vec<_> = banner.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert!(words[0].ends_with(&format!(" serves http://localhost:{port}")), "{words:?}");
    assert!(words[1].ends_with(&format!("Create the first account at http://localhost:{port}/register")), "{words:?}");
    assert!(objects(&finished.stderr).len() > 3, "{finished:?}");

    assert_eq!((occupied.code(), occupied.stdout.as_str()), (Some(1), ""), "{occupied:?}");
    let why = objects(&occupied.stderr).pop().unwrap();
    assert_eq!(why["level"], "ERROR");
    assert!(why["message"].as_str().unwrap().starts_with(&format!("cannot listen on 127.0.0.1:{port}")), "{why}");
    let wrong = launch.set("IDLE_TTL", "soon").finish();
    assert_eq!((wrong.code(), wrong.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    let why = objects(&wrong.stderr);
    assert!(why[0]["message"].as_str().unwrap().starts_with("IDLE_TTL: takes ") && why.len() == 1, "{why:?}");
}

#[test]
fn a_start_says_nothing_of_threads_and_runtimes() {
    let folder = empty_folder();
    let finished = Launch::in_folder(folder.path()).start().stop();
    assert!(!finished.stderr.contains("actix") && !finished.stderr.contains("workers"), "{finished:?}");
}

#[test]
fn a_refused_sign_in_leaves_one_line_that_names_an_account_and_never_what_was_typed() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("TRUSTED_PROXIES", "127.0.0.1").start();
    Client::of(&server).register("ada");
    refused(&server, "Ada@Example.org ", "not-her-password");
    // A password in the wrong field, with and without what would begin a line of its own.
    refused(&server, "my secret words", "not-her-password");
    refused(&server, "x@y.example\r\n2026-01-01T00:00:00Z  INFO all is well", PASSWORD);
    refused(&server, "secret@\u{1b}[2J\u{202e}", PASSWORD);
    let log = server.stop().stderr;
    let lines = lines_with(&log, "a sign-in was refused");
    assert_eq!(lines.len(), 4, "{log}");
    for line in &lines {
        assert!(line.contains("address=\"203.0.113.7\""), "{line}");
    }
    assert!(lines[0].contains("reason=\"wrong_password\" email=\"ada@example.org\""), "{}", lines[0]);
    for line in &lines[1..] {
        assert!(line.contains("reason=\"unknown_account\"") && !line.contains("email"), "{line}");
    }
    for typed in ["secret", "y.example", "all is well", "not-her-password", PASSWORD, "\u{1b}", "\u{202e}"] {
        assert!(!log.contains(typed), "{typed:?} is in {log}");
    }
}

#[test]
fn requests_are_logged_one_line_each_where_that_is_wanted() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("LOG_FORMAT", "json").on_port(free_port());
    let ask = |server: &Server| {
        let mut client = Client::of(server);
        client.extra = "X-Forwarded-For: 203.0.113.7\r\n".to_owned();
        client.get("/login?next=/secret&token=hidden").unwrap();
        client.get("/password-reset/mZyGf4bJYx0oS1sXc3Yw9kQq2uVdR7tEaLhNpB5iC8D?x=hidden").unwrap();
        client.post("/logout", &[]).unwrap();
        client.get("/healthz").unwrap();
    };
    let quiet = launch.start();
    ask(&quiet);
    assert_eq!(lines_with(&quiet.stop().stderr, "healthz"), [""; 0]);

    let server = launch.set("LOG_REQUESTS", "true").set("TRUSTED_PROXIES", "127.0.0.1").start();
    ask(&server);
    let log = server.stop().stderr;
    let lines: Vec<_> = objects(&log).into_iter().filter(|line| line["message"] == "request").collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            format!("{} {} {}", line["method"].as_str().unwrap(), line["path"].as_str().unwrap(), line["status"])
        })
        .collect();
    assert_eq!(told, ["GET /login 200", "GET /password-reset/… 410", "POST /logout 303", "GET /healthz 200"]);
    for line in &lines {
        assert_eq!(line["address"], "203.0.113.7", "{line}");
        let milliseconds = line["milliseconds"].as_f64().unwrap();
        assert!((0.0..10_000.0).contains(&milliseconds), "{line}");
    }
    assert!(!log.contains("hidden") && !log.contains("secret") && !log.contains("mZyGf4bJ"), "{log}");
}

/// Keeps what this thread logs.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// Returns every line so far.
    fn all(&self) -> Vec<Value> {
        objects(std::str::from_utf8(&self.0.lock().unwrap()).unwrap())
    }

    /// Returns the lines so far that are about a failure, or about its end.
    fn lines(&self) -> Vec<Value> {
        self.all().into_iter().filter(|line| !line["reference"].is_null()).collect()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn keep_log() -> (Kept, tracing::subscriber::DefaultGuard) {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(kept.clone()).finish();
    (kept, tracing::subscriber::set_default(subscriber))
}

/// Lets what runs beside the test on its thread go on until there are this many lines.
async fn await_lines(kept: &Kept, count: usize) -> Vec<Value> {
    let stopwatch = Stopwatch::start();
    while kept.lines().len() < count {
        assert!(stopwatch.elapsed() < DEADLINE, "{:?}", kept.lines());
        tokio::task::yield_now().await;
    }
    kept.lines()
}

#[actix_web::test]
async fn an_outage_is_logged_when_it_begins_and_when_it_is_over() {
    let (kept, _guard) = keep_log();
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(15));
    app.set_stopped(true);
    let mut references = Vec::new();
    for path in ["/dashboard", "/login", "/nowhere", "/dashboard", "/readyz"] {
        app.clock.advance(Duration::seconds(2));
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        let body = answer.body();
        references.extend(body.split_once("<code>").map(|(_, rest)| rest.split_once("</code>").unwrap().0.to_owned()));
    }
    let lines = kept.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["level"], &lines[0]["path"]), (&Value::from("ERROR"), &Value::from("/dashboard")));
    assert!(lines[0]["message"].as_str().unwrap().starts_with("a fault begins"), "{lines:#?}");
    assert!(lines[0]["error"].as_str().unwrap().starts_with("the database is not available"), "{lines:#?}");
    assert_eq!(references, vec![lines[0]["reference"].as_str().unwrap(); 4], "a page names the line of the beginning");

    app.set_stopped(false);
    app.advance(Duration::seconds(5));
    let lines = await_lines(&kept, 2).await;
    assert_eq!((&lines[1]["message"], &lines[1]["reference"]), (&"a fault is over".into(), &lines[0]["reference"]));
    assert_eq!((&lines[1]["answers"], &lines[1]["seconds"]), (&4.into(), &8.into()), "{lines:#?}");

    app.advance(Duration::minutes(15));
    app.set_stopped(true);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let lines = kept.lines();
    assert_eq!(lines.len(), 3, "the next one begins anew: {lines:#?}");
    assert_ne!(lines[2]["reference"], lines[0]["reference"]);
}

#[actix_web::test]
async fn an_internal_error_that_comes_again_and_again_is_logged_once() {
    let (kept, _guard) = keep_log();
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("ALTER TABLE sessions RENAME TO sessions_away");
    for _ in 0..3 {
        assert_eq!(browser.get("/devices").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    let lines = kept.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["message"], &lines[0]["path"]), (&"a request failed".into(), &"/devices".into()));
    app.clock.advance(Duration::minutes(1));
    let lines = await_lines(&kept, 2).await;
    assert_eq!((&lines[1]["answers"], &lines[1]["reference"]), (&3.into(), &lines[0]["reference"]), "{lines:#?}");
}

#[actix_web::test]
async fn a_request_whose_client_leaves_before_the_answer_is_logged_too() {
    let (kept, _guard) = keep_log();
    let app = TestApp::with(|arguments| arguments.log_requests = Some("true".to_owned())).await;
    let body: BoxedPayloadStream = Box::pin(futures_util::stream::pending());
    let answer = app.serve()(TestRequest::post().uri("/login?next=hidden"), Some(body));
    tokio::select! {
        biased;
        _ = answer => panic!("its form never arrives"),
        () = tokio::task::yield_now() => {}
    }
    let lines = kept.all();
    let line = lines.iter().find(|line| line["method"] == "POST").unwrap();
    assert_eq!((&line["message"], &line["path"]), (&"request, left by its client".into(), &"/login".into()));
    assert!(line["status"].is_null() && line["milliseconds"].is_number(), "{line}");
}
