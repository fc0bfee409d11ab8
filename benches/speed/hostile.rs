//! What hostile connections cost, and what is left for honest ones meanwhile, directly and behind nginx.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::Arguments;
use super::client;
use super::load::{Load, Plan, percentile};
use super::process::{Server, free_address};
use super::table::{Row, median};

/// Hostile connections at a time.
const HOSTILE: usize = 1_000;

/// Client addresses that they come from, none of which holds more than it may.
const ADDRESSES: usize = 8;

/// How often each hostile connection is looked after.
const ROUND: Duration = Duration::from_millis(250);

/// Kilobytes that one of them may cost.
const GOAL: f64 = 256.0;

/// What a hostile client sends first, and what it drips from then on.
struct Attack {
    name: &'static str,
    first: Vec<u8>,
    drip: &'static [u8],
}

fn attacks() -> [Attack; 4] {
    let page = "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let form = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 16000\r\n\r\n";
    [
        Attack { name: "a head that drips", first: b"GET / HTTP/1.1\r\n".to_vec(), drip: b"X-Drip: drip\r\n" },
        Attack { name: "a form that drips", first: form.into(), drip: b"x=y&" },
        Attack { name: "4,200 pages asked for at once, and none read", first: page.repeat(4_200).into(), drip: b"" },
        Attack { name: "a page, and a second head that drips", first: page.into(), drip: b"GET" },
    ]
}

/// Measures every attack.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    for attack in attacks() {
        attacked(arguments, rows, &Arc::new(attack), None);
    }
    match Command::new("nginx").arg("-v").output() {
        Ok(_) => {
            for attack in attacks() {
                let folder = tempfile::tempdir().unwrap();
                attacked(arguments, rows, &Arc::new(attack), Some(folder.path()));
            }
        }
        Err(_) => rows.push(Row::note("the same behind nginx", "nginx is not installed")),
    }
}

fn attacked(arguments: &Arguments, rows: &mut Vec<Row>, attack: &Arc<Attack>, nginx: Option<&Path>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::perennial(folder.path(), &[("TRUSTED_PROXIES", "127.0.0.1")]);
    let proxy = nginx.map(|folder| start_nginx(folder, server.address));
    let front = proxy.as_ref().map_or(server.address, |proxy| proxy.address);
    let way = if proxy.is_some() { ", behind nginx" } else { "" };
    let request = client::request("GET", "/login", front, "", "");
    let requests = Arc::new(vec![request]);
    let plan = Plan { address: front, requests, connections: 32, threads: 1, repeats: true, obeys_retry_after: false };
    let (alone, alone_p99) = honest(&plan, arguments.round());
    let before = server.resident();
    let stop = Arc::new(AtomicBool::new(false));
    let attackers = {
        let (attack, stop) = (Arc::clone(attack), Arc::clone(&stop));
        thread::spawn(move || keep_attacking(&attack, front, &stop))
    };
    thread::sleep(Duration::from_secs(2));
    let mut most = server.resident();
    let rounds: Vec<_> = (0..arguments.rounds.min(5))
        .map(|_| {
            let round = honest(&plan, arguments.round());
            most = most.max(server.resident());
            round
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    attackers.join().unwrap();
    let each = ((most - before).max(0.0) * 1e6 / 1024.0) / HOSTILE as f64;
    rows.push(Row::at_most(format!("memory per connection: {}{way}", attack.name), GOAL, each, "KB"));
    let rate = median(rounds.iter().map(|(rate, _)| *rate));
    let p99 = median(rounds.iter().map(|(_, p99)| *p99));
    rows.push(Row::note(
        format!("honest clients meanwhile{way}"),
        format!("{:.2} of their rate ({rate:.0}/s of {alone:.0}/s), p99 {p99:.1} ms ({alone_p99:.1} ms)", rate / alone),
    ));
}

/// Returns the rate of honest clients, and their 99th percentile in milliseconds.
fn honest(plan: &Plan, duration: Duration) -> (f64, f64) {
    let load = Load::start(plan);
    thread::sleep(duration / 5);
    load.measure();
    let before = load.count().good;
    thread::sleep(duration);
    let rate = (load.count().good - before) as f64 / duration.as_secs_f64();
    (rate, percentile(&load.stop(), 0.99) / 1000.0)
}

/// Holds as many hostile connections as it can, and opens another for each that is closed.
fn keep_attacking(attack: &Attack, address: SocketAddr, stop: &AtomicBool) {
    let mut held: Vec<Option<TcpStream>> = (0..HOSTILE).map(|_| None).collect();
    while !stop.load(Ordering::Relaxed) {
        for (number, stream) in held.iter_mut().enumerate() {
            if !stream.as_mut().is_some_and(|stream| goes_on(stream, attack)) {
                *stream = begin(attack, address, number);
            }
        }
        thread::sleep(ROUND);
    }
}

fn begin(attack: &Attack, address: SocketAddr, number: usize) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number % ADDRESSES).ok()?);
    socket.bind(&SocketAddr::from((from, 0)).into()).ok()?;
    socket.connect(&address.into()).ok()?;
    socket.set_nonblocking(true).ok()?;
    let mut stream = TcpStream::from(socket);
    // As far as it goes without waiting.
    let _sent = stream.write(&attack.first);
    Some(stream)
}

fn goes_on(stream: &mut TcpStream, attack: &Attack) -> bool {
    if attack.drip.is_empty() {
        // Reading nothing is the attack: even a look at what has come would make the system take more of it. Only a
        // connection that was closed refuses a byte for another reason than want of room.
        return stream.write(b"G").map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |_| true);
    }
    let mut scrap = [0; 4096];
    let closed = matches!(stream.read(&mut scrap), Ok(0));
    !closed && stream.write(attack.drip).is_ok()
}

/// Starts nginx with its defaults in front of a server.
fn start_nginx(folder: &Path, server: SocketAddr) -> Server {
    let address = free_address();
    let folder = folder.display();
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         keepalive_requests 100000000; server {{ listen {address}; location / {{ proxy_pass http://{server};\n\
         proxy_set_header X-Forwarded-For $remote_addr; }} }} }}"
    );
    let file = format!("{folder}/nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    Server::start(Command::new("nginx").args(["-c", &file, "-e", "/dev/null"]), address)
}
