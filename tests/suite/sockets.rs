//! Where the server listens besides a port of its own: a Unix socket, and a socket that somebody else hands to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::client::Client;
use crate::support::patience::until;
use crate::support::server::{Launch, empty_folder};

/// How often the one node is restarted.
const RESTARTS: u64 = 4;

/// Asks for a page by a Unix socket, and returns all of the answer.
fn ask(path: &Path, head: &str) -> Option<String> {
    let mut stream = UnixStream::connect(path).ok()?;
    stream.write_all(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_unix_socket_serves_like_a_port_and_is_gone_afterwards() {
    let folder = empty_folder();
    let path = folder.path().join("http.sock");
    let bind = format!("unix:{}", path.display());
    let launch = Launch::in_folder(folder.path()).without("BIND").set("BIND", &bind);
    let missing = launch.finish();
    assert_eq!(missing.code(), Some(2), "{missing:?}");
    assert!(missing.complaint().starts_with("perennial: PUBLIC_URL: is required with a Unix socket"), "{missing:?}");

    let launch = launch.set("PUBLIC_URL", "http://localhost:8080").set("LOG_REQUESTS", "true");
    let launch = launch.set("TRUSTED_PROXIES", "127.0.0.1");
    // A process that was killed leaves its socket behind.
    for _ in 0..2 {
        let server = launch.begin();
        let answer = until("an answer", || ask(&path, "GET /readyz HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let there = std::fs::symlink_metadata(&path).unwrap();
        assert!(there.file_type().is_socket());
        assert_eq!(there.permissions().mode() & 0o777, 0o666);
        server.kill();
        assert!(path.exists());
    }
    let server = launch.begin();
    until("an answer", || ask(&path, "GET /healthz HTTP/1.1"));
    let taken = launch.finish();
    assert_eq!(taken.code(), Some(1), "{taken:?}");
    assert!(taken.stderr.contains(&format!("cannot listen on {bind}: ")), "{taken:?}");
    let page = ask(&path, "GET /login HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7").unwrap();
    assert!(page.contains("<h1>Sign in</h1>"), "{page}");
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(finished.stderr.contains("address=203.0.113.7"), "{finished:?}");
    assert!(!path.exists());
}

/// Ends the visits, also when a test fails half-way, so that no thread waits for ever.
struct FinishOnDrop<'a>(&'a AtomicBool);

impl Drop for FinishOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A server that was handed its socket; it is killed when this goes.
struct Activated(Child);

impl Activated {
    /// Stops it as a service manager does.
    fn stop(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    fn ended(&mut self) -> bool {
        until("the end of the server", || self.0.try_wait().unwrap()).success()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}

/// Starts the server on a socket that this test listens on, as systemd does.
fn activate(listener: &TcpListener, folder: &Path, notify: &Path) -> Activated {
    let handed = OwnedFd::from(listener.try_clone().unwrap());
    // A shell, because only the program itself knows its number.
    let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec '{}' serve 3<&0 </dev/null", env!("CARGO_BIN_EXE_perennial"));
    let child = Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .envs([("BCRYPT_COST", "4"), ("DRAIN_TIME", "0s"), ("BIND", "127.0.0.1:1")])
        .env("NOTIFY_SOCKET", notify)
        .current_dir(folder)
        .stdin(Stdio::from(handed))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Activated(child.unwrap())
}

/// Waits for the next words to systemd.
fn told(notify: &UnixDatagram) -> String {
    let mut words = [0; 256];
    let read = until("words to systemd", || notify.recv(&mut words).ok());
    String::from_utf8(words[..read].to_vec()).unwrap()
}

#[test]
fn a_restart_of_a_single_node_refuses_no_connection() {
    let folder = empty_folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let socket = folder.path().join("notify");
    let notify = UnixDatagram::bind(&socket).unwrap();
    notify.set_nonblocking(true).unwrap();
    let (over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let visitors = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut broken = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    // Each opens a connection of its own.
                    match Client::at(address).get("/login") {
                        Ok(answer) if answer.status == 200 => drop(served.fetch_add(1, Ordering::SeqCst)),
                        other => broken.push(format!("{other:?}")),
                    }
                }
                broken
            })
        });
        let finish = FinishOnDrop(&over);
        for _ in 0..RESTARTS {
            let mut server = activate(&listener, folder.path(), &socket);
            assert_eq!(told(&notify), "READY=1\n");
            let before = served.load(Ordering::SeqCst);
            until("visitors", || (served.load(Ordering::SeqCst) > before + 20).then_some(()));
            server.stop();
            assert_eq!(told(&notify), "STOPPING=1\n");
            assert!(server.ended());
        }
        // Who waits now is served by the last one.
        let mut server = activate(&listener, folder.path(), &socket);
        drop(finish);
        let broken: Vec<_> = visitors.into_iter().flat_map(|visitor| visitor.join().unwrap()).collect();
        server.stop();
        assert!(server.ended());
        assert!(broken.is_empty(), "{broken:?}");
    });
}
