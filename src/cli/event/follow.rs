//! `perennial event follow`.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::document::document;
use crate::app::system_clock;
use crate::cli::database::open_existing;
use crate::cli::output::{Failure, say_json, warn};
use crate::config::Settings;
use crate::store::StoreError;
use crate::store::event_follower::EventFollower;

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
    let mut follower = EventFollower::start(&database)?;
    let clock = system_clock();
    warn("following; Ctrl-C ends it");
    let mut away = false;
    while !reader_is_gone() {
        let told = follower.catch_up(clock.elapsed(), |event| say_json(&document(&event)).map_err(Interrupted::Output));
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
