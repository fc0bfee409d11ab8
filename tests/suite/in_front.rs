//! Nodes restarted one after another behind nginx and HAProxy, each configured as the README says: no request fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::chromium::find_program;
use crate::support::client::{ACCESS, Answer, Client};
use crate::support::patience::{let_pass, until};
use crate::support::readme::{block, with};
use crate::support::server::{Launch, Server, empty_folder, free_port};
use crate::support::traffic::{Traffic, while_browsing};

/// What the README asks to wait after a node is ready, before the next one is restarted.
const BETWEEN_NODES: Duration = Duration::from_secs(1);

/// How often each node is restarted.
const ROUNDS: usize = 2;

/// A proxy; it is killed when this goes.
struct Front {
    child: Child,
    address: SocketAddr,
}

impl Front {
    /// Starts it, and waits until it passes requests on.
    fn start(mut command: Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let front = Self { child, address: ([127, 0, 0, 1], port).into() };
        until("the proxy", || Client::at(front.address).get("/readyz").ok().filter(|answer| answer.status == 200));
        front
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Its worker ends with it.
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

/// Ends the traffic, also when a test fails half-way, so that no thread waits for ever.
struct FinishOnDrop<'a>(&'a Traffic);

impl Drop for FinishOnDrop<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Two nodes on one database, which people reach at a port that is not theirs.
struct Nodes {
    launches: [Launch; 2],
    servers: [Option<Server>; 2],
    front: u16,
    folder: TempDir,
}

impl Nodes {
    fn start() -> Self {
        let (folder, front) = (empty_folder(), free_port());
        let launches = [(); 2].map(|()| {
            let launch = Launch::in_folder(folder.path()).on_port(free_port());
            let launch = launch.set("PUBLIC_URL", &format!("http://localhost:{front}"));
            // So that every request without an access token renews.
            launch.set("TRUSTED_PROXIES", "127.0.0.1").set("REUSE_GRACE", "0s")
        });
        let servers = launches.each_ref().map(|launch| Some(launch.start()));
        Self { launches, servers, front, folder }
    }

    fn address(&self, node: usize) -> String {
        self.servers[node].as_ref().unwrap().address.to_string()
    }

    /// Restarts one after another, as the README says.
    fn restart_in_turn(&mut self) {
        for (launch, server) in self.launches.iter().zip(&mut self.servers) {
            let finished = server.take().unwrap().stop();
            assert_eq!(finished.code(), Some(0), "{finished:?}");
            let started = server.insert(launch.start());
            let ready = || Client::of(started).get("/readyz").ok().filter(|answer| answer.status == 200);
            until("the node to be ready", ready);
            let_pass(BETWEEN_NODES);
        }
    }

    /// Lets people browse and sign in through a proxy while every node is restarted, and counts what fails.
    fn assert_nobody_notices(&mut self, front: &Front) {
        let mut clients = [(); 3].map(|()| Client::at(front.address));
        for (number, client) in clients.iter_mut().enumerate() {
            client.register(&format!("user{number}"));
        }
        let sign_ins = AtomicU64::new(0);
        while_browsing(&mut clients, |traffic| {
            thread::scope(|scope| {
                let signing_in = scope.spawn(|| {
                    while !traffic.is_over() {
                        let mut stranger = Client::at(front.address);
                        assert_eq!(stranger.sign_in("user0").status, 303);
                        assert!(stranger.is_signed_in());
                        sign_ins.fetch_add(1, Ordering::SeqCst);
                    }
                });
                let finish = FinishOnDrop(traffic);
                for _ in 0..ROUNDS {
                    self.restart_in_turn();
                    let before = sign_ins.load(Ordering::SeqCst);
                    until("a sign-in", || {
                        (sign_ins.load(Ordering::SeqCst) > before || signing_in.is_finished()).then_some(())
                    });
                    traffic.renewed_by_all(1);
                }
                drop(finish);
                signing_in.join().unwrap();
            });
            assert_eq!(traffic.broken(), 0, "connections that broke");
        });
    }
}

#[test]
#[ignore = "needs nginx"]
fn nobody_behind_nginx_notices_a_rolling_restart() {
    let program = find_program(&["nginx"]);
    let mut nodes = Nodes::start();
    let folder = nodes.folder.path().display().to_string();
    let own = with(
        block("nginx", "upstream perennial"),
        &[
            ("10.0.0.11:8080", nodes.address(0)),
            ("10.0.0.12:8080", nodes.address(1)),
            ("listen 443 ssl;", format!("listen 127.0.0.1:{};", nodes.front)),
            ("ssl_certificate /etc/ssl/sign-in.pem;", String::new()),
            ("ssl_certificate_key /etc/ssl/private/sign-in.key;", String::new()),
        ],
    );
    let around = format!(
        "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
         events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n\
         {own}}}\n"
    );
    let file = nodes.folder.path().join("nginx.conf");
    std::fs::write(&file, around).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(&file);
    let front = Front::start(command, nodes.front);
    nodes.assert_nobody_notices(&front);
}

#[test]
#[ignore = "needs haproxy"]
fn nobody_behind_haproxy_notices_a_rolling_restart() {
    let program = find_program(&["haproxy"]);
    let mut nodes = Nodes::start();
    let own = with(
        block("haproxy", "option httpchk GET /readyz"),
        &[
            ("10.0.0.11:8080", nodes.address(0)),
            ("10.0.0.12:8080", nodes.address(1)),
            ("bind :443 ssl crt /etc/haproxy/sign-in.pem", format!("bind 127.0.0.1:{}", nodes.front)),
        ],
    );
    let file = nodes.folder.path().join("haproxy.cfg");
    std::fs::write(&file, own).unwrap();
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(&file);
    let front = Front::start(command, nodes.front);
    nodes.assert_nobody_notices(&front);
}

/// The page for who comes from tokens in the browser.
const COMING_FROM_TOKENS: &str = include_str!("../../docs/coming-from-tokens.md");

#[test]
#[ignore = "needs nginx"]
fn an_application_behind_nginx_is_for_who_is_signed_in_and_costs_no_sign_in() {
    let program = find_program(&["nginx"]);
    let folder = empty_folder();
    let (front, port) = (free_port(), free_port());
    let launch = Launch::in_folder(folder.path()).on_port(port).set("TRUSTED_PROXIES", "127.0.0.1");
    let server = launch.set("PUBLIC_URL", &format!("http://localhost:{front}")).set("REUSE_GRACE", "0s").start();
    let application = TcpListener::bind("127.0.0.1:0").unwrap();
    let behind = application.local_addr().unwrap();
    thread::spawn(move || {
        for stream in application.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nthe app").unwrap();
        }
    });
    let block = COMING_FROM_TOKENS.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let own = with(
        block,
        &[
            ("127.0.0.1:8080", server.address.to_string()),
            ("127.0.0.1:8501", behind.to_string()),
            ("listen 80;", format!("listen 127.0.0.1:{front};")),
        ],
    );
    let shown = folder.path().display();
    let around = format!(
        "daemon off;\nworker_processes 1;\npid {shown}/nginx.pid;\nerror_log {shown}/nginx.log;\n\
         events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {shown}/body;\nproxy_temp_path {shown}/proxy;\n\
         {own}}}\n"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, around).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(&file);
    let nginx = Front::start(command, front);
    let mut ada = Client::at(nginx.address);
    let to_sign_in = |answer: Answer| {
        assert_eq!(answer.status, 303, "{answer:?}");
        let place = answer.header("location").unwrap();
        assert!(place.ends_with("/login?next=/app/page"), "{place}");
        place[place.find("/login").unwrap()..].to_owned()
    };
    to_sign_in(ada.get("/app/page").unwrap());
    ada.register("ada");
    assert_eq!(ada.get("/app/page").unwrap().body, "the app");
    // More often than answers with new tokens may be lost.
    for _ in 0..12 {
        ada.jar.remove(ACCESS);
        let login = to_sign_in(ada.get("/app/page").unwrap());
        let back = ada.get(&login).unwrap();
        assert_eq!((back.status, back.header("location")), (303, Some("/app/page")), "{back:?}");
        assert_eq!(ada.get("/app/page").unwrap().body, "the app");
    }
    assert!(ada.is_signed_in());
    assert_eq!(server.stop().code(), Some(0));
}
