//! Keeps what this process remembers in step with the database.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::worker::{Stopped, Worker};
use crate::session::Sessions;
use crate::store::StoreError;
use crate::store::changes::{Change, Follower, News};

/// How often the database is asked for changes. A revocation may take a second to reach every process; this is so much
/// less because listening costs some microseconds (one pragma, or a look at a socket, until something changed).
const FOLLOW_EVERY: Duration = Duration::from_millis(20);

/// Follows the database until it is dropped.
///
/// A thread of its own: a write may wait for somebody else's lock, or for a slow disk, longer than a revocation may go
/// unheard.
#[derive(Debug)]
pub struct ChangeFollower {
    sessions: Sessions,
    following: Arc<Mutex<Following>>,
    worker: Worker,
}

/// A follower, and whether it has heard that keys changed and not yet found out how.
#[derive(Debug)]
struct Following {
    follower: Follower,
    keys_changed: bool,
}

impl ChangeFollower {
    /// Starts to follow the database.
    ///
    /// # Errors
    /// If the database cannot be followed, or no thread can be started.
    pub fn start(sessions: Sessions) -> Result<Self, StoreError> {
        let follower = Follower::start(sessions.database())?;
        // Keys may have changed between the moment this process joined and the one it began to follow.
        sessions.read_keys()?;
        let following = Arc::new(Mutex::new(Following { follower, keys_changed: false }));
        sessions.synced(sessions.clock().elapsed());
        let (of_worker, shared) = (sessions.clone(), Arc::clone(&following));
        let worker = Worker::start("follower", move |stopped| work(&of_worker, &shared, stopped));
        let worker = worker.map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { sessions, following, worker })
    }

    /// Takes in at once whatever other processes have committed, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database has no answer.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        follow(&self.sessions, &self.following, true)
    }

    /// Ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.worker.stop();
    }
}

fn work(sessions: &Sessions, following: &Mutex<Following>, stopped: &Stopped) {
    let mut healthy = true;
    while !stopped.within(FOLLOW_EVERY) {
        // The heartbeat by which this process notices that it slept.
        sessions.clock().steady_for(sessions.longest_pause());
        match follow(sessions, following, false) {
            Ok(()) => healthy = true,
            // Once per outage and not fifty times a second.
            Err(error) if healthy => {
                healthy = false;
                tracing::error!(%error, "cannot follow the database: every request asks it until this is over");
            }
            Err(_) => {}
        }
    }
}

fn follow(sessions: &Sessions, following: &Mutex<Following>, ask: bool) -> Result<(), StoreError> {
    let mut following = following.lock();
    let asked = sessions.clock().elapsed();
    let news = if ask { following.follower.catch_up()? } else { following.follower.listen()? };
    match &news {
        News::NotAsked => {}
        News::Changes(found) => {
            following.keys_changed |= found.contains(&Change::Keys);
            sessions.invalidate(found);
        }
        News::Anything => {
            following.keys_changed = true;
            sessions.invalidate_all();
        }
    }
    if following.keys_changed {
        sessions.read_keys()?;
        following.keys_changed = false;
    }
    if news != News::NotAsked {
        sessions.synced(asked);
    }
    Ok(())
}
