//! A load balancer: it passes requests on to servers in turn, and may lose answers, so that the server has spoken and the
//! browser never hears it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::client::connect;

/// Passes requests without a body on, one per connection.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    servers: Vec<SocketAddr>,
    every: Option<usize>,
    turns: AtomicUsize,
    answers: AtomicUsize,
    lost: AtomicUsize,
    ended: AtomicBool,
}

impl Proxy {
    /// Starts in front of servers, and loses nothing.
    pub(crate) fn in_front_of(servers: &[SocketAddr]) -> Self {
        Self::start(servers, None)
    }

    /// Starts in front of servers, and lets every n-th answer get lost.
    pub(crate) fn that_loses_every(every: usize, servers: &[SocketAddr]) -> Self {
        Self::start(servers, Some(every))
    }

    fn start(servers: &[SocketAddr], every: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let [turns, answers, lost] = [(); 3].map(|()| AtomicUsize::new(0));
        let ended = AtomicBool::new(false);
        let state = Arc::new(State { servers: servers.to_vec(), every, turns, answers, lost, ended });
        let accepting = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if state.ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let state = Arc::clone(&state);
                    thread::spawn(move || state.pass_on(stream.unwrap()));
                }
            })
        };
        Self { address, state, accepting: Some(accepting) }
    }

    /// Returns how many answers got lost.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

impl State {
    fn pass_on(&self, mut browser: TcpStream) {
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !request.ends_with(b"\r\n\r\n") {
            match browser.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => request.extend_from_slice(&chunk[..count]),
            }
        }
        // Where no server takes the connection, or one breaks it off, the browser's breaks as well.
        let Some(mut server) = self.next_server() else { return };
        let mut answer = Vec::new();
        if server.write_all(&request).and_then(|()| server.read_to_end(&mut answer)).is_err() {
            return;
        }
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let arrives = if self.every.is_some_and(|every| number.is_multiple_of(every)) {
            // By turns nothing of it arrives, a part of its head, and its head without its body.
            let lost = self.lost.fetch_add(1, Ordering::SeqCst);
            let head = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| end + 4);
            [0, head / 2, head][lost % 3]
        } else {
            answer.len()
        };
        // A browser that has gone meanwhile loses its answer as well.
        drop(browser.write_all(&answer[..arrives]));
    }

    /// Returns a connection to the server whose turn it is, or to the next that takes one.
    fn next_server(&self) -> Option<TcpStream> {
        let mut turns = self.servers.iter().map(|_| self.turns.fetch_add(1, Ordering::SeqCst));
        turns.find_map(|turn| connect(self.servers[turn % self.servers.len()]).ok())
    }
}
