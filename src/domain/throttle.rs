//! How many guesses are allowed, and how long whoever made too many must wait.
//!
//! Four things are counted: failures of an account in a row (by its address, whether there is such an account or not),
//! those of a client address, those of all, and those of a device that has signed in to the account before. The last one
//! has tries of its own, so that strangers cannot lock an owner out (OWASP Authentication Cheat
//! Sheet, "Account Lockout"; NIST SP 800-63B-4 section 3.2.2 allows 100 failures in a row at most).
//!
//! Nothing here counts: whoever counts does so before a password is hashed, in one statement of the database. A try that is
//! refused here is neither counted nor hashed.

use std::net::{IpAddr, Ipv6Addr};

use time::{Duration, OffsetDateTime};

/// The failure in a row from which on an account is locked: a person who mistypes has four more tries.
const FIRST_LOCK: u32 = 5;

/// How long the first lock lasts; each further failure doubles it.
const SHORTEST_WAIT: Duration = Duration::seconds(30);

/// The longest lock: an owner without a known device need not wait longer after the last failure of a stranger.
const LONGEST_WAIT: Duration = Duration::HOUR;

/// Failures in a row after which only a known device or a new password helps.
const MOST_FAILURES: u32 = 100;

/// Wrong tries of a known device between two sign-ins; beyond, it waits like a stranger, and for its own failures too.
const DEVICE_TRIES: u32 = 20;

/// How far ahead of now a time may be before it counts as written by a clock that was wrong: the clocks of two nodes may
/// differ by so much.
const TOLERANCE: Duration = Duration::minutes(1);

/// A number of tries within a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many are allowed.
    pub count: u32,
    /// The span, from the first of them.
    pub within: Duration,
}

/// Failed sign-ins from one client address: enough for a household or a small office behind one.
pub const SIGN_INS_BY_ADDRESS: Limit = Limit { count: 50, within: Duration::HOUR };

/// Registrations, or requests for a new password, from one client address: counted whether they succeed or not, since each
/// costs a hash or a mail. A class that signs up in one lesson, behind one address, is let in.
pub const FORMS_BY_ADDRESS: Limit = Limit { count: 50, within: Duration::HOUR };

/// Failed sign-ins of everybody: what few tries from each of many addresses at each of many accounts add up to.
pub const SIGN_INS_OF_ALL: Limit = Limit { count: 1000, within: Duration::minutes(10) };

/// Failures of an account since its last success or new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many in a row.
    pub count: u32,
    /// When the last one was.
    pub last_at: OffsetDateTime,
}

/// Tries since the first of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub count: u32,
    /// When the first one was.
    pub began_at: OffsetDateTime,
}

/// What is known when somebody tries to sign in; nothing where nothing was counted yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignInTries {
    /// Of the address that was typed.
    pub account: Option<Failures>,
    /// Of the client's address, as [`counted_address`] has it.
    pub address: Option<Window>,
    /// Of everybody.
    pub all: Option<Window>,
    /// Of the device, where it has signed in to the account before.
    pub known_device: Option<Failures>,
}

/// By what a try is counted, if it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// By the device alone: it is known, and has tries of its own left.
    ByDevice,
    /// By the account, the client address and all; and by the device, if it is known and has spent its tries.
    AsStranger,
}

/// What to do with a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Count it, then look at the password.
    Try,
    /// The account is locked until then.
    Locked(OffsetDateTime),
    /// The account is locked until its password is set anew or a known device signs in.
    LockedForStrangers,
    /// Too many tries from there, or of all, until then.
    TooMany(OffsetDateTime),
}

/// Decides on a try to sign in at `now`.
///
/// The answer does not depend on whether there is such an account: failures of an address that has none count alike.
pub fn judge_sign_in(tries: &SignInTries, now: OffsetDateTime) -> Verdict {
    if counted_by(tries) == Counted::ByDevice {
        return Verdict::Try;
    }
    let windows = [(tries.address, SIGN_INS_BY_ADDRESS), (tries.all, SIGN_INS_OF_ALL)];
    let full = windows.into_iter().filter_map(|(window, limit)| window?.full_until(limit, now));
    if let Some(until) = full.max() {
        return Verdict::TooMany(until);
    }
    // A device that has spent its tries begins where a stranger is locked out for the first time.
    let spent = tries
        .known_device
        .map(|device| Failures { count: device.count.saturating_sub(DEVICE_TRIES - FIRST_LOCK), ..device });
    let failures = [tries.account, spent];
    if failures.iter().flatten().any(|failures| failures.count >= MOST_FAILURES) {
        return Verdict::LockedForStrangers;
    }
    let locks = failures.into_iter().filter_map(|failures| failures?.locked_until(now));
    locks.max().map_or(Verdict::Try, Verdict::Locked)
}

/// Tells by what a try is counted.
pub fn counted_by(tries: &SignInTries) -> Counted {
    match tries.known_device {
        Some(device) if device.count < DEVICE_TRIES => Counted::ByDevice,
        _ => Counted::AsStranger,
    }
}

/// What a failure does to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is locked from now on for so long.
    For(Duration),
    /// It is locked until its password is set anew or a known device signs in.
    ForStrangers,
}

impl Lock {
    /// Returns how long to wait before the next try; after the last lock, when to look whether the owner has ended it.
    pub fn wait(self) -> Duration {
        match self {
            Self::For(wait) => wait,
            Self::ForStrangers => LONGEST_WAIT,
        }
    }

    /// Tells whether the owner is to be told by mail: of the first lock, and of the last. Those between follow from the
    /// first.
    pub fn is_worth_a_mail(self) -> bool {
        [Self::ForStrangers, Self::For(SHORTEST_WAIT)].contains(&self)
    }
}

/// Returns how the failure that is `failures` in a row locks an account, if it does.
pub fn lock_after(failures: u32) -> Option<Lock> {
    let wait = wait_after(failures);
    if failures >= MOST_FAILURES { Some(Lock::ForStrangers) } else { wait.is_positive().then_some(Lock::For(wait)) }
}

/// Returns a window with one more try in it: a new one where the one before is over.
pub fn with_another(window: Option<Window>, limit: Limit, now: OffsetDateTime) -> Window {
    let open = window.filter(|window| during(window.began_at, limit.within, now).is_some());
    open.map_or(Window { count: 1, began_at: now }, |window| Window { count: window.count.saturating_add(1), ..window })
}

/// Decides on another form that strangers may send at `now`, by what was sent from the same client address.
pub fn judge_form(sent: Option<Window>, limit: Limit, now: OffsetDateTime) -> Verdict {
    sent.and_then(|window| window.full_until(limit, now)).map_or(Verdict::Try, Verdict::TooMany)
}

/// Returns the address that tries are counted by: a household has 2^64 addresses of IPv6 (RFC 6177), and one of IPv4.
pub fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Returns how long an account is locked after this many failures in a row.
fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(FIRST_LOCK) else { return Duration::ZERO };
    let factor = 2_i32.checked_pow(doublings).unwrap_or(i32::MAX);
    SHORTEST_WAIT.checked_mul(factor).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

impl Failures {
    /// Returns when the lock ends, if there is one at `now`.
    fn locked_until(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        Some(wait_after(self.count)).filter(|wait| wait.is_positive()).and_then(|wait| during(self.last_at, wait, now))
    }
}

impl Window {
    /// Returns when there is room again, if there is none at `now`.
    fn full_until(self, limit: Limit, now: OffsetDateTime) -> Option<OffsetDateTime> {
        during(self.began_at, limit.within, now).filter(|_| self.count >= limit.count)
    }
}

/// Returns the end of a span that `now` lies in.
///
/// A beginning that lies ahead was noted by a wrong clock: whatever that said, nobody waits longer than the span and
/// [`TOLERANCE`].
fn during(beginning: OffsetDateTime, span: Duration, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let passed = now - beginning;
    (passed < span && passed >= -TOLERANCE).then(|| beginning.saturating_add(span))
}

#[cfg(test)]
mod tests;
