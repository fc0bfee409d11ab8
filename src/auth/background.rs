//! What runs beside the requests: following the database, and writing down when sign-ins were last seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Auth;
use super::companion::{Companion, Stopped};
use crate::store::changes::{Follower, Heard};
use crate::store::{StoreError, sessions};

/// How often the database is asked for changes. A revocation may take a second to reach every process; this is so much
/// less because listening costs some microseconds (one pragma, or a look at a socket, until something changed).
const FOLLOW_EVERY: Duration = Duration::from_millis(20);

/// Rounds of following between two writes of what was seen.
const ROUNDS_PER_WRITE: u32 = 250;

/// Sign-ins whose last use is written in one transaction: short enough to keep no rotation waiting.
const SEEN_BATCH: usize = 200;

/// A thread that keeps what this process remembers in step with the database; it ends when this is dropped.
#[derive(Debug)]
pub struct Background {
    auth: Arc<Auth>,
    follower: Arc<Mutex<Follower>>,
    _thread: Companion,
}

impl Background {
    /// Starts to follow the database.
    ///
    /// # Errors
    /// If the database cannot be followed, or no thread can be started.
    pub fn start(auth: Arc<Auth>) -> Result<Self, StoreError> {
        let follower = Arc::new(Mutex::new(Follower::start(&auth.database)?));
        auth.remembered.heard(auth.clock.elapsed());
        let thread = {
            let (auth, follower) = (Arc::clone(&auth), Arc::clone(&follower));
            Companion::start("follower", move |stopped| work(&auth, &follower, stopped))
        };
        Ok(Self { auth, follower, _thread: thread.map_err(|error| StoreError::Unavailable(error.into()))? })
    }

    /// Takes in at once whatever other processes have committed, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        follow(&self.auth, &self.follower, true)
    }

    /// Writes down at once when sign-ins were last seen.
    ///
    /// # Errors
    /// If the database cannot write; the next round tries again.
    pub fn write_seen(&self) -> Result<(), StoreError> {
        write_seen(&self.auth)
    }
}

fn work(auth: &Auth, follower: &Mutex<Follower>, stopped: &Stopped) {
    let mut round = 0_u32;
    let mut quiet = true;
    loop {
        let ended = stopped.within(FOLLOW_EVERY);
        round = round.wrapping_add(1);
        let followed = follow(auth, follower, false);
        let seen = if ended || round.is_multiple_of(ROUNDS_PER_WRITE) { write_seen(auth) } else { Ok(()) };
        match followed.and(seen) {
            Ok(()) => quiet = true,
            // Once an outage and not fifty times a second.
            Err(error) if quiet => {
                quiet = false;
                tracing::error!(%error, "cannot follow the database: every request asks it until this is over");
            }
            Err(_) => {}
        }
        if ended {
            return;
        }
    }
}

fn follow(auth: &Auth, follower: &Mutex<Follower>, ask: bool) -> Result<(), StoreError> {
    let mut follower = follower.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = auth.clock.elapsed();
    let heard = if ask { follower.catch_up()? } else { follower.listen()? };
    match heard {
        Heard::Silence => return Ok(()),
        Heard::Changes(found) => auth.remembered.apply(&found, asked),
        Heard::Anything => auth.remembered.doubt_all(),
    }
    auth.remembered.heard(asked);
    Ok(())
}

fn write_seen(auth: &Auth) -> Result<(), StoreError> {
    for batch in auth.remembered.seen_to_write().chunks(SEEN_BATCH) {
        let rows = batch.to_vec();
        auth.database.write_blocking(move |connection| sessions::touch(connection, &rows))?;
        auth.remembered.seen_written(batch);
    }
    Ok(())
}
