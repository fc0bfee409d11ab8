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

/// How often what was seen is written down, and tokens that have expired are looked for.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Sign-ins whose last use is written in one transaction: short enough to keep no rotation waiting.
const SEEN_BATCH: usize = 200;

/// A thread that keeps what this process remembers in step with the database, and one that writes down what was seen;
/// they end when this is dropped.
///
/// Two, because a write may wait for somebody else's lock, or for a slow disk, longer than a revocation may go unheard.
#[derive(Debug)]
pub struct Background {
    auth: Arc<Auth>,
    follower: Arc<Mutex<Follower>>,
    _threads: [Companion; 2],
}

impl Background {
    /// Starts to follow the database.
    ///
    /// # Errors
    /// If the database cannot be followed, or no thread can be started.
    pub fn start(auth: Arc<Auth>) -> Result<Self, StoreError> {
        let follower = Arc::new(Mutex::new(Follower::start(&auth.database)?));
        auth.remembered.heard(auth.clock.elapsed());
        let threads = start_threads(&auth, &follower).map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { auth, follower, _threads: threads })
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

fn start_threads(auth: &Arc<Auth>, follower: &Arc<Mutex<Follower>>) -> std::io::Result<[Companion; 2]> {
    let (following, writing, follower) = (Arc::clone(auth), Arc::clone(auth), Arc::clone(follower));
    let follow = Companion::start("follower", move |stopped| keep_following(&following, &follower, stopped))?;
    Ok([follow, Companion::start("seen", move |stopped| keep_writing(&writing, stopped))?])
}

fn keep_following(auth: &Auth, follower: &Mutex<Follower>, stopped: &Stopped) {
    let mut quiet = true;
    while !stopped.within(FOLLOW_EVERY) {
        match follow(auth, follower, false) {
            Ok(()) => quiet = true,
            // Once an outage and not fifty times a second.
            Err(error) if quiet => {
                quiet = false;
                tracing::error!(%error, "cannot follow the database: every request asks it until this is over");
            }
            Err(_) => {}
        }
    }
}

fn keep_writing(auth: &Auth, stopped: &Stopped) {
    let mut ended = false;
    while !ended {
        ended = stopped.within(WRITE_EVERY);
        auth.remembered.sweep(auth.clock.now(), auth.clock.elapsed());
        if let Err(error) = write_seen(auth) {
            tracing::warn!(%error, "cannot write down which sign-ins were used; the next try is in some seconds");
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
