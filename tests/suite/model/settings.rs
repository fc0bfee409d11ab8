//! The settings that are explored.

use perennial::domain::session::Lifetimes;
use time::Duration;

use super::protocol::Protocol;
use super::world::{LateAnswers, Setting};

/// The grace that the program starts with, and an access life that is longer than it and than what a crash forgets:
/// what matters is the order of these, so the rest of a quarter of an hour is left out.
const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::seconds(75),
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::days(1),
    reuse_grace: Duration::seconds(30),
};

/// An honest browser whose messages are on time.
pub fn honest(tabs: usize) -> Setting {
    Setting {
        protocol: Protocol::REAL,
        lifetimes: LIFETIMES,
        exchanges: [tabs, 0],
        unbound: false,
        crashes: true,
        theft: false,
        revokes: false,
        ends: false,
        late_answers: LateAnswers::Never,
        late_requests: false,
        waits: &[15],
        longest_page: 60,
        counts_swaps: false,
    }
}

/// An honest browser whose sign-in ends: revoked, idle, or expired.
pub fn ending(tabs: usize) -> Setting {
    let lifetimes = Lifetimes { idle: Duration::seconds(105), kept: Duration::seconds(180), ..LIFETIMES };
    Setting { lifetimes, longest_page: 30, revokes: true, ends: true, ..honest(tabs) }
}

/// An owner and a thief who both present whatever they like.
///
/// Nothing is late or early for them, so time need only pass the grace.
pub fn stolen(owner: usize, thief: usize) -> Setting {
    Setting {
        exchanges: [owner, thief],
        unbound: true,
        crashes: false,
        theft: true,
        revokes: true,
        late_answers: LateAnswers::Always,
        late_requests: true,
        waits: &[31],
        longest_page: 31,
        ..honest(owner)
    }
}
