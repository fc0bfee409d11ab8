//! What one connection is doing, and how long it may go on with it.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use super::framing::ChunkScanner;

/// How often the connections of a worker are looked at. Deadlines are counted in these periods and not by a clock: while
/// the process is stopped or its worker is busy, no time passes for the clients that wait for it.
pub(super) const PERIOD: Duration = Duration::from_millis(250);

/// How long the head of a request may take to arrive, from its first byte; also how long a new connection may be silent.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the body of a request may take to arrive. A handler that reads a form gives up after ten seconds with a page
/// of its own; this is for those that do not.
const BODY_TIMEOUT: Duration = Duration::from_secs(12);

/// How long a client may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a trusted proxy: longer than proxies keep connections themselves (nginx: a minute), so that it is the
/// proxy that closes. A request that meets a closing connection fails.
const PROXY_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a client that was answered before its request was whole may go on sending: a connection that is closed on
/// bytes that nobody read takes the answer with it.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept once the process is about to end, for a request that is already on its way.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for the first byte of a request.
    Idle,
    /// A request's head has begun and is not whole.
    Head,
    /// The head is whole, and Actix is parsing it.
    Parsing,
    /// The application has the request.
    Answering,
    /// The last answer was written, or there will be none: nothing more is read or answered.
    Ending,
    /// The write side is closed, and what still comes is thrown away.
    Lingering,
}

/// What of a request's body has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing is missing.
    Whole,
    /// This many bytes.
    Bytes(u64),
    /// What follows in chunks.
    Chunks(ChunkScanner),
    /// Everything until the client closes: a protocol that nobody here speaks.
    Endless,
}

/// What is to be done about a connection that has used its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To answer 408 and close.
    TellTimeout,
    /// To close.
    Close,
    /// To drop it with all that was not sent.
    Abort,
}

/// The state that a connection's stream, its requests and its worker's monitor share, all on one thread.
#[derive(Debug)]
pub(super) struct Connection {
    from_proxy: bool,
    phase: Cell<Phase>,
    /// The period in which the phase began.
    since: Cell<u64>,
    /// The period since which the client takes nothing.
    blocked: Cell<Option<u64>>,
    body: Cell<Body>,
    /// Whether the application has produced the beginning of an answer.
    answered: Cell<bool>,
    /// Whether Actix has all of the answer.
    encoded: Cell<bool>,
    /// Whether the answer said that it is the last.
    last: Cell<bool>,
    served: Cell<bool>,
    /// Whether bytes may be waiting that were not handed on.
    withheld: Cell<bool>,
    verdict: Cell<Option<Verdict>>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    /// Begins with a connection that was just accepted.
    pub(super) fn new(from_proxy: bool, now: u64) -> Self {
        Self {
            from_proxy,
            phase: Cell::new(Phase::Idle),
            since: Cell::new(now),
            blocked: Cell::new(None),
            body: Cell::new(Body::Whole),
            answered: Cell::new(false),
            encoded: Cell::new(false),
            last: Cell::new(false),
            served: Cell::new(false),
            withheld: Cell::new(false),
            verdict: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Enters a phase, and carries out what was decided before, if anything was.
    pub(super) fn enter(&self, phase: Phase, now: u64) {
        self.phase.set(phase);
        self.since.set(now);
        self.verdict.set(None);
    }

    /// Notes that Actix has the whole head; its time goes on until the application has the request.
    pub(super) fn parse(&self) {
        self.phase.set(Phase::Parsing);
    }

    pub(super) fn body(&self) -> Body {
        self.body.get()
    }

    pub(super) fn set_body(&self, body: Body) {
        self.body.set(body);
    }

    /// Notes that the application has the request, and what is missing of its body.
    pub(super) fn begin(&self, body: Body) {
        self.phase.set(Phase::Answering);
        self.body.set(body);
        self.answered.set(false);
        self.encoded.set(false);
        if body != Body::Whole {
            // Whatever of it came along with the head was held back.
            self.wake();
        }
    }

    /// Notes that the application has begun to answer; returns whether the answer must be the last of the connection: what
    /// is missing of a body that the handler did not want would be taken for the next request.
    pub(super) fn answer(&self) -> bool {
        self.answered.set(true);
        if self.body.get() != Body::Whole {
            self.last.set(true);
        }
        self.last.get()
    }

    /// Notes that Actix has all of the answer.
    pub(super) fn encode(&self) {
        self.encoded.set(true);
    }

    /// Notes that the system has taken all that was written; ends the request if that was all of its answer.
    pub(super) fn flushed(&self, now: u64) {
        self.blocked.set(None);
        if self.phase.get() != Phase::Answering || !self.encoded.take() {
            return;
        }
        self.served.set(true);
        if self.last.get() {
            self.enter(Phase::Ending, now);
            self.wake();
        } else {
            self.enter(Phase::Idle, now);
            if self.withheld.take() {
                self.wake();
            }
        }
    }

    /// Notes whether the client took something.
    pub(super) fn set_blocked(&self, blocked: bool, now: u64) {
        match (blocked, self.blocked.get()) {
            (true, None) => self.blocked.set(Some(now)),
            (false, Some(_)) => self.blocked.set(None),
            _ => {}
        }
    }

    /// Notes that bytes may be waiting that were not handed on.
    pub(super) fn withhold(&self) {
        self.withheld.set(true);
    }

    /// Remembers whom to wake.
    pub(super) fn remember(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Returns what was decided about this connection.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict.get()
    }

    /// Looks whether the connection has used its time, and wakes it if so.
    pub(super) fn watch(&self, now: u64, stopping: bool) {
        if self.verdict.get().is_none()
            && let Some(verdict) = self.judge(now, stopping)
        {
            self.verdict.set(Some(verdict));
            self.wake();
        }
    }

    fn judge(&self, now: u64, stopping: bool) -> Option<Verdict> {
        let over = |since: u64, timeout: Duration| now - since > periods(timeout);
        if self.blocked.get().is_some_and(|since| over(since, WRITE_TIMEOUT)) {
            return Some(Verdict::Abort);
        }
        let since = self.since.get();
        match self.phase.get() {
            Phase::Idle => {
                let timeout = match (self.served.get(), self.from_proxy) {
                    _ if stopping => STOPPING_TIMEOUT,
                    (false, _) => HEAD_TIMEOUT,
                    (true, true) => PROXY_IDLE_TIMEOUT,
                    (true, false) => IDLE_TIMEOUT,
                };
                over(since, timeout).then_some(Verdict::Close)
            }
            Phase::Head | Phase::Parsing => over(since, HEAD_TIMEOUT).then_some(Verdict::TellTimeout),
            Phase::Answering if self.body.get() != Body::Whole && !self.answered.get() => {
                over(since, BODY_TIMEOUT).then_some(Verdict::TellTimeout)
            }
            Phase::Answering => None,
            Phase::Ending | Phase::Lingering => over(since, LINGER_TIMEOUT).then_some(Verdict::Abort),
        }
    }
}

/// Returns how many periods a time has, all of it.
fn periods(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / PERIOD.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 4;

    fn verdict(connection: &Connection, now: u64) -> Option<Verdict> {
        connection.judge(now, false)
    }

    #[test]
    fn a_silent_connection_is_closed_without_a_word() {
        let connection = Connection::new(false, 0);
        assert_eq!(verdict(&connection, 5 * SECOND), None);
        assert_eq!(verdict(&connection, 5 * SECOND + 1), Some(Verdict::Close));
    }

    #[test]
    fn every_head_has_the_same_time() {
        let connection = Connection::new(false, 0);
        for beginning in [SECOND, 100 * SECOND] {
            connection.enter(Phase::Head, beginning);
            assert_eq!(verdict(&connection, beginning + 5 * SECOND), None);
            connection.enter(Phase::Parsing, beginning);
            assert_eq!(verdict(&connection, beginning + 5 * SECOND + 1), Some(Verdict::TellTimeout));
            connection.begin(Body::Whole);
            assert_eq!(verdict(&connection, beginning + 1000 * SECOND), None, "the handler may take its time");
            connection.encode();
            connection.flushed(beginning + 1000 * SECOND);
            assert_eq!(connection.phase(), Phase::Idle);
        }
    }

    #[test]
    fn a_body_that_does_not_come_ends_the_connection() {
        let connection = Connection::new(false, 0);
        connection.enter(Phase::Parsing, 0);
        connection.begin(Body::Bytes(5));
        assert_eq!(verdict(&connection, 12 * SECOND + 1), Some(Verdict::TellTimeout));
        assert!(connection.answer(), "the rest of the body would be taken for a request");
        assert_eq!(verdict(&connection, 12 * SECOND + 1), None, "the handler has answered");
        connection.encode();
        connection.flushed(13 * SECOND);
        assert_eq!(connection.phase(), Phase::Ending);
        assert_eq!(verdict(&connection, 15 * SECOND + 1), Some(Verdict::Abort));
    }

    #[test]
    fn a_client_that_takes_nothing_is_dropped_and_one_that_is_slow_is_not() {
        let connection = Connection::new(false, 0);
        connection.begin(Body::Whole);
        for now in 0..100 {
            connection.set_blocked(true, now * SECOND);
            assert_eq!(verdict(&connection, now * SECOND), None);
            connection.set_blocked(false, now * SECOND);
        }
        connection.set_blocked(true, 100 * SECOND);
        connection.set_blocked(true, 109 * SECOND);
        assert_eq!(verdict(&connection, 110 * SECOND + 1), Some(Verdict::Abort));
    }

    #[test]
    fn an_idle_connection_of_a_proxy_is_kept_longer_but_not_while_stopping() {
        let served = |from_proxy| {
            let connection = Connection::new(from_proxy, 0);
            connection.begin(Body::Whole);
            connection.encode();
            connection.flushed(0);
            connection
        };
        assert_eq!(verdict(&served(false), 5 * SECOND + 1), Some(Verdict::Close));
        assert_eq!(verdict(&served(true), 75 * SECOND), None);
        assert_eq!(verdict(&served(true), 75 * SECOND + 1), Some(Verdict::Close));
        assert_eq!(served(true).judge(SECOND, true), None);
        assert_eq!(served(true).judge(SECOND + 1, true), Some(Verdict::Close));
    }

    #[test]
    fn an_answer_counts_only_once_all_of_it_was_taken() {
        let connection = Connection::new(false, 0);
        connection.begin(Body::Whole);
        connection.flushed(1);
        assert_eq!(connection.phase(), Phase::Answering, "a part of it");
        connection.encode();
        assert_eq!(connection.phase(), Phase::Answering, "not yet with the system");
        connection.flushed(2);
        assert_eq!(connection.phase(), Phase::Idle);
    }
}
