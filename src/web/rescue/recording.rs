//! What a handler reads of a form, recorded: by the time it refuses, it may have read all of it, or nothing.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::BoxedPayloadStream;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use zeroize::Zeroizing;

use crate::web::forms::BODY_TIMEOUT;

/// A body that is read by a handler and recorded.
pub(super) struct Recording(Rc<RefCell<Tape>>);

/// The body as its handler has it.
struct Reader(Rc<RefCell<Tape>>);

struct Tape {
    payload: Payload,
    /// What has arrived, which may hold a password. It never grows: a buffer that moves leaves its content behind.
    recorded: Zeroizing<Vec<u8>>,
    room: usize,
    state: State,
}

/// How far the body has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Arriving,
    Whole,
    /// It broke off, or is larger than what is recorded.
    Lost,
}

impl Recording {
    /// Starts to record a body of at most `limit` bytes; returns what the handler reads instead.
    pub(super) fn start(payload: Payload, announced: Option<usize>, limit: usize) -> (Self, BoxedPayloadStream) {
        let room = announced.unwrap_or(limit);
        let tape = Tape { payload, recorded: Zeroizing::default(), room, state: State::Arriving };
        let tape = Rc::new(RefCell::new(tape));
        (Self(Rc::clone(&tape)), Box::pin(Reader(tape)))
    }

    /// Returns all of the body, for the rest of which it waits as long as for any form; nothing if it did not arrive whole.
    pub(super) async fn rest(self) -> Option<Zeroizing<Vec<u8>>> {
        let tape = &self.0;
        let rest = poll_fn(|context| {
            while tape.borrow().state == State::Arriving {
                ready!(tape.borrow_mut().poll(context));
            }
            Poll::Ready(())
        });
        tokio::time::timeout(BODY_TIMEOUT, rest).await.ok()?;
        let mut tape = tape.borrow_mut();
        (tape.state == State::Whole).then(|| std::mem::take(&mut tape.recorded))
    }
}

impl Tape {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let polled = ready!(Pin::new(&mut self.payload).poll_next(context));
        match &polled {
            Some(Ok(chunk)) => self.record(chunk),
            Some(Err(_)) => self.lose(),
            None if self.state == State::Arriving => self.state = State::Whole,
            None => {}
        }
        Poll::Ready(polled)
    }

    fn record(&mut self, chunk: &[u8]) {
        if self.recorded.len() + chunk.len() > self.room {
            self.lose();
        }
        if self.state == State::Arriving {
            let missing = self.room - self.recorded.len();
            self.recorded.reserve_exact(missing);
            self.recorded.extend_from_slice(chunk);
        }
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.recorded = Zeroizing::default();
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    fn body(chunks: &'static [&str]) -> Payload {
        let chunks = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        Payload::Stream { payload: Box::pin(stream::iter(chunks)) }
    }

    fn rest(recording: Recording) -> Option<Vec<u8>> {
        recording.rest().now_or_never().unwrap().map(|body| body.to_vec())
    }

    #[tokio::test]
    async fn all_of_a_body_is_recorded_however_much_the_handler_reads() {
        for read in 0..4 {
            let (recording, mut reader) = Recording::start(body(&["a=", "1&b", "=2"]), Some(7), 100);
            for _ in 0..read {
                reader.next().await;
            }
            drop(reader);
            assert_eq!(rest(recording).as_deref(), Some(&b"a=1&b=2"[..]), "{read}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_read_and_not_recorded() {
        let (recording, reader) = Recording::start(body(&["a=", "1&b", "=2"]), None, 6);
        assert_eq!(reader.count().await, 3);
        assert_eq!(rest(recording), None);
        let (recording, _reader) = Recording::start(body(&["a=", "1&b", "=2"]), Some(7), 7);
        assert!(rest(recording).is_some());
    }

    #[tokio::test]
    async fn what_is_recorded_never_moves() {
        let (recording, mut reader) = Recording::start(body(&["a=", "1&b", "=2"]), Some(7), 100);
        reader.next().await;
        let place = recording.0.borrow().recorded.as_ptr();
        while reader.next().await.is_some() {}
        assert_eq!(recording.0.borrow().recorded.as_ptr(), place);
    }
}
