//! The bytes of one connection, between the socket and Actix.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::http::StatusCode;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::admission::Admitted;
use super::connection::{Body, Connection, Phase, Verdict};
use super::framing::HeadScanner;
use super::monitor::Monitor;
use super::socket::Socket;
use crate::web::{begins_browsers_own, plain_answer};

/// Bytes of a request's head at most: four times what the longest honest one has, with every cookie a browser keeps.
const MAX_HEAD: usize = 64 * 1024;

/// Bytes that are handed on before Actix must have looked at them: it would read all that there is.
const PORTION: usize = 16 * 1024;

/// A stream that hands Actix one request at a time, and gives up on clients that take too long.
///
/// Actix's own deadlines hold for the first request of a connection only, it has none for writing, and it answers a whole
/// buffer of pipelined requests before it sends the first of the answers. So a request is held back here until the answer
/// to the one before was written, and what [`Connection`] says about time is carried out.
#[derive(Debug)]
pub(super) struct OwnedStream {
    socket: Socket,
    connection: Rc<Connection>,
    monitor: Rc<Monitor>,
    key: usize,
    _admitted: Admitted,
    head: HeadScanner,
    head_length: usize,
    /// What was read beyond the end of a request.
    beyond: Vec<u8>,
    /// An answer of this stream's own that has not been written yet.
    own: Vec<u8>,
    /// Whether the request is one that a browser makes by itself, to renew by a proof.
    by_proof: bool,
    /// Bytes handed on since Actix last found nothing more to read.
    portion: usize,
    /// Whether the client may still be sending what nobody wants.
    lingering: bool,
}

impl OwnedStream {
    /// Takes over a connection that was just accepted.
    pub(super) fn new(socket: Socket, admitted: Admitted, from_proxy: bool, monitor: Rc<Monitor>) -> Self {
        let (key, connection) = monitor.add(from_proxy);
        Self {
            socket,
            connection,
            monitor,
            key,
            _admitted: admitted,
            head: HeadScanner::default(),
            head_length: 0,
            beyond: Vec::new(),
            own: Vec::new(),
            by_proof: false,
            portion: 0,
            lingering: false,
        }
    }

    /// Returns what the requests of this connection share with it.
    pub(super) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }

    /// Answers in Actix's place, with the page and the headers that every error has.
    fn answer(&mut self, status: StatusCode) {
        // Any other refusal would end the binding of the browser that renews by a proof.
        let status = if self.by_proof { StatusCode::SERVICE_UNAVAILABLE } else { status };
        self.own = plain_answer(self.monitor.site(), status);
        self.lingering = true;
        self.connection.enter(Phase::Ending, self.monitor.now());
    }

    /// Reads into the buffer: first what was read before, then from the socket. Returns how many bytes came.
    fn fill(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        if self.beyond.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        } else {
            let here = self.beyond.len().min(buffer.remaining());
            let rest = self.beyond.split_off(here);
            buffer.put_slice(&self.beyond);
            self.beyond = rest;
        }
        Poll::Ready(Ok(buffer.filled().len() - before))
    }

    /// Keeps the first bytes of what was just read in the buffer and takes the others back.
    fn keep(&mut self, buffer: &mut ReadBuf<'_>, before: usize, kept: usize) {
        let surplus = buffer.filled().get(before + kept..).unwrap_or_default();
        if !surplus.is_empty() {
            let mut beyond = surplus.to_vec();
            beyond.append(&mut self.beyond);
            self.beyond = beyond;
            buffer.set_filled(before + kept);
        }
    }

    /// Hands on what belongs to the head of a request.
    fn read_head(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let mut count = ready!(self.fill(cx, buffer))?;
        if count == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.connection.phase() == Phase::Idle {
            // Empty lines before a request are ignored (RFC 9112 section 2.2).
            let read = buffer.filled().get(before..).unwrap_or_default();
            let blank = read.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                let rest = read.get(blank..).unwrap_or_default().to_vec();
                buffer.set_filled(before);
                buffer.put_slice(&rest);
                count = rest.len();
                if count == 0 {
                    // Handing on nothing would mean that the client has closed.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            self.head = HeadScanner::default();
            self.head_length = 0;
            self.by_proof = begins_browsers_own(buffer.filled().get(before..).unwrap_or_default());
            self.connection.enter(Phase::Head, self.monitor.now());
        }
        let end = self.head.end(buffer.filled().get(before..).unwrap_or_default());
        self.head_length += end.unwrap_or(count);
        if self.head_length > MAX_HEAD {
            buffer.set_filled(before);
            self.answer(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            return self.end(cx);
        }
        if let Some(end) = end {
            self.keep(buffer, before, end);
            self.connection.parse();
        }
        Poll::Ready(Ok(()))
    }

    /// Hands on what belongs to the body of a request.
    fn read_body(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>, body: Body) -> Poll<io::Result<()>> {
        if self.portion >= PORTION {
            // Actix reads until there is nothing, and only then looks at what it has.
            self.portion = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let count = match self.fill(cx, buffer) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                self.portion = 0;
                return Poll::Pending;
            }
        };
        let (kept, body) = match body {
            Body::Whole => (0, Body::Whole),
            Body::Endless => (count, Body::Endless),
            Body::Bytes(missing) => {
                let kept = usize::try_from(missing).unwrap_or(usize::MAX).min(count);
                let missing = missing - kept as u64;
                (kept, if missing == 0 { Body::Whole } else { Body::Bytes(missing) })
            }
            Body::Chunks(mut scanner) => match scanner.end(buffer.filled().get(before..).unwrap_or_default()) {
                Some(end) => (end, Body::Whole),
                None => (count, Body::Chunks(scanner)),
            },
        };
        self.portion += kept;
        self.keep(buffer, before, kept);
        self.connection.set_body(body);
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more comes, once an answer of this stream's own was written.
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.own))?;
            self.own.drain(..written);
            if written == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Holds back what comes while a request is being answered.
    fn withhold(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.beyond.is_empty() || self.socket.poll_read_ready(cx).is_ready() {
            self.connection.withhold();
        }
        Poll::Pending
    }
}

impl AsyncRead for OwnedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.connection.remember(cx.waker());
        match this.connection.verdict() {
            Some(Verdict::Abort) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Some(Verdict::TellTimeout) => this.answer(StatusCode::REQUEST_TIMEOUT),
            Some(Verdict::Close) => this.connection.enter(Phase::Ending, this.monitor.now()),
            None => {}
        }
        match this.connection.phase() {
            Phase::Idle | Phase::Head => this.read_head(cx, buffer),
            Phase::Parsing => this.withhold(cx),
            Phase::Answering => match this.connection.body() {
                Body::Whole => this.withhold(cx),
                body => this.read_body(cx, buffer, body),
            },
            Phase::Ending | Phase::Lingering => this.end(cx),
        }
    }
}

impl AsyncWrite for OwnedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.connection.verdict() == Some(Verdict::Abort) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if this.connection.phase() == Phase::Parsing {
            // No request was understood, so this is Actix's own answer to bytes that are none; it closes after it.
            this.answer(if bytes.starts_with(b"HTTP/1.1 431") {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            } else {
                StatusCode::BAD_REQUEST
            });
        }
        if this.connection.phase() == Phase::Ending {
            // What the client is told stands in `own`, or was told.
            ready!(this.end(cx))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.connection.remember(cx.waker());
        this.connection.set_blocked(written.is_pending(), this.monitor.now());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        this.connection.flushed(this.monitor.now());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.connection.remember(cx.waker());
        if this.connection.verdict() == Some(Verdict::Abort) {
            return Poll::Ready(Ok(()));
        }
        if this.connection.phase() != Phase::Lingering {
            ready!(this.end(cx))?;
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            this.lingering |= this.connection.body() != Body::Whole;
            this.connection.enter(Phase::Lingering, this.monitor.now());
        }
        let mut scrap = [0; 4096];
        while this.lingering {
            let mut scrap = ReadBuf::new(&mut scrap);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut scrap))?;
            if scrap.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for OwnedStream {
    fn drop(&mut self) {
        self.monitor.remove(self.key);
        if self.connection.verdict() == Some(Verdict::Abort) {
            // Otherwise the system would keep what was not sent, for a client that does not take it.
            let _closed_anyway = set_socket_linger(&self.socket, Some(Duration::ZERO));
        }
    }
}
