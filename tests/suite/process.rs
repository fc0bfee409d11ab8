//! The program as a process: what a start leaves behind, what survives a restart, how it stops.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, PASSWORD, REFRESH, connect, read_answer};
use crate::support::patience::{Stopwatch, until};
use crate::support::server::{Launch, empty_folder, files, free_port};

fn mode(folder: &Path, name: &str) -> u32 {
    std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_empty_folder_is_all_it_needs() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let url = format!("http://localhost:{}", server.address.port());
    assert!(server.banner.contains(&format!("serves {url}\n")), "{}", server.banner);
    assert!(server.banner.contains(&format!("Create the first account at {url}/register\n")), "{}", server.banner);
    for name in files(folder.path()) {
        assert!(name == "perennial.key" || name.starts_with("perennial.db"), "{name}");
        assert_eq!(mode(folder.path(), &name), 0o600, "{name}");
    }
    let mut client = Client::of(&server);
    let page = client.get("/login").unwrap();
    assert_eq!(page.status, 200);
    for (before, kind) in
        [("<link rel=\"stylesheet\" href=\"", "text/css"), ("<link rel=\"icon\" href=\"", "image/svg")]
    {
        let file = client.get(page.between(before).unwrap()).unwrap();
        assert_eq!(file.status, 200);
        assert!(file.header("content-type").unwrap().starts_with(kind), "{file:?}");
        assert!(!file.body.is_empty());
    }
    for probe in ["/healthz", "/readyz"] {
        let answer = client.get(probe).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{probe}");
    }
    client.register("ada");
    assert!(client.is_signed_in());
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert_eq!(files(folder.path()), ["perennial.db", "perennial.key"]);
}

#[test]
fn a_sign_in_outlives_a_restart() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    assert_eq!(server.stop().code(), Some(0));

    let server = launch.start();
    let port = server.address.port();
    assert!(server.banner.contains(&format!("Sign in at http://localhost:{port}/login")), "{}", server.banner);
    let before = client.jar.clone();
    assert!(client.is_signed_in(), "the access token");
    assert_eq!(client.jar, before, "nothing changed, so no cookie is set");
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in(), "the refresh token");
    assert_eq!(client.jar.get(REFRESH), before.get(REFRESH), "it is fresh");
    let mut rows = Rows::of(folder.path());
    rows.age_rotations();
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in(), "the refresh token, later");
    assert_ne!(client.jar.get(REFRESH), before.get(REFRESH));
    assert_eq!(rows.count_events("signed_in"), 1);
}

#[test]
fn each_stop_signal_lets_the_request_in_flight_finish() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let folder = empty_folder();
        let server = Launch::in_folder(folder.path()).start();
        let mut client = Client::of(&server);
        client.register("ada");
        let mut slow = Client::of(&server);
        let token = slow.form_token("/login");
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("email", "ada@example.org"), ("password", PASSWORD), ("form_token", &token)])
            .finish();
        let (first, rest) = form.split_at(form.len() / 2);
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let head = slow.head("POST", "/login", &format!("{kind}Content-Length: {}\r\n", form.len()));
        let mut in_flight = connect(server.address).unwrap();
        in_flight.write_all(head.as_bytes()).unwrap();
        in_flight.write_all(first.as_bytes()).unwrap();
        assert!(client.is_signed_in(), "the server has had the time to take the slow request up");

        server.signal(signal);
        let answer = until("readiness to turn", || client.get("/readyz").ok().filter(|answer| answer.status != 200));
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(client.is_signed_in(), "who still comes is served");
        until("no new connection to be taken", || client.get("/readyz").err());
        in_flight.write_all(rest.as_bytes()).unwrap();
        let answer = read_answer(&mut in_flight).unwrap();
        assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{answer:?}");
        assert!(answer.sets(REFRESH) || answer.sets(ACCESS), "{answer:?}");
        let finished = server.finish();
        assert_eq!(finished.code(), Some(0), "{finished:?}");
        assert!(!finished.stderr.contains("ERROR"), "{finished:?}");
    }
}

#[test]
fn a_connection_that_is_kept_open_does_not_hold_the_stop_up() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let mut idle = connect(server.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut idle).unwrap().status, 200);
    let stopwatch = Stopwatch::start();
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(stopwatch.elapsed() < Duration::from_secs(10), "{:?}", stopwatch.elapsed());
}

#[test]
fn what_was_answered_survives_a_kill() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    server.kill();
    let server = launch.start();
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in());
    client.sign_out();
    server.kill();
    let _server = launch.start();
    assert!(!client.is_signed_in());
}

#[test]
fn starts_at_once_in_one_empty_folder_agree_on_one_key_and_one_database() {
    let folder = empty_folder();
    let url = format!("http://localhost:{}", free_port());
    let launches = [(); 4].map(|()| Launch::in_folder(folder.path()).on_port(free_port()).set("PUBLIC_URL", &url));
    let servers = std::thread::scope(|scope| {
        let starting = launches.each_ref().map(|launch| scope.spawn(|| launch.start()));
        starting.map(|starting| starting.join().unwrap())
    });
    let mut client = Client::of(&servers[0]);
    client.register("ada");
    for server in &servers {
        client.address = server.address;
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
    }
}
