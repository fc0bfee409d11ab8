//! Takes what is due and settles what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::domain::clock::Clock;
use crate::mail::{Email, OutgoingEmail, SendError, Transport};
use crate::store::outbox::{self, LONGEST_PAUSE, TakenMail};
use crate::store::{Connection, Database, StoreError, Wakes};

/// E-mails under way at once, at most. There is one, unless it takes so long that its lease is renewed: a server that
/// hangs on one e-mail holds up no other.
const MOST_AT_ONCE: usize = 8;

/// The pause after the first attempt of an e-mail that was put off, before it doubles: the contract promises that one is
/// tried again within ten seconds.
const FIRST_PAUSE: time::Duration = time::Duration::seconds(5);

/// The pause after the first failure of the mail server, before it doubles, and the longest: once it is back, mail leaves
/// within ten seconds.
const SERVER_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(6));

/// How often somebody looks for what version 1 left untold.
const UNTOLD_EVERY: Duration = Duration::from_secs(600);

/// How much of the time for closing remains after the last attempt, to write down what came of it.
const CLOSING_RESERVE: Duration = Duration::from_secs(1);

/// What the composition root brings.
pub struct OutboxParts {
    /// Where the outbox is.
    pub database: Database,
    /// What takes the e-mails.
    pub transport: Arc<dyn Transport>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Puts the notices into the outbox that a process of version 1 did not get to send, and returns how many.
    ///
    /// That version keeps mail in memory; this goes once it runs nowhere any more.
    pub queue_untold: Box<dyn Fn() -> Result<usize, StoreError> + Send + Sync>,
}

/// How often the worker does what, and how long its end may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How often the outbox is looked into unless a commit wakes the worker.
    pub(super) poll_every: Duration,
    /// How often a lease is renewed.
    pub(super) renew_every: Duration,
    /// How long the end may take.
    pub(super) closing_timeout: Duration,
}

/// Sends what is due, one round after the other.
pub(super) struct Delivery {
    database: Database,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    queue_untold: Box<dyn Fn() -> Result<usize, StoreError> + Send + Sync>,
    pace: Pace,
    /// By when it must have ended, in monotonic time, once it is to end.
    closing: OnceLock<Duration>,
    /// Held for a round: there is one at a time.
    state: Mutex<State>,
}

/// What one round leaves to the next.
#[derive(Debug, Default)]
struct State {
    /// E-mails that were sent and could not be deleted; they must not be sent again.
    undeleted: Vec<i64>,
    /// Failures of the mail server in a row.
    failures: u32,
    /// When it is asked again, in monotonic time.
    ask_again: Duration,
}

/// Whether to ask a mail server that has just failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    /// Ask it all the same.
    Yes,
    /// Leave it alone until its pause is over.
    No,
}

/// An e-mail under way.
struct Attempt {
    mail: TakenMail,
    /// When its lease was written, in monotonic time.
    leased: Duration,
    /// Whether it has taken so long that its lease had to be renewed.
    slow: bool,
}

/// What came of an attempt; a panic in the transport is nothing.
type Outcome = Option<Result<(), SendError>>;

impl Delivery {
    pub(super) fn new(parts: OutboxParts, pace: Pace) -> Self {
        let OutboxParts { database, transport, clock, queue_untold } = parts;
        Self { database, transport, clock, queue_untold, pace, closing: OnceLock::new(), state: Mutex::default() }
    }

    /// Ends [`work`](Self::work): after one more round, or when the time for it is up.
    pub(super) fn close(&self) {
        let timeout = self.pace.closing_timeout.saturating_sub(CLOSING_RESERVE);
        self.closing.get_or_init(|| self.clock.elapsed() + timeout);
        self.database.wake_outbox();
    }

    /// Sends whatever becomes due, until it is [closed](Self::close).
    pub(super) fn work(&self) {
        if let Err(error) = self.database.write_blocking(outbox::hasten) {
            tracing::warn!(%error, "cannot make the mails that wait due at once");
        }
        let (mut known, mut untold_at, mut quiet) = (Wakes::default(), Duration::ZERO, true);
        loop {
            let closing = self.closing.get().is_some();
            if self.clock.elapsed() >= untold_at && !closing {
                untold_at = self.clock.elapsed() + UNTOLD_EVERY;
                self.queue_untold();
            }
            match self.round(if closing { Force::Yes } else { Force::No }) {
                Ok(()) => quiet = true,
                // Once an outage and not at every look.
                Err(error) if quiet => {
                    quiet = false;
                    tracing::error!(%error, "cannot look into the outbox: mails wait until this is over");
                }
                Err(_) => {}
            }
            if closing {
                return;
            }
            known = self.database.wait_for_mail(known, self.pace.poll_every);
        }
    }

    fn queue_untold(&self) {
        match (self.queue_untold)() {
            Ok(0) => {}
            Ok(users) => tracing::info!(users, "mails about a theft were queued that another process did not send"),
            Err(error) => tracing::warn!(%error, "cannot look for users who are still to be told of a theft"),
        }
    }

    /// Sends what is due, until nothing is, or the mail server fails.
    pub(super) fn round(&self, force: Force) -> Result<(), StoreError> {
        let state = &mut *self.state.lock();
        self.delete_undeleted(state)?;
        if force == Force::No && self.clock.elapsed() < state.ask_again {
            return Ok(());
        }
        let (report, outcomes) = channel();
        let (mut under_way, mut taking): (Vec<Attempt>, _) = (Vec::new(), Ok(true));
        loop {
            // A server that has just failed is asked by one.
            let most = if state.failures > 0 { 1 } else { MOST_AT_ONCE };
            let crowded = under_way.len() >= most || under_way.iter().any(|attempt| !attempt.slow);
            if matches!(taking, Ok(true)) && !crowded && !self.time_is_up() {
                match self.take(&under_way) {
                    Ok(Some((mail, outgoing))) => under_way.extend(self.launch(mail, outgoing, &report)),
                    Ok(None) if under_way.is_empty() => break,
                    Ok(None) => {}
                    // What is under way is still to be settled.
                    Err(error) => taking = Err(error),
                }
            }
            if under_way.is_empty() || self.time_is_up() {
                break;
            }
            let reported = outcomes.recv_timeout(self.pace.renew_every.min(self.time_left())).ok();
            let done = reported.and_then(|(id, outcome)| {
                let place = under_way.iter().position(|attempt| attempt.mail.id == id)?;
                Some((under_way.swap_remove(place).mail, outcome))
            });
            let silence = done.is_none();
            if let Some((mail, outcome)) = done
                && self.conclude(state, &mail, outcome) == Server::Failed
            {
                taking = taking.map(|_| false);
            }
            self.renew(&mut under_way, silence);
        }
        if under_way.is_empty() {
            self.transport.idle();
        } else {
            tracing::warn!(mails = under_way.len(), "the mail server does not answer: mails wait for the next start");
        }
        taking.map(|_| ())
    }

    fn take(&self, under_way: &[Attempt]) -> Result<Option<(TakenMail, OutgoingEmail)>, StoreError> {
        let busy: Vec<i64> = under_way.iter().map(|attempt| attempt.mail.id).collect();
        loop {
            let now = self.clock.now();
            let Some(id) = self.database.read_blocking(|rows| outbox::next_due(rows, &busy, now))? else {
                return Ok(None);
            };
            // The lease is measured from when it is written, which may take its time.
            let clock = Arc::clone(&self.clock);
            let Some(mail) = self.database.write_blocking(move |rows| outbox::take(rows, id, clock.now()))? else {
                continue;
            };
            match outgoing(&mail) {
                Ok(outgoing) => return Ok(Some((mail, outgoing))),
                Err(refusal) => {
                    tracing::error!(mail = %mail.message_id, "a mail cannot be sent: {refusal}");
                    self.database.write_blocking(move |rows| outbox::give_up(rows, id, refusal, now))?;
                }
            }
        }
    }

    /// Starts an attempt on a thread of its own, which may hang; returns nothing where there is none to be had.
    fn launch(&self, mail: TakenMail, outgoing: OutgoingEmail, report: &Sender<(i64, Outcome)>) -> Option<Attempt> {
        let (id, lease) = (mail.id, mail.lease());
        let (transport, report) = (Arc::clone(&self.transport), report.clone());
        let attempt = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| transport.send(&outgoing))).ok();
            if report.send((id, outcome)).is_err() {
                tracing::debug!("a mail was tried for longer than the worker waited");
            }
        };
        match thread::Builder::new().name("perennial-mail".to_owned()).spawn(attempt) {
            Ok(_) => Some(Attempt { mail, leased: self.clock.elapsed(), slow: false }),
            Err(error) => {
                tracing::error!(%error, "cannot start a thread to send a mail");
                self.note(move |rows, _| outbox::release(rows, lease));
                None
            }
        }
    }

    /// Renews the leases that are old enough, or all, where nothing happened for that long.
    fn renew(&self, under_way: &mut [Attempt], all: bool) {
        let now = self.clock.elapsed();
        for attempt in under_way.iter_mut().filter(|attempt| all || now - attempt.leased >= self.pace.renew_every) {
            (attempt.leased, attempt.slow) = (now, true);
            let (lease, clock) = (attempt.mail.lease(), Arc::clone(&self.clock));
            match self.database.write_blocking(move |rows| outbox::renew(rows, lease, clock.now())) {
                Ok(true) => {}
                Ok(false) => tracing::warn!(mail = %attempt.mail.message_id, "another process sends this mail as well"),
                Err(error) => tracing::debug!(%error, "cannot renew the lease on a mail"),
            }
        }
    }

    /// Writes down what came of an attempt.
    fn conclude(&self, state: &mut State, mail: &TakenMail, outcome: Outcome) -> Server {
        let (id, lease, name) = (mail.id, mail.lease(), mail.message_id.as_str());
        if !matches!(outcome, None | Some(Err(SendError::Unavailable(_)))) && state.failures > 0 {
            tracing::info!("mail leaves again");
            (state.failures, state.ask_again) = (0, Duration::ZERO);
        }
        match outcome {
            Some(Ok(())) => {
                if let Err(error) = self.database.write_blocking(move |rows| outbox::delete_sent(rows, id)) {
                    tracing::warn!(mail = name, %error, "a mail was sent and is still in the outbox");
                    state.undeleted.push(id);
                }
            }
            Some(Err(SendError::Unavailable(error))) => {
                self.note(move |rows, _| outbox::release(rows, lease));
                if state.failures == 0 {
                    tracing::error!(%error, "no mail leaves until this is over");
                }
                state.ask_again = self.clock.elapsed() + server_pause(state.failures);
                state.failures = state.failures.saturating_add(1);
                return Server::Failed;
            }
            Some(Err(SendError::Refused(error))) => {
                tracing::error!(mail = name, %error, "a mail was refused for good");
                let refusal = error.to_string();
                self.note(move |rows, now| outbox::give_up(rows, id, &refusal, now));
            }
            Some(Err(SendError::Deferred(error))) => self.defer(mail, &error.to_string()),
            None => self.defer(mail, "the transport panicked"),
        }
        Server::Answered
    }

    fn defer(&self, mail: &TakenMail, reason: &str) {
        let (lease, pause) = (mail.lease(), pause(mail.deferrals));
        let seconds = pause.whole_seconds();
        tracing::warn!(mail = %mail.message_id, reason, "a mail was put off; the next try is in {seconds} seconds");
        self.note(move |rows, now| outbox::reschedule(rows, lease, now + pause));
    }

    /// Writes something down without which the e-mail is tried again once its lease has run out.
    fn note(&self, write: impl FnOnce(&mut Connection, OffsetDateTime) -> Result<(), StoreError> + Send + 'static) {
        let now = self.clock.now();
        if let Err(error) = self.database.write_blocking(move |rows| write(rows, now)) {
            tracing::warn!(%error, "cannot write down what came of a mail; it is tried again");
        }
    }

    fn delete_undeleted(&self, state: &mut State) -> Result<(), StoreError> {
        while let Some(&id) = state.undeleted.last() {
            self.database.write_blocking(move |rows| outbox::delete_sent(rows, id))?;
            state.undeleted.pop();
        }
        Ok(())
    }

    fn time_left(&self) -> Duration {
        self.closing.get().map_or(Duration::MAX, |end| end.saturating_sub(self.clock.elapsed()))
    }

    fn time_is_up(&self) -> bool {
        self.time_left().is_zero()
    }
}

/// What an attempt says of the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Answered,
    Failed,
}

/// Reads a row; a row that was put there by hand may hold what no e-mail can.
fn outgoing(mail: &TakenMail) -> Result<OutgoingEmail, &'static str> {
    Ok(OutgoingEmail {
        id: mail.message_id.clone(),
        queued_at: mail.created_at().map_err(|_| "the row holds no time")?,
        email: Email {
            to: mail.recipient.parse().map_err(|_| "the recipient is not an e-mail address")?,
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        },
    })
}

/// Returns how long an e-mail waits that was put off so many times before: 5, 10, 20 seconds, up to an hour.
pub(super) fn pause(deferrals: i64) -> time::Duration {
    let doublings = u32::try_from(deferrals).unwrap_or(u32::MAX).min(30);
    FIRST_PAUSE.checked_mul(1 << doublings).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// Returns how long a mail server is left alone that failed so many times before: 1, 2, 4, then 6 seconds.
pub(super) fn server_pause(failures: u32) -> Duration {
    let (first, longest) = SERVER_PAUSES;
    first.saturating_mul(1 << failures.min(10)).min(longest)
}
