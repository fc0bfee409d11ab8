//! Requests that no browser sends: slow, large, many. The server answers briefly and goes on.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::client::{Answer, Client, REFRESH, connect, exchange, read_answer};
use crate::support::patience::Stopwatch;
use crate::support::server::{Launch, Server, empty_folder};

/// Sends the beginning of a request and nothing more, and returns the answer with how long it took to come.
fn begin(address: SocketAddr, beginning: &str) -> (Answer, Duration) {
    let stopwatch = Stopwatch::start();
    let mut stream = connect(address).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    let answer = read_answer(&mut stream).unwrap();
    (answer, stopwatch.elapsed())
}

fn started() -> (tempfile::TempDir, Server) {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    (folder, server)
}

#[test]
fn a_slow_head_and_a_slow_body_are_told_so() {
    let (_folder, server) = started();
    let mut client = Client::of(&server);
    let token = client.form_token("/login");
    let kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n";
    let slow_body = client.head("POST", "/login", kind) + "form_token=" + &token;
    let (head, body) = std::thread::scope(|scope| {
        let head = scope.spawn(|| begin(server.address, "GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: "));
        let body = begin(server.address, &slow_body);
        (head.join().unwrap(), body)
    });
    for ((answer, waited), from, to) in [(head, 4, 12), (body, 9, 17)] {
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!((Duration::from_secs(from)..Duration::from_secs(to)).contains(&waited), "{waited:?}");
    }
    assert_eq!(client.get("/login").unwrap().status, 200);
}

#[test]
fn a_large_head_does_no_harm() {
    let (_folder, server) = started();
    let mut client = Client::of(&server);
    client.register("ada");
    client.extra = format!("X-Long: {}\r\n", "x".repeat(16 * 1024));
    assert!(client.is_signed_in());
    client.extra = format!("Cookie: {}\r\n", "y".repeat(16 * 1024));
    assert!(client.is_signed_in());
    let flood = format!("GET /login HTTP/1.1\r\nX-Long: {}", "x".repeat(4 * 1024 * 1024));
    let refused = exchange(server.address, flood.as_bytes());
    assert!(refused.as_ref().map_or(true, |answer| (400..500).contains(&answer.status)), "{refused:?}");
    client.extra.clear();
    assert!(client.is_signed_in());
}

#[test]
fn a_hundred_cookies_do_no_harm() {
    let (_folder, server) = started();
    let mut client = Client::of(&server);
    client.register("ada");
    let many: Vec<String> = (0..100).map(|number| format!("cookie{number}={number}")).collect();
    client.extra = format!("Cookie: {}\r\n", many.join("; "));
    assert!(client.is_signed_in());
    let planted: Vec<String> = (0..100).map(|number| format!("{REFRESH}={number}")).collect();
    client.extra = format!("Cookie: {}\r\n", planted.join("; "));
    let before = client.jar.clone();
    assert!(client.is_signed_in(), "the good cookie comes first, and the others do not hide it");
    client.extra.clear();
    assert_eq!(client.jar.get(REFRESH).is_some(), before.get(REFRESH).is_some());
    assert!(client.is_signed_in());
}

#[test]
fn a_form_of_more_than_16_kilobytes_is_refused() {
    let (_folder, server) = started();
    let mut client = Client::of(&server);
    let token = client.form_token("/login");
    let long = "x".repeat(16 * 1024);
    let answer = client.post("/login", &[("form_token", &token), ("email", &long)]).unwrap();
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.body.contains("It has more than this page takes"), "{answer:?}");
    let fits = "x".repeat(15 * 1024);
    let answer = client.post("/login", &[("form_token", &token), ("email", &fits), ("password", "y")]).unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    // More than the socket holds: the server answers before everything was sent, and may close on the rest.
    let huge = "x".repeat(8 * 1024 * 1024);
    let answer = client.post("/login", &[("form_token", &token), ("password", &huge)]);
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 413), "{answer:?}");
    assert_eq!(client.get("/login").unwrap().status, 200);
}
