//! The settings that are explored.

use perennial::domain::session::Lifetimes;
use time::Duration;

use super::protocol::{Protocol, Seconds};
use super::world::{Host, Restores, Setting, Version};

/// The grace that the program starts with. Access tokens are of no help here: each request brings none, as if it had
/// expired, was dropped with its key, or was never sent.
pub const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::ZERO,
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::days(1),
    reuse_grace: Duration::seconds(30),
};

const ONE: Host = Host { version: Version::Two, ahead: 0 };

/// A clock that is a third of the grace ahead.
const AHEAD: Host = Host { version: Version::Two, ahead: 10 };

const BEFORE: Host = Host { version: Version::One, ahead: 0 };

const DAY: Seconds = 86_400;

/// An honest browser whose messages are on time, and one process.
pub fn honest(tabs: usize) -> Setting {
    Setting {
        protocol: Protocol::REAL,
        lifetimes: LIFETIMES,
        hosts: &[ONE],
        exchanges: [tabs, 0],
        unbound: false,
        crashes: true,
        keeps_old_cookies: false,
        repeats: false,
        losses: 2,
        theft: false,
        revokes: false,
        ages: false,
        sleepers: 0,
        jumps: &[],
        takes_wrong_clocks_out: true,
        restores: Restores::Never,
        late_answers: false,
        late_requests: false,
        stall: 0,
        overtaken: None,
        waits: &[30],
        longest_page: 150,
        visits: None,
        counts_swaps: false,
    }
}

/// Two processes whose clocks are apart, and which sleep for half a grace without knowing it: every limit at once.
pub fn tight(tabs: usize) -> Setting {
    Setting { hosts: &[ONE, AHEAD], stall: 15, waits: &[15], longest_page: 60, ..honest(tabs) }
}

/// A browser that loses as many renewals in a row as it may, and gets answers twice.
pub fn losing(tabs: usize) -> Setting {
    Setting { losses: 7, repeats: true, longest_page: 30, ..honest(tabs) }
}

/// A browser with several refresh cookies, on a database that is put back.
pub fn restoring(tabs: usize) -> Setting {
    Setting { keeps_old_cookies: true, restores: Restores::AtAStandstill, longest_page: 30, losses: 1, ..honest(tabs) }
}

/// Processes that sleep, with requests in their sockets.
pub fn sleeping(tabs: usize, sleepers: usize) -> Setting {
    Setting { hosts: &[ONE, ONE], sleepers, longest_page: 30, ..honest(tabs) }
}

/// The same in steps of two graces, so that a message or a crash takes no time, and a window takes two.
pub fn sleeping_in_large_steps(tabs: usize, sleepers: usize) -> Setting {
    Setting { waits: &[60], longest_page: 0, ..sleeping(tabs, sleepers) }
}

/// Clocks that are set wrong by a day or ten years and put right later.
pub fn wrong_clocks(tabs: usize, processes: usize) -> Setting {
    let hosts: &[Host] = &[ONE, ONE];
    let jumps = &[DAY, 3650 * DAY, -3650 * DAY];
    Setting { hosts: &hosts[..processes], jumps, losses: 1, ..honest(tabs) }
}

/// An honest browser whose sign-in ends: revoked, idle, or expired.
pub fn ending(tabs: usize) -> Setting {
    let lifetimes = Lifetimes { idle: Duration::seconds(100), kept: Duration::seconds(420), ..LIFETIMES };
    Setting { lifetimes, hosts: &[ONE, AHEAD], longest_page: 30, revokes: true, ages: true, losses: 1, ..honest(tabs) }
}

/// Both versions on one database, with what version 1 asks for: an access life longer than what a crash forgets, and
/// messages that take one grace there and back.
pub fn mixed(tabs: usize) -> Setting {
    let lifetimes = Lifetimes { access: Duration::seconds(75), ..LIFETIMES };
    let hosts = &[ONE, BEFORE];
    Setting { lifetimes, hosts, overtaken: Some(30), waits: &[15], longest_page: 30, ..honest(tabs) }
}

/// An owner and a thief who both present whatever they like.
///
/// Nothing is late or early for them, so time need only pass the window.
pub fn stolen(owner: usize, thief: usize) -> Setting {
    Setting {
        exchanges: [owner, thief],
        unbound: true,
        crashes: false,
        theft: true,
        revokes: true,
        late_answers: true,
        late_requests: true,
        waits: &[121],
        longest_page: 121,
        ..honest(owner)
    }
}

/// An owner who visits every twenty minutes at least and stores what comes, and a thief; access tokens as the program
/// starts with.
pub fn visited() -> Setting {
    Setting {
        lifetimes: Lifetimes { access: Duration::minutes(15), ..LIFETIMES },
        exchanges: [1, 1],
        crashes: false,
        losses: 0,
        theft: true,
        visits: Some(20 * 60),
        longest_page: 30,
        ..honest(1)
    }
}

/// Whatever can happen to an honest browser, at once.
pub fn everything(tabs: usize) -> Setting {
    let Setting { jumps, .. } = wrong_clocks(1, 1);
    Setting { hosts: &[ONE, AHEAD], sleepers: 1, jumps, stall: 15, repeats: true, ..restoring(tabs) }
}

/// The same in steps of a minute, so that messages take no time.
pub fn visited_in_large_steps() -> Setting {
    Setting { waits: &[60], longest_page: 60, ..visited() }
}

/// Requests under way at once, of a run that does not say how many.
const TABS: usize = 2;

/// Returns how many requests of the owner are under way at once: `MODEL_TABS`, at least 2.
pub fn tabs() -> usize {
    number("MODEL_TABS").map_or(TABS, |tabs| usize::try_from(tabs).expect("a few tabs").max(TABS))
}

/// Reads a number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}
