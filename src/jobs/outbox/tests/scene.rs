//! A database, a clock, and transports that do as they are told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::domain::clock::{Clock, ManualClock, SystemClock};
use crate::jobs::outbox::delivery::{Delivery, OutboxParts, Pace};
use crate::mail::{MailError, Memory, OutgoingEmail, SendError, Transport};
use crate::store::outbox::{self, NewMail, Waiting};
use crate::store::url::DatabaseUrl;
use crate::store::{Connection, Database, StoreError};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

/// Longer than any of these tests takes when it passes.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// How long an e-mail of these tests is of use.
pub(super) const USEFUL: time::Duration = time::Duration::days(2);

/// A worker that looks into the outbox when it is woken, and never by itself.
pub(super) const WOKEN: Pace =
    Pace { poll_every: Duration::from_secs(3600), renew_every: Duration::from_millis(10), closing_timeout: DEADLINE };

/// A database and a clock, for any number of processes.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) clock: Arc<ManualClock>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(NOW)) }
    }

    pub(super) fn parts(&self, transport: impl Transport) -> OutboxParts {
        OutboxParts {
            database: open(self.folder.path()),
            transport: Arc::new(transport),
            clock: Arc::<ManualClock>::clone(&self.clock),
            queue_untold: Box::new(|| Ok(0)),
        }
    }

    /// Makes a process that does nothing by itself, and sends one mail after the other, however slow the machine is.
    pub(super) fn process(&self, transport: impl Transport) -> Delivery {
        Delivery::new(self.parts(transport), Pace { renew_every: DEADLINE, ..WOKEN })
    }

    /// Makes a process that does nothing by itself, and soon takes a mail for slow.
    pub(super) fn hasty_process(&self, transport: impl Transport) -> Delivery {
        Delivery::new(self.parts(transport), WOKEN)
    }

    pub(super) fn rows<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        open(self.folder.path()).write_blocking(query).unwrap()
    }

    pub(super) fn insert(&self, subject: &str) {
        insert(&open(self.folder.path()), subject, self.clock.now());
    }

    pub(super) fn health(&self) -> Waiting {
        let now = self.clock.now();
        self.rows(move |rows| outbox::health(rows, now))
    }

    pub(super) fn waiting(&self) -> i64 {
        self.health().count
    }
}

pub(super) fn open(folder: &Path) -> Database {
    Database::open(&DatabaseUrl::Sqlite(folder.join("perennial.db"))).unwrap().0
}

pub(super) fn new_mail(subject: &str, now: OffsetDateTime) -> NewMail {
    NewMail {
        to: "ada@example.net".parse().unwrap(),
        subject: subject.to_owned(),
        text: "a secret link".to_owned(),
        html: "<p>a secret link</p>".to_owned(),
        expires_at: now + USEFUL,
    }
}

pub(super) fn insert(database: &Database, subject: &str, now: OffsetDateTime) {
    let mail = new_mail(subject, now);
    database.write_blocking(move |rows| outbox::insert(rows, &mail, now)).unwrap();
}

/// What a transport does with the next e-mail.
#[derive(Clone, Copy)]
pub(super) enum Does {
    Take,
    Fail,
    Defer,
    Refuse,
    Panic,
}

/// A transport that does as it is told, and then takes everything.
#[derive(Clone, Default)]
pub(super) struct Scripted {
    script: Arc<Mutex<VecDeque<Does>>>,
    tried: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(super) fn new(script: &[Does]) -> Self {
        let scripted = Self::default();
        scripted.then(script);
        scripted
    }

    pub(super) fn then(&self, script: &[Does]) {
        self.script.lock().extend(script);
    }

    /// Forgets what is left of the script.
    pub(super) fn forget(&self) {
        self.script.lock().clear();
    }

    /// Returns the subjects of what was tried, in order.
    pub(super) fn tried(&self) -> Vec<String> {
        std::mem::take(&mut *self.tried.lock())
    }
}

impl Transport for Scripted {
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        self.tried.lock().push(email.email.subject.clone());
        let does = self.script.lock().pop_front().unwrap_or(Does::Take);
        let error = |words: &str| MailError::Other { source: words.to_owned().into() };
        match does {
            Does::Take => Ok(()),
            Does::Fail => Err(SendError::Unavailable(error("nobody there"))),
            Does::Defer => Err(SendError::Deferred(error("450 not now"))),
            Does::Refuse => Err(SendError::Refused(error("550 nobody here"))),
            Does::Panic => panic!("the transport panics, as this test wants it"),
        }
    }
}

/// A transport that takes nothing until it is told to go on, and says what it holds.
pub(super) struct Holding {
    holds: Sender<String>,
    go: Mutex<Receiver<()>>,
    memory: Memory,
}

impl Holding {
    /// Makes one that holds the mail with this subject, and takes every other at once.
    pub(super) fn new(memory: Memory) -> (Self, Receiver<String>, Sender<()>) {
        let ((holds, held), (release, go)) = (channel(), channel());
        (Self { holds, go: Mutex::new(go), memory }, held, release)
    }
}

impl Transport for Holding {
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        if email.email.subject == "held" {
            self.holds.send(email.id.clone()).unwrap();
            self.go.lock().recv().unwrap();
        }
        self.memory.send(email)
    }
}

/// Looks until there is something to see.
pub(super) fn until(what: &str, mut look: impl FnMut() -> bool) {
    let clock = SystemClock::start();
    while !look() {
        assert!(clock.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}
