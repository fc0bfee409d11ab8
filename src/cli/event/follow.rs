//! `perennial event follow`.

use std::cell::RefCell;
use std::io::{IsTerminal, stdout};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::document::document;
use super::export::ExportFile;
use crate::app::system_clock;
use crate::cli::database::open_existing;
use crate::cli::output::{Failure, say_json, warn};
use crate::config::Settings;
use crate::store::StoreError;
use crate::store::event_follower::EventFollower;
use crate::store::operator::StoredEvent;

/// How often the database is asked: nobody reads faster.
const EVERY: Duration = Duration::from_millis(200);

/// Why a reading ended early.
enum Interrupted {
    Store(StoreError),
    Output(Failure),
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Prints each event until it is stopped, or nobody reads any more. A database that is away is waited for, and nothing is
/// lost meanwhile.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    let follower = EventFollower::start(&database)?;
    follow(follower, reader_is_gone, |event| say_json(&document(&event)), || Ok(()))
}

/// Appends each event to a file until it is stopped, from the last one on that the file holds.
pub(super) fn run_into(settings: &Settings, file: &Path) -> Result<(), Failure> {
    let database = open_existing(settings)?;
    let (export, told) = ExportFile::open(file)?;
    let export = RefCell::new(export);
    let follower = EventFollower::resume(&database, &told);
    follow(follower, || false, |event| export.borrow_mut().append(&event), || export.borrow_mut().keep())
}

/// Tells of each event; `keep` follows on what was told at once.
fn follow(
    mut follower: EventFollower,
    is_over: impl Fn() -> bool,
    mut tell: impl FnMut(StoredEvent) -> Result<(), Failure>,
    mut keep: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let clock = system_clock();
    warn("following; Ctrl-C ends it");
    let mut away = false;
    while !is_over() {
        let told = follower.catch_up(clock.elapsed(), |event| tell(event).map_err(Interrupted::Output));
        keep()?;
        match told {
            Ok(()) if away => {
                away = false;
                warn("the database is there again, and what happened meanwhile was told");
            }
            Ok(()) => {}
            Err(Interrupted::Output(failure)) => return Err(failure),
            Err(Interrupted::Store(error)) if !away => {
                away = true;
                warn(&format!("{error}; it is asked again until it answers"));
            }
            Err(Interrupted::Store(_)) => {}
        }
        std::thread::park_timeout(EVERY);
    }
    Ok(())
}

/// Tells whether whoever read standard output has gone, which a pipe shows before anything is written.
fn reader_is_gone() -> bool {
    let output = stdout();
    if output.is_terminal() {
        return false;
    }
    let mut asked = [PollFd::new(&output, PollFlags::empty())];
    let answered = poll(&mut asked, Some(&Timespec::default()));
    answered.is_ok() && asked.iter().any(|asked| asked.revents().intersects(PollFlags::ERR | PollFlags::NVAL))
}
