//! The name of each request: in its answer, on its error page and in the log.

use actix_web::http::StatusCode;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::server::{Launch, empty_folder};

fn is_name(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[actix_web::test]
async fn every_answer_has_a_name_of_its_own() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut seen = Vec::new();
    for (path, status) in [
        ("/dashboard", 200),
        ("/login", 303),
        ("/nowhere", 404),
        ("/logout", 405),
        ("/healthz", 200),
        ("/robots.txt", 200),
        ("/api/session", 401),
        ("/api/nowhere", 404),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).unwrap(), "{path}");
        let name = answer.header("x-request-id").to_owned();
        assert!(is_name(&name) && !seen.contains(&name), "{path}: {name}");
        if path == "/nowhere" || path == "/logout" {
            assert!(answer.body().contains(&format!("<samp>{name}</samp>")), "{}", answer.body());
        }
        seen.push(name);
    }
}

#[test]
fn the_log_names_a_request_as_its_answer_does_and_takes_no_name_from_a_client() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("LOG_REQUESTS", "true").start();
    let mut client = Client::of(&server);
    client.register("root");
    client.extra = "X-Request-Id: forged\r\nX-Forwarded-For: 203.0.113.7\r\n".to_owned();
    let page = client.get("/nowhere").unwrap();
    let of_page = page.header("x-request-id").unwrap().to_owned();
    let mut stranger = Client::of(&server);
    let refused = stranger.submit("/login", "/login", &[("email", "root@example.org"), ("password", "a wrong one")]);
    let of_refusal = refused.header("x-request-id").unwrap().to_owned();
    // What Actix answers itself, because it is no request, has a name too.
    let malformed = client.get("/ HTTP/9.9\r\nbroken").unwrap();
    assert_eq!(malformed.status, 400);
    assert!(is_name(malformed.header("x-request-id").unwrap()), "{malformed:?}");
    let log = server.stop().stderr;
    assert!(!log.contains("forged"), "{log}");
    let named = |name: &str| log.lines().filter(|line| line.contains(name)).collect::<Vec<_>>();
    let lines = named(&of_page);
    assert!(lines.len() == 1 && lines[0].contains("path=\"/nowhere\" status=404"), "{lines:?}");
    let lines = named(&of_refusal);
    assert_eq!(lines.len(), 2, "the refusal, and the request: {log}");
    assert!(lines[0].contains("a sign-in was refused") && lines[1].contains("status=401"), "{lines:?}");
}
