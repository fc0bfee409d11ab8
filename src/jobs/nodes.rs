//! This process among the others on its database: it joins, is heard from every five seconds, and leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use super::worker::{Stopped, Worker};
use crate::crypto::{RandomError, random_bytes};
use crate::domain::agreement::{announced, differences};
use crate::domain::clock::Clock;
use crate::domain::id::NodeId;
use crate::domain::lease::LeaseWatch;
use crate::domain::node::{Announcement, DEVICE_BINDING, Node};
use crate::domain::session::Lifetimes;
use crate::domain::signing_key::{KeyRefusal, list};
use crate::session::{NodeState, Sessions};
use crate::store::nodes::{self, Joined, Membership};
use crate::store::{Connection, Database, StoreError};

/// How often this process is heard from: six times a lease.
const BEAT: Duration = Duration::from_secs(5);

/// Why a process cannot join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It would sign people out.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
    /// The store has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no random bytes for its name.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// What the composition root brings.
#[derive(Clone)]
pub struct NodeParts {
    /// Where the others are found.
    pub database: Database,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// What is known of keys and clocks.
    pub state: NodeState,
    /// How long everything lives here.
    pub lifetimes: Lifetimes,
    /// Whether sign-ins are bound to their devices here.
    pub device_binding: bool,
}

/// A process that has joined; it leaves when this is dropped.
pub struct JoinedNode {
    parts: NodeParts,
    announcement: Announcement,
    started_at: Mutex<Option<OffsetDateTime>>,
    watch: Mutex<LeaseWatch>,
    refused: AtomicBool,
    left: AtomicBool,
}

impl JoinedNode {
    /// Joins the processes on the database, and takes over which key signs there.
    ///
    /// Where the database can be read and not written, as on a full disk, a process that may join starts all the same:
    /// there is much that it can serve, and a heartbeat joins it later.
    ///
    /// # Errors
    /// `Refused` if this process would sign people out; then nothing was changed.
    pub fn join(parts: NodeParts) -> Result<Self, JoinError> {
        let id = NodeId::from_bytes(random_bytes()?);
        let node = Self {
            announcement: announcement(id, &parts),
            parts,
            started_at: Mutex::default(),
            watch: Mutex::default(),
            refused: AtomicBool::new(false),
            left: AtomicBool::new(false),
        };
        let keys = node.parts.state.keys();
        let reading = keys.reading();
        let joining = node.announcement.clone();
        match node.ask(move |connection| nodes::join(connection, &joining)) {
            Ok(Membership::Joined(joined)) => {
                keys.take_in(reading, &joined.standing);
                node.tell_differences(&joined.nodes);
                node.joined(joined);
            }
            Ok(Membership::Refused { refusal, .. }) => return Err(refusal.into()),
            Err(error) => {
                tracing::warn!(%error, "cannot join the processes on this database; the next try is in some seconds");
                let overview = node.parts.database.read_blocking(nodes::overview)?;
                overview.admit(&node.announcement.keys)?;
                keys.take_in(reading, &overview.standing);
            }
        }
        let dropped = keys.dropped();
        if !dropped.is_empty() {
            tracing::warn!("{} was dropped and opens nothing: its secret can be taken away", list(&dropped));
        }
        Ok(node)
    }

    /// Says that this process is alive; returns whether a key was dropped that it has.
    ///
    /// # Errors
    /// If the database cannot write; the lease is as good as before.
    fn beat(&self) -> Result<bool, StoreError> {
        let (node, started_at, silent) =
            (self.announcement.clone(), *self.started_at.lock(), self.watch.lock().silent());
        let reading = self.parts.state.keys().reading();
        let membership = self.ask(move |rows| nodes::heartbeat(rows, &node, started_at, &silent))?;
        let standing = match &membership {
            Membership::Joined(joined) => &joined.standing,
            Membership::Refused { standing, .. } => standing,
        };
        let news = self.parts.state.keys().take_in(reading, standing);
        match membership {
            Membership::Joined(joined) => self.joined(joined),
            Membership::Refused { refusal, .. } => {
                if !self.refused.swap(true, Ordering::SeqCst) {
                    tracing::error!("this process answers 503 until it can join again: {refusal}");
                }
            }
        }
        Ok(news)
    }

    /// Takes in what the database said to a process that is live.
    fn joined(&self, joined: Joined) {
        if self.refused.swap(false, Ordering::SeqCst) {
            tracing::info!("this process has joined again");
        }
        if let (true, Some(signing)) = (joined.moved && joined.standing.revision > 1, joined.standing.signing()) {
            tracing::info!(key = %signing, "another key signs from now on: every process has it");
        }
        let own = joined.nodes.iter().find(|node| node.announced.id == self.announcement.id);
        self.started_at.lock().clone_from(&own.map(|own| own.started_at));
        // One that has fallen silent lately may still run.
        self.parts.state.set_binds(joined.nodes.iter().all(|node| node.announced.can(DEVICE_BINDING)));
        self.watch.lock().look(&joined.nodes, self.parts.clock.elapsed());
    }

    /// Runs a write, and compares what the clock of a server said meanwhile with this machine's.
    fn ask(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<Membership, StoreError> + Send + 'static,
    ) -> Result<Membership, StoreError> {
        let before = self.parts.clock.now();
        let membership = self.parts.database.write_blocking(write)?;
        if let Membership::Joined(Joined { clock: Some(database), .. }) = &membership
            && self.parts.clock.is_real()
        {
            self.parts.state.compare_clocks(*database, &(before..=self.parts.clock.now()));
        }
        Ok(membership)
    }

    /// Says in which settings the others differ: what a sign-in meets must not depend on who answers.
    fn tell_differences(&self, nodes: &[Node]) {
        for other in nodes.iter().filter(|other| other.announced.id != self.announcement.id) {
            for difference in differences(&self.announcement.lifetimes, &other.announced.lifetimes) {
                tracing::warn!("{difference} for {}: give every process the same", other.announced);
            }
        }
    }

    /// Takes this process off; the others then need not wait for its lease to run out.
    fn leave(&self) {
        if self.left.swap(true, Ordering::SeqCst) {
            return;
        }
        let id = self.announcement.id;
        if let Err(error) = self.parts.database.write_blocking(move |connection| nodes::leave(connection, id)) {
            tracing::debug!(%error, "cannot leave: the lease runs out by itself");
        }
    }
}

impl Drop for JoinedNode {
    fn drop(&mut self) {
        self.leave();
    }
}

fn announcement(id: NodeId, parts: &NodeParts) -> Announcement {
    Announcement {
        id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        keys: parts.state.keys().ids().to_vec(),
        lifetimes: announced(&parts.lifetimes),
        capabilities: if parts.device_binding { DEVICE_BINDING.to_owned() } else { String::new() },
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
    }
}

/// A thread that lets this process be heard from, and leaves at its end; it ends when this is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    sessions: Sessions,
    node: Arc<JoinedNode>,
    worker: Worker,
}

impl Heartbeat {
    /// Starts the thread.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(sessions: Sessions, node: JoinedNode) -> std::io::Result<Self> {
        let node = Arc::new(node);
        let (of_worker, joined) = (sessions.clone(), Arc::clone(&node));
        let worker = Worker::start("nodes", move |stopped| keep_beating(&of_worker, &joined, stopped))?;
        Ok(Self { sessions, node, worker })
    }

    /// Lets this process be heard from at once, as a test needs it that does not wait.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn beat(&self) -> Result<(), StoreError> {
        beat(&self.sessions, &self.node)
    }

    /// Takes this process off, ends the thread and waits for that, at most for five seconds.
    pub fn stop(&self) {
        self.worker.stop();
    }
}

fn keep_beating(sessions: &Sessions, node: &JoinedNode, stopped: &Stopped) {
    let mut quiet = true;
    while !stopped.within(BEAT) {
        match beat(sessions, node) {
            Ok(()) => quiet = true,
            // Once an outage and not every five seconds.
            Err(error) if quiet => {
                quiet = false;
                tracing::warn!(%error, "cannot renew the lease of this process; the next try is in some seconds");
            }
            Err(_) => {}
        }
    }
    node.leave();
}

fn beat(sessions: &Sessions, node: &JoinedNode) -> Result<(), StoreError> {
    if node.beat()? {
        sessions.invalidate_all();
    }
    Ok(())
}

impl std::fmt::Debug for JoinedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinedNode({})", self.announcement.id)
    }
}

impl std::fmt::Debug for NodeParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeParts")
    }
}
