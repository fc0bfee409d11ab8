//! What one client may hold: memory, descriptors and time, whatever it sends and whenever it stops sending.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::{Answer, Client, connect, exchange, read_answer};
use crate::support::patience::{Stopwatch, let_pass, until};
use crate::support::server::{Launch, Server, empty_folder};

/// What a connection may cost at most, whatever its client does.
const MOST_MEMORY: u64 = 256 * 1024;

/// How much longer than its limit something may take on a busy machine.
const SLACK: Duration = Duration::from_secs(8);

fn started() -> (TempDir, Server) {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    (folder, server)
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

/// A form that names no browser, which is refused once it was read.
fn form(framing: &str, body: &str) -> String {
    request("POST", "/login", &format!("Content-Type: application/x-www-form-urlencoded\r\n{framing}")) + body
}

/// Sends bytes, reads until the server closes, and returns all that came with how long that took.
fn until_closed(address: SocketAddr, bytes: &str) -> (String, Duration) {
    let mut stream = connect(address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let stopwatch = Stopwatch::start();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    (String::from_utf8(received).unwrap(), stopwatch.elapsed())
}

/// Returns the status codes of answers that came on one connection.
fn statuses(received: &str) -> Vec<&str> {
    received.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

#[test]
fn a_client_that_falls_silent_is_let_go_wherever_it_stopped() {
    let (_folder, server) = started();
    let page = request("GET", "/login", "");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let cases = [
        ("before a first head", String::new(), vec![], 5),
        ("in a first head", "GET /login HTT".to_owned(), vec!["408"], 5),
        ("after an answer", page.clone(), vec!["200"], 5),
        ("in a second head", format!("{page}GET /log"), vec!["200", "408"], 5),
        ("in chunks that nobody reads", request("POST", "/nothing-here", chunked) + "5\r\nhel", vec!["404"], 0),
        ("before chunks that nobody reads", request("GET", "/nothing-here", chunked), vec!["404"], 0),
        ("in chunks on the way to the sign-in", request("POST", "/logout", chunked) + "5\r\nhel", vec!["303"], 0),
        ("in a body that nobody reads", request("POST", "/nothing-here", "Content-Length: 9\r\n"), vec!["404"], 0),
        ("in a form", form("Content-Length: 9\r\n", "form"), vec!["408"], 10),
        ("in the chunks of a form", form(chunked, "5\r\nform"), vec!["408"], 10),
        ("after a form that was refused", form("Content-Length: 3\r\n", "a=b"), vec!["403"], 5),
        ("in another protocol", request("GET", "/login", "Connection: Upgrade\r\nUpgrade: chat\r\n"), vec!["200"], 0),
    ];
    thread::scope(|scope| {
        for (name, bytes, expected, seconds) in &cases {
            let address = server.address;
            scope.spawn(move || {
                let (received, waited) = until_closed(address, bytes);
                assert_eq!(&statuses(&received), expected, "{name}: {received}");
                let limit = Duration::from_secs(*seconds);
                assert!((limit..limit + SLACK).contains(&(waited + Duration::from_millis(50))), "{name}: {waited:?}");
            });
        }
    });
}

#[test]
fn a_second_head_that_drips_has_no_more_time_than_a_first() {
    let (_folder, server) = started();
    let mut stream = connect(server.address).unwrap();
    stream.write_all(request("GET", "/login", "").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    let stopwatch = Stopwatch::start();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(b"GET /login HTTP/1.1\r\n").unwrap();
    let refused = until("a refusal", || {
        // The server may have closed already, which the next look at its answer shows.
        let _sent = stream.write_all(b"X-Drip: drip\r\n");
        read_answer(&mut stream).ok()
    });
    assert_eq!(refused.status, 408, "{refused:?}");
    assert!(stopwatch.elapsed() < Duration::from_secs(5) + SLACK, "{:?}", stopwatch.elapsed());
}

#[test]
fn requests_that_come_at_once_are_answered_one_after_the_other() {
    let (_folder, server) = started();
    let get = request("GET", "/login", "");
    let last = request("GET", "/healthz", "Connection: close\r\n");
    let head = request("HEAD", "/login", "");
    let (received, _) = until_closed(server.address, &format!("{get}{head}{last}"));
    let answers: Vec<_> = received.split("HTTP/1.1 ").skip(1).collect();
    let bodies: Vec<_> = answers.iter().map(|answer| answer.split_once("\r\n\r\n").unwrap().1).collect();
    assert!(bodies[0].ends_with("</html>") && bodies[1].is_empty() && bodies[2] == "ok", "{received}");
    let length =
        |answer: &str| answer.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    assert_eq!(length(answers[1]), length(answers[0]), "HEAD tells what GET sends");

    for (name, before) in [
        ("a form", form("Content-Length: 3\r\n", "a=b")),
        (
            "a form in chunks",
            form("Transfer-Encoding: chunked\r\n", "1\r\na\r\n2;x=y\r\n=b\r\n0\r\nTrailer: t\r\n\r\n"),
        ),
        ("a form that asks first", form("Content-Length: 3\r\nExpect: 100-continue\r\n", "a=b")),
        ("an empty line", "\r\n".to_owned()),
        ("bare line feeds", get.replace('\r', "")),
        ("an empty body", request("GET", "/login", "Content-Length: 0\r\n")),
    ] {
        let (received, _) = until_closed(server.address, &format!("{before}{last}"));
        assert!(received.ends_with("\r\n\r\nok"), "{name}: {received}");
    }
}

#[test]
fn a_form_may_come_in_pieces_of_any_size() {
    let (_folder, server) = started();
    let whole = form("Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n0\r\n\r\n")
        + &request("GET", "/healthz", "Connection: close\r\n");
    for size in [1, 2, 3, 7, 50] {
        let mut stream = connect(server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in whole.as_bytes().chunks(size) {
            stream.write_all(piece).unwrap();
            thread::yield_now();
        }
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        assert_eq!(statuses(&received), ["403", "200"], "{size}: {received}");
    }
}

#[test]
fn what_is_no_request_gets_the_headers_and_the_page_of_any_error() {
    let (_folder, server) = started();
    let large = request("GET", "/", &format!("X-Large: {}\r\n", "x".repeat(80 * 1024)));
    for (bytes, status) in [
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
        (&large, 431),
        ("GET / HTTP/1.1\r\nHost: x\r\n", 408),
    ] {
        let answer = exchange(server.address, bytes.as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("content-type", "text/html; charset=utf-8"),
            ("connection", "close"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{answer:?}");
        assert!(answer.header("date").is_some() && answer.body.contains("<h1>"), "{answer:?}");
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

/// Returns how many bytes of memory a process has.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends as much as the server takes within a moment, and reads nothing.
fn flood(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let _as_far_as_it_goes = stream.write_all(bytes);
    stream
}

#[test]
fn no_client_takes_more_than_its_share_of_memory() {
    let (_folder, server) = started();
    assert_eq!(Client::of(&server).get("/login").unwrap().status, 200);
    let before = memory(&server);
    const CONNECTIONS: u64 = 60;
    let pipelined = request("GET", "/login", "").repeat(4_200);
    let endless_head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1024 * 1024));
    let endless_form = form("Content-Length: 100000000\r\n", &"x".repeat(1024 * 1024));
    let unread = request("POST", "/nothing-here", "Content-Length: 100000000\r\n") + &"x".repeat(1024 * 1024);
    let hostile = [pipelined, endless_head, endless_form, unread];
    let held: Vec<_> = thread::scope(|scope| {
        let address = server.address;
        let floods: Vec<_> = hostile
            .iter()
            .flat_map(|bytes| std::iter::repeat_n(bytes, CONNECTIONS as usize / hostile.len()))
            .map(|bytes| scope.spawn(move || flood(address, bytes.as_bytes())))
            .collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).collect()
    });
    let after = memory(&server);
    assert!(after < before + CONNECTIONS * MOST_MEMORY, "{before} bytes before, {after} with {CONNECTIONS} floods");
    assert_eq!(Client::of(&server).get("/login").unwrap().status, 200);
    drop(held);
}

#[test]
fn a_client_that_takes_no_answer_is_let_go() {
    let (_folder, server) = started();
    let mut stream = connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let many = request("GET", "/login", "").repeat(4_200);
    let _as_far_as_it_goes = stream.write_all(many.as_bytes());
    until("the connection", || (server.connections() == 1).then_some(()));
    let stopwatch = Stopwatch::start();
    until("an end of the connection", || (server.connections() == 0).then_some(()));
    assert!(stopwatch.elapsed() > Duration::from_secs(8), "{:?}", stopwatch.elapsed());
}

#[test]
fn an_address_holds_so_many_connections_and_no_more() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("CONNECTIONS_PER_ADDRESS", "3").start();
    let held: Vec<_> = (0..3).map(|_| connect(server.address).unwrap()).collect();
    until("three connections", || (server.connections() == 3).then_some(()));
    let refused = connect(server.address).and_then(|mut stream| read_answer(&mut stream)).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")), "{refused:?}");
    assert!(refused.body.contains("<h1>"), "{refused:?}");
    drop(held);
    until("room", || Client::of(&server).get("/login").ok().filter(|answer| answer.status == 200));

    let proxied = empty_folder();
    let server = Launch::in_folder(proxied.path())
        .set("CONNECTIONS_PER_ADDRESS", "3")
        .set("TRUSTED_PROXIES", "127.0.0.0/8")
        .start();
    let held: Vec<_> = (0..10).map(|_| connect(server.address).unwrap()).collect();
    until("ten connections", || (server.connections() == 10).then_some(()));
    assert_eq!(Client::of(&server).get("/login").unwrap().status, 200);
    drop(held);
}

#[test]
fn the_limit_of_open_files_is_raised_at_the_start() {
    let (_folder, server) = started();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "soft and hard: {line}");
}

/// How a client that goes on and on while the server stops has fared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fared {
    answered: u64,
    broken: Vec<String>,
}

/// Asks again and again until nobody listens any more; each connection carries as many requests as the server lets it.
fn ask_until_refused(address: SocketAddr) -> Fared {
    let mut fared = Fared::default();
    loop {
        let mut stream = match TcpStream::connect(address) {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return fared,
            Err(error) => {
                fared.broken.push(format!("no connection: {error}"));
                continue;
            }
        };
        stream.set_read_timeout(Some(SLACK)).unwrap();
        loop {
            match ask(&mut stream) {
                Ok(answer) => {
                    fared.answered += 1;
                    if answer.header("connection") == Some("close") {
                        break;
                    }
                }
                Err(error) => {
                    fared.broken.push(format!("no answer: {error}"));
                    break;
                }
            }
        }
    }
}

fn ask(stream: &mut TcpStream) -> io::Result<Answer> {
    stream.write_all(request("GET", "/login", "").as_bytes())?;
    read_answer(stream)
}

#[test]
fn a_stop_breaks_no_request_that_has_come() {
    let (_folder, server) = started();
    let address = server.address;
    let fared: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(move || ask_until_refused(address))).collect();
        let_pass(Duration::from_millis(500));
        assert_eq!(server.stop().code(), Some(0));
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for fared in fared {
        assert!(fared.answered > 0 && fared.broken.is_empty(), "{fared:?}");
    }
}

#[test]
fn an_idle_connection_holds_up_no_stop_and_a_half_sent_request_is_finished() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("DRAIN_TIME", "0s").start();
    let mut kept = connect(server.address).unwrap();
    assert_eq!(ask(&mut kept).unwrap().status, 200);
    let mut half = connect(server.address).unwrap();
    let page = request("GET", "/login", "");
    half.write_all(&page.as_bytes()[..20]).unwrap();
    until("two connections", || (server.connections() == 2).then_some(()));
    let stopwatch = Stopwatch::start();
    server.signal(Signal::TERM);
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && stopwatch.elapsed() < Duration::from_secs(4), "{:?}", stopwatch.elapsed());
    half.write_all(&page.as_bytes()[20..]).unwrap();
    let answer = read_answer(&mut half).unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    half.shutdown(Shutdown::Both).unwrap();
    assert_eq!(server.finish().code(), Some(0));
}

#[test]
fn readiness_says_so_for_as_long_as_a_proxy_needs_to_notice() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("DRAIN_TIME", "3s").start();
    let stopwatch = Stopwatch::start();
    server.signal(Signal::TERM);
    until("the change of readiness", || {
        exchange(server.address, request("GET", "/readyz", "").as_bytes()).ok().filter(|answer| answer.status == 503)
    });
    let_pass(Duration::from_secs(2).saturating_sub(stopwatch.elapsed()));
    assert_eq!(Client::of(&server).get("/login").unwrap().status, 200, "pages are served meanwhile");
    assert_eq!(server.finish().code(), Some(0));
    assert!(stopwatch.elapsed() >= Duration::from_secs(3), "{:?}", stopwatch.elapsed());
}
