//! Which of the other processes have fallen silent, as one process sees it.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;

use crate::domain::id::NodeId;
use crate::domain::node::{LEASE, Node};

/// The most that one look adds to a silence: two heartbeats. What passes while this process itself sleeps is nobody's
/// silence.
const STEP: Duration = Duration::from_secs(10);

/// Watches over the leases of others.
///
/// That a lease has run out by the clock of the database is not enough to take a process for gone: where that clock jumps
/// ahead, every lease has run out at once, and who is heard first would move the signing key to one that the others
/// lack. So whoever ends a lease has also seen nothing of its holder for as long, by its own monotonic time.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    silences: HashMap<NodeId, (OffsetDateTime, Duration)>,
    looked: Option<Duration>,
}

impl LeaseWatch {
    /// Takes in what the database holds, at the monotonic time `elapsed`.
    pub fn look(&mut self, nodes: &[Node], elapsed: Duration) {
        let step = self.looked.map_or(Duration::ZERO, |looked| elapsed.saturating_sub(looked).min(STEP));
        self.looked = Some(elapsed);
        let next = nodes.iter().map(|node| {
            let silence = match self.silences.get(&node.announced.id) {
                Some((heard_at, silence)) if *heard_at == node.heard_at => *silence + step,
                _ => Duration::ZERO,
            };
            (node.announced.id, (node.heard_at, silence))
        });
        self.silences = next.collect();
    }

    /// Returns who has been silent for a whole lease, with the last that was heard of them.
    pub fn silent(&self) -> Vec<(NodeId, OffsetDateTime)> {
        let silent = self.silences.iter().filter(|(_, (_, silence))| *silence > LEASE);
        silent.map(|(id, (heard_at, _))| (*id, *heard_at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::node::tests::node;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_says_nothing_for_a_lease_is_silent() {
        let (mut watch, gone, mut live) = (LeaseWatch::default(), node(1, "a"), node(2, "a"));
        for seconds in (0..=30).step_by(5) {
            watch.look(&[gone.clone(), live.clone()], at(seconds));
            assert_eq!(watch.silent(), [], "{seconds}");
            live.heard_at += time::Duration::seconds(5);
        }
        watch.look(&[gone.clone(), live], at(35));
        assert_eq!(watch.silent(), [(gone.announced.id, gone.heard_at)]);
    }

    #[test]
    fn a_clock_that_jumps_makes_nobody_silent() {
        let (mut watch, mut other) = (LeaseWatch::default(), node(1, "a"));
        for seconds in (0..=300).step_by(5) {
            watch.look(std::slice::from_ref(&other), at(seconds));
            assert_eq!(watch.silent(), []);
            other.heard_at += time::Duration::days(if seconds % 10 == 0 { 365 } else { -400 });
        }
    }

    #[test]
    fn what_passes_while_this_process_sleeps_is_nobodys_silence() {
        let (mut watch, other) = (LeaseWatch::default(), node(1, "a"));
        watch.look(std::slice::from_ref(&other), at(0));
        watch.look(std::slice::from_ref(&other), at(36_000));
        assert_eq!(watch.silent(), []);
    }
}
