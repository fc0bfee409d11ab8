//! The load: keep-alive connections on a few threads, one request under way on each connection.
//!
//! It shares the machine with the server, so it does as little as it can: a request is one `write` of bytes that were
//! made beforehand, and an answer as long as the one before it on that connection is looked at no further than its
//! status.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

/// How often a thread looks whether it is to stop when nothing arrives.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Room for an answer; a page has some kilobytes.
const ROOM: usize = 32 * 1024;

/// What is sent, and how.
#[derive(Clone)]
pub(crate) struct Plan {
    /// To whom.
    pub(crate) address: SocketAddr,
    /// The requests; connection `n` of `N` begins with the `n`th and goes on with the `n + N`th.
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    /// Connections.
    pub(crate) connections: usize,
    /// Threads that share them.
    pub(crate) threads: usize,
    /// Whether the requests are sent over and over, or each one once.
    pub(crate) repeats: bool,
    /// Whether a connection that was told 503 waits as long as the answer says.
    pub(crate) obeys_retry_after: bool,
}

/// Answers counted so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// With a status of 200 or 303.
    pub(crate) good: u64,
    /// With 503.
    pub(crate) refused: u64,
}

/// Load under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<(Arc<Counters>, JoinHandle<Vec<u32>>)>,
}

#[derive(Default)]
struct Counters {
    good: AtomicU64,
    refused: AtomicU64,
    measuring: AtomicBool,
}

impl Load {
    /// Connects, and begins to send.
    pub(crate) fn start(plan: &Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..plan.threads).map(|number| {
            let (plan, stop, counters) = (plan.clone(), Arc::clone(&stop), Arc::new(Counters::default()));
            let shared = Arc::clone(&counters);
            (counters, thread::spawn(move || Worker::new(&plan, number, shared).run(&stop)))
        });
        Self { threads: threads.collect(), stop }
    }

    /// Returns what was answered so far.
    pub(crate) fn count(&self) -> Count {
        let mut count = Count::default();
        for (counters, _) in &self.threads {
            count.good += counters.good.load(Ordering::Relaxed);
            count.refused += counters.refused.load(Ordering::Relaxed);
        }
        count
    }

    /// Keeps the time that each answer takes from now on.
    pub(crate) fn measure(&self) {
        for (counters, _) in &self.threads {
            counters.measuring.store(true, Ordering::Relaxed);
        }
    }

    /// Tells whether every request that was to be sent once has its answer.
    pub(crate) fn is_done(&self) -> bool {
        self.threads.iter().all(|(_, thread)| thread.is_finished())
    }

    /// Ends it, and returns how long good answers took, in microseconds and in order.
    pub(crate) fn stop(self) -> Vec<u32> {
        self.stop.store(true, Ordering::Relaxed);
        let mut latencies: Vec<u32> = self.threads.into_iter().flat_map(|(_, thread)| thread.join().unwrap()).collect();
        latencies.sort_unstable();
        latencies
    }
}

/// Returns the value below which `share` of an ordered list lies.
pub(crate) fn percentile(ordered: &[u32], share: f64) -> f64 {
    let index = (ordered.len() as f64 * share) as usize;
    f64::from(ordered[index.min(ordered.len() - 1)])
}

struct Connection {
    stream: TcpStream,
    next: usize,
    buffer: Box<[u8]>,
    filled: usize,
    sent: Instant,
    length: usize,
}

struct Worker {
    plan: Plan,
    counters: Arc<Counters>,
    connections: Vec<Connection>,
    epoll: OwnedFd,
    waiting: VecDeque<(Instant, usize)>,
    busy: usize,
    latencies: Vec<u32>,
}

impl Worker {
    fn new(plan: &Plan, number: usize, counters: Arc<Counters>) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let mine = (number..plan.connections).step_by(plan.threads);
        let connections = mine.enumerate().map(|(index, first)| {
            let stream = connect(plan, &epoll, index);
            let buffer = vec![0; ROOM].into_boxed_slice();
            Connection { stream, next: first, buffer, filled: 0, sent: Instant::now(), length: 0 }
        });
        let connections: Vec<_> = connections.collect();
        let (waiting, latencies) = (VecDeque::new(), Vec::new());
        Self { plan: plan.clone(), counters, connections, epoll, waiting, busy: 0, latencies }
    }

    fn run(mut self, stop: &AtomicBool) -> Vec<u32> {
        for index in 0..self.connections.len() {
            self.send(index);
        }
        let mut events = Vec::with_capacity(64);
        while !stop.load(Ordering::Relaxed) && (self.busy > 0 || !self.waiting.is_empty()) {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&LOOK)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("{error}"),
            }
            for event in events.drain(..) {
                self.receive(event.data.u64() as usize);
            }
            while self.waiting.front().is_some_and(|(until, _)| *until <= Instant::now()) {
                if let Some((_, index)) = self.waiting.pop_front() {
                    // The server does not keep an idle connection for as long as it tells to wait.
                    self.connections[index].stream = connect(&self.plan, &self.epoll, index);
                    self.send(index);
                }
            }
        }
        self.latencies
    }

    fn send(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let requests = &self.plan.requests;
        if connection.next >= requests.len() && !self.plan.repeats {
            return;
        }
        self.busy += 1;
        connection.sent = Instant::now();
        let request = &requests[connection.next % requests.len()];
        // A request is far smaller than the socket's buffer, so it goes in one piece.
        assert_eq!(connection.stream.write(request).unwrap(), request.len());
        connection.next += self.plan.connections;
    }

    fn receive(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        match connection.stream.read(&mut connection.buffer[connection.filled..]) {
            Ok(0) => panic!("the server closed a connection"),
            Ok(count) => connection.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
        if connection.filled != connection.length {
            let Some(length) = whole_length(&connection.buffer[..connection.filled]) else { return };
            if connection.filled < length {
                return;
            }
            connection.length = length;
        }
        connection.filled = 0;
        self.busy -= 1;
        let took = connection.sent.elapsed();
        let answer = &connection.buffer[..connection.length];
        let mut again = None;
        match &answer[9..12] {
            b"200" | b"303" => {
                self.counters.good.fetch_add(1, Ordering::Relaxed);
                if self.counters.measuring.load(Ordering::Relaxed) {
                    self.latencies.push(took.as_micros() as u32);
                }
            }
            b"503" => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                again = header(answer, "retry-after").and_then(|value| value.parse().ok());
            }
            _ => panic!("{}", String::from_utf8_lossy(answer)),
        }
        match again {
            Some(seconds) if self.plan.obeys_retry_after => {
                epoll::delete(&self.epoll, &connection.stream).unwrap();
                self.waiting.push_back((Instant::now() + Duration::from_secs(seconds), index));
            }
            _ => self.send(index),
        }
    }
}

/// Opens a connection whose answers are waited for.
fn connect(plan: &Plan, epoll: &OwnedFd, index: usize) -> TcpStream {
    let stream = TcpStream::connect(plan.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    epoll::add(epoll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN).unwrap();
    stream
}

/// Returns how many bytes an answer has with its body, once its head is whole.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let body = header(&bytes[..head], "content-length").map_or(0, |value| value.parse().unwrap());
    Some(head + body)
}

/// Returns a header of an answer.
pub(crate) fn header<'a>(answer: &'a [u8], name: &str) -> Option<&'a str> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer, |end| &answer[..end]);
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
