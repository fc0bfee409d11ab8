//! The line of mails, and the thread that works it off.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use secrecy::SecretString;
use time::OffsetDateTime;

use super::carrier::Carrier;
use super::folder::Folder;
use super::letter::{Letter, Letterhead};
use super::smtp::Smtp;
use super::{MailError, Message, Outbox};
use crate::domain::clock::Clock;

/// Mails that may wait in line, and as many that may wait for another try: minutes of work for a slow server, and with
/// a few kilobytes each less than two megabytes.
const LINE: usize = 256;

/// Pauses before a mail is tried again; then it is given up. Together six minutes, so that it outlives the restart of a
/// mail server and the five minutes that greylisting usually asks for, and still comes while it means something.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(15), Duration::from_secs(60), Duration::from_secs(300)];

/// How long the end of the process may wait for what is still in line: the time one dead server takes to show.
const CLOSING: Duration = Duration::from_secs(10);

/// What is called once a message has been delivered, or refused for good.
type Settled = Box<dyn FnOnce() + Send>;

/// A message with the time it was sent.
type Sent = Box<(Message, OffsetDateTime, Settled)>;

/// A handle to the line of mails; clones share it.
///
/// When the last one goes, what is in line is sent first, within ten seconds.
#[derive(Clone)]
pub struct Mailer(Way);

#[derive(Clone)]
enum Way {
    Line(Arc<Line>),
    Memory(Outbox),
}

impl Mailer {
    /// Sends by the mail server at `url` (`smtp://` or `smtps://`), with a few tries for each mail.
    ///
    /// `clock` tells when to try again; nobody is connected to before there is a mail.
    ///
    /// # Errors
    /// If `url` makes no sense, or no thread can be started.
    pub fn smtp(url: &SecretString, letterhead: Letterhead, clock: Arc<dyn Clock>) -> Result<Self, MailError> {
        let carrier = Smtp::new(url, letterhead.domain())?;
        Self::start(carrier, letterhead, clock, &PAUSES, LINE)
    }

    /// Writes each mail to an `.eml` file in `folder`, which is made when the first needs it, and logs where.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn folder(folder: &Path, letterhead: Letterhead, clock: Arc<dyn Clock>) -> Result<Self, MailError> {
        Self::start(Folder::new(folder), letterhead, clock, &PAUSES, LINE)
    }

    /// Keeps each message in the outbox that comes with it, for tests.
    pub fn memory() -> (Self, Outbox) {
        let outbox = Outbox::default();
        (Self(Way::Memory(outbox.clone())), outbox)
    }

    pub(super) fn start(
        carrier: impl Carrier + 'static,
        letterhead: Letterhead,
        clock: Arc<dyn Clock>,
        pauses: &'static [Duration],
        length: usize,
    ) -> Result<Self, MailError> {
        let (queue, queued) = sync_channel(length);
        let (working, ended) = channel::<()>();
        let worker = Worker { carrier, letterhead, clock, pauses, length, waiting: Vec::new() };
        thread::Builder::new()
            .name("perennial-mail".to_owned())
            .spawn(move || {
                worker.work(&queued);
                drop(working);
            })
            .map_err(MailError::Thread)?;
        Ok(Self(Way::Line(Arc::new(Line(Mutex::new(Some(Ends { queue, ended })))))))
    }

    /// Puts a message in line and returns at once; `now` becomes its date.
    ///
    /// It has no outcome: nobody who asks for a page can do anything about a mail server. What goes wrong is logged
    /// once; where the line is full, the message is dropped. `settled` is called, on the mail thread, once the message
    /// was delivered or refused for good, and never if it was given up: then it is worth another try later.
    pub fn send(&self, message: Message, now: OffsetDateTime, settled: impl FnOnce() + Send + 'static) {
        match &self.0 {
            Way::Memory(outbox) => {
                outbox.push(message);
                settled();
            }
            Way::Line(line) => line.push(Box::new((message, now, Box::new(settled)))),
        }
    }

    /// Sends what is in line, as far as ten seconds allow, and takes no more; it blocks for as long.
    ///
    /// The last handle does this by itself when it goes, but at the end of a process it may never go: other threads are
    /// stopped where they stand, with the handles they hold.
    pub fn close(&self) {
        if let Way::Line(line) = &self.0 {
            line.close();
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

/// Our ends of the channels to the thread; nothing once the line is closed.
struct Line(Mutex<Option<Ends>>);

struct Ends {
    queue: SyncSender<Sent>,
    ended: Receiver<()>,
}

impl Line {
    fn push(&self, sent: Sent) {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ends.as_ref().map(|ends| ends.queue.try_send(sent)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => tracing::error!("too many mails are waiting: a mail was dropped"),
            Some(Err(TrySendError::Disconnected(_))) | None => {
                tracing::error!("the mail thread has ended: a mail was dropped");
            }
        }
    }

    fn close(&self) {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Ends { queue, ended }) = ends {
            drop(queue);
            if ended.recv_timeout(CLOSING) == Err(RecvTimeoutError::Timeout) {
                tracing::error!("mails are still waiting to be sent, and are given up");
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}

/// A letter that was tried in vain.
struct Waiting {
    letter: Letter,
    settled: Settled,
    tries: usize,
    due: Duration,
}

struct Worker<C> {
    carrier: C,
    letterhead: Letterhead,
    clock: Arc<dyn Clock>,
    pauses: &'static [Duration],
    length: usize,
    waiting: Vec<Waiting>,
}

impl<C: Carrier> Worker<C> {
    /// Works until the line is closed and empty; a letter that waits for another try holds up no other.
    fn work(mut self, queued: &Receiver<Sent>) {
        loop {
            let next = self.waiting.iter().map(|waiting| waiting.due).min();
            let received = match next {
                Some(due) => queued.recv_timeout(due.saturating_sub(self.clock.elapsed())),
                None => queued.recv().map_err(RecvTimeoutError::from),
            };
            // After a pause its letter is due, even by a clock that stands still.
            let mut now = self.clock.elapsed();
            match received {
                Ok(sent) => {
                    let (message, at, settled) = *sent;
                    match self.letterhead.compose(message, at) {
                        Ok(letter) => self.carry(letter, settled, 1),
                        Err(error) => tracing::error!(%error, "a mail was not sent"),
                    }
                }
                Err(RecvTimeoutError::Timeout) => now = now.max(next.unwrap_or_default()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let (due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.due <= now);
            self.waiting = waiting;
            self.carry_again(due);
        }
        // There is no later any more: each gets one more try.
        self.pauses = &[];
        let waiting = std::mem::take(&mut self.waiting);
        self.carry_again(waiting);
    }

    fn carry_again(&mut self, letters: Vec<Waiting>) {
        for waiting in letters {
            self.carry(waiting.letter, waiting.settled, waiting.tries + 1);
        }
    }

    fn carry(&mut self, letter: Letter, settled: Settled, tries: usize) {
        let Err(error) = self.carrier.carry(&letter) else { return settled() };
        match self.pauses.get(tries - 1) {
            Some(pause) if error.may_pass() && self.waiting.len() < self.length => {
                tracing::debug!(mail = %letter.id, tries, %error, "a mail was not sent yet");
                self.waiting.push(Waiting { letter, settled, tries, due: self.clock.elapsed() + *pause });
            }
            _ => {
                tracing::error!(mail = %letter.id, tries, %error, "a mail was not sent");
                if !error.may_pass() {
                    settled();
                }
            }
        }
    }
}
