//! A proxy between a real browser and a server: it passes whole requests on, forms too, and says what becomes of the
//! renewals among them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::client::connect;

/// How a renewal begins.
const RENEWAL: &[u8] = b"POST /session/renew ";

/// What becomes of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server carries it out, and its answer is lost.
    AnswerLost,
    /// It is answered 503, and the server hears nothing of it.
    Refused,
}

/// The fate of the next renewals, and how many have met it.
#[derive(Default)]
struct Plan {
    fate: Option<Fate>,
    left: usize,
    met: usize,
}

/// A proxy on a port of its own; it ends when this goes.
pub(crate) struct Gate {
    address: SocketAddr,
    plan: Arc<Mutex<Option<Plan>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Gate {
    /// Starts on a port, in front of a server that may come and go.
    pub(crate) fn start(port: u16, server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Some(Plan::default())));
        let shared = Arc::clone(&plan);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().is_none() {
                    return;
                }
                let plan = Arc::clone(&shared);
                thread::spawn(move || pass_on(stream.unwrap(), server, &plan));
            }
        });
        Self { address, plan, accepting: Some(accepting) }
    }

    /// Lets the next renewals meet a fate; those after them pass.
    pub(crate) fn set(&self, fate: Fate, renewals: usize) {
        *self.plan.lock() = Some(Plan { fate: Some(fate), left: renewals, met: 0 });
    }

    /// Returns how many renewals have met it.
    pub(crate) fn met(&self) -> usize {
        self.plan.lock().as_ref().map_or(0, |plan| plan.met)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        *self.plan.lock() = None;
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

/// Passes one request on; where anything breaks, the browser's connection breaks as well.
fn pass_on(mut browser: TcpStream, server: SocketAddr, plan: &Mutex<Option<Plan>>) {
    let Some(request) = read_request(&mut browser) else { return };
    let fate = plan.lock().as_mut().filter(|plan| request.starts_with(RENEWAL) && plan.left > 0).and_then(|plan| {
        plan.left -= 1;
        plan.met += 1;
        plan.fate
    });
    if fate == Some(Fate::Refused) {
        let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        drop(browser.write_all(answer.as_bytes()));
        return;
    }
    let Ok(mut server) = connect(server) else { return };
    let mut answer = Vec::new();
    if server.write_all(&request).and_then(|()| server.read_to_end(&mut answer)).is_ok() && fate.is_none() {
        // A browser that has gone meanwhile loses its answer.
        drop(browser.write_all(&answer));
    }
}

/// Reads a request with its body, as one that ends its connection.
fn read_request(browser: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut request, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    let mut more = |request: &mut Vec<u8>| match browser.read(&mut chunk) {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            request.extend_from_slice(&chunk[..count]);
            Some(())
        }
    };
    let head = loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        more(&mut request)?;
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let fields = || text.split("\r\n").filter_map(|line| line.split_once(": "));
    let length = fields().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while request.len() < head + length {
        more(&mut request)?;
    }
    let kept = text.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut passed = kept.collect::<Vec<_>>().join("\r\n").trim_end().to_owned();
    passed.push_str("\r\nConnection: close\r\n\r\n");
    let mut passed = passed.into_bytes();
    passed.extend_from_slice(&request[head..]);
    Some(passed)
}
