//! A network that loses answers: the server has spoken, and the browser never hears it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::client::connect;

/// Passes requests on, one a connection, and lets every n-th answer get lost.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    server: SocketAddr,
    every: usize,
    answers: AtomicUsize,
    lost: AtomicUsize,
    ended: AtomicBool,
}

impl Proxy {
    /// Starts in front of a server.
    pub(crate) fn that_loses_every(every: usize, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, lost, ended) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let state = Arc::new(State { server, every, answers, lost, ended });
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
        let mut answer = Vec::new();
        let mut server = connect(self.server).unwrap();
        server.write_all(&request).unwrap();
        server.read_to_end(&mut answer).unwrap();
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let arrives = if number.is_multiple_of(self.every) {
            // By turns nothing of it arrives, a part of its head, and its head without its body.
            let lost = self.lost.fetch_add(1, Ordering::SeqCst);
            let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            [0, head / 2, head][lost % 3]
        } else {
            answer.len()
        };
        // A browser that has gone meanwhile loses its answer as well.
        drop(browser.write_all(&answer[..arrives]));
    }
}
