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

/// Wrong tries of a known device between two sign-ins; beyond, it is a stranger like any other.
const DEVICE_TRIES: u32 = 20;

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

/// Registrations, or requests for a new password, from one client address.
pub const FORMS_BY_ADDRESS: Limit = Limit { count: 20, within: Duration::HOUR };

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
    /// Wrong tries of the device, where it has signed in to the account before.
    pub known_device: Option<u32>,
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
    if tries.known_device.is_some_and(|wrong| wrong < DEVICE_TRIES) {
        return Verdict::Try;
    }
    let windows = [(tries.address, SIGN_INS_BY_ADDRESS), (tries.all, SIGN_INS_OF_ALL)];
    let full = windows.into_iter().filter_map(|(window, limit)| window?.full_until(limit, now));
    if let Some(until) = full.max() {
        return Verdict::TooMany(until);
    }
    match tries.account {
        Some(failures) if failures.count >= MOST_FAILURES => Verdict::LockedForStrangers,
        Some(failures) => failures.locked_until(now).map_or(Verdict::Try, Verdict::Locked),
        None => Verdict::Try,
    }
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
pub fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(FIRST_LOCK) else { return Duration::ZERO };
    let factor = 2_i32.checked_pow(doublings).unwrap_or(i32::MAX);
    SHORTEST_WAIT.checked_mul(factor).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

impl Failures {
    /// Returns when the lock ends, if there is one at `now`.
    fn locked_until(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        during(self.last_at, wait_after(self.count), now)
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
/// A beginning that lies ahead by more than the span was noted by a wrong clock, and must not lock anybody for a year.
fn during(beginning: OffsetDateTime, span: Duration, now: OffsetDateTime) -> Option<OffsetDateTime> {
    ((now - beginning).abs() < span).then(|| beginning.saturating_add(span))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    fn account(count: u32, ago: Duration) -> SignInTries {
        SignInTries { account: Some(Failures { count, last_at: NOW - ago }), ..SignInTries::default() }
    }

    fn window(count: u32, ago: Duration) -> Option<Window> {
        Some(Window { count, began_at: NOW - ago })
    }

    #[test]
    fn waits_double_from_30_seconds_at_the_fifth_failure_to_an_hour() {
        let seconds = (0..=14).map(|failures| wait_after(failures).whole_seconds()).collect::<Vec<_>>();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        for failures in 12..2000 {
            assert_eq!(wait_after(failures), Duration::HOUR, "{failures}");
        }
        assert_eq!(wait_after(u32::MAX), Duration::HOUR);
    }

    #[test]
    fn nobody_waits_before_anything_was_counted() {
        assert_eq!(judge_sign_in(&SignInTries::default(), NOW), Verdict::Try);
        assert_eq!(judge_form(None, FORMS_BY_ADDRESS, NOW), Verdict::Try);
    }

    #[test]
    fn an_account_is_locked_to_the_second_for_as_long_as_its_failures_say() {
        for count in 0..MOST_FAILURES {
            let wait = wait_after(count);
            for ago in (0..=4000).map(Duration::seconds) {
                let expected = if ago < wait { Verdict::Locked(NOW - ago + wait) } else { Verdict::Try };
                assert_eq!(judge_sign_in(&account(count, ago), NOW), expected, "{count} {ago}");
            }
        }
    }

    #[test]
    fn after_a_hundred_failures_only_a_known_device_or_a_new_password_helps() {
        for count in [100, 101, u32::MAX] {
            for ago in [Duration::ZERO, Duration::days(4000)] {
                assert_eq!(judge_sign_in(&account(count, ago), NOW), Verdict::LockedForStrangers);
                let known = SignInTries { known_device: Some(0), ..account(count, ago) };
                assert_eq!(judge_sign_in(&known, NOW), Verdict::Try);
            }
        }
    }

    #[test]
    fn a_known_device_has_twenty_tries_whatever_strangers_do_and_is_one_of_them_then() {
        let full = SignInTries {
            address: window(u32::MAX, Duration::ZERO),
            all: window(u32::MAX, Duration::ZERO),
            ..account(99, Duration::ZERO)
        };
        for wrong in 0..40 {
            let verdict = judge_sign_in(&SignInTries { known_device: Some(wrong), ..full }, NOW);
            assert_eq!(verdict == Verdict::Try, wrong < 20, "{wrong}");
        }
        let spent = SignInTries { known_device: Some(20), ..SignInTries::default() };
        assert_eq!(judge_sign_in(&spent, NOW), Verdict::Try, "as a stranger, whom nothing locks out here");
    }

    #[test]
    fn an_address_and_all_together_have_room_again_when_their_span_is_over() {
        for (limit, tries) in [
            (SIGN_INS_BY_ADDRESS, (|window| SignInTries { address: window, ..SignInTries::default() }) as fn(_) -> _),
            (SIGN_INS_OF_ALL, |window| SignInTries { all: window, ..SignInTries::default() }),
        ] {
            for ago in [Duration::ZERO, Duration::SECOND, limit.within - Duration::SECOND] {
                let verdict = |count| judge_sign_in(&tries(window(count, ago)), NOW);
                assert_eq!(verdict(limit.count - 1), Verdict::Try);
                assert_eq!(verdict(limit.count), Verdict::TooMany(NOW - ago + limit.within));
                assert_eq!(judge_form(window(limit.count, ago), limit, NOW), verdict(limit.count));
            }
            assert_eq!(judge_sign_in(&tries(window(u32::MAX, limit.within)), NOW), Verdict::Try);
        }
    }

    #[test]
    fn whoever_waits_for_two_things_is_told_of_the_later_one() {
        let tries = SignInTries {
            address: window(50, Duration::minutes(59)),
            all: window(1000, Duration::ZERO),
            ..account(7, Duration::ZERO)
        };
        assert_eq!(judge_sign_in(&tries, NOW), Verdict::TooMany(NOW + Duration::minutes(10)));
    }

    #[test]
    fn more_failures_never_help() {
        let harsh = |verdict| match verdict {
            Verdict::Try => (0, NOW),
            Verdict::Locked(until) | Verdict::TooMany(until) => (1, until),
            Verdict::LockedForStrangers => (2, NOW),
        };
        for ago in [0, 10, 29, 30, 31, 599, 600, 3599, 3600].map(Duration::seconds) {
            for count in 0..150 {
                let (fewer, more) =
                    (judge_sign_in(&account(count, ago), NOW), judge_sign_in(&account(count + 1, ago), NOW));
                assert!(harsh(fewer) <= harsh(more), "{count} {ago}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_wrong_locks_nobody_for_long() {
        for ahead in [Duration::HOUR, Duration::days(365), Duration::days(40_000)] {
            assert_eq!(judge_sign_in(&account(99, -ahead), NOW), Verdict::Try, "{ahead}");
            let tries = SignInTries { all: window(u32::MAX, -ahead), ..SignInTries::default() };
            assert_eq!(judge_sign_in(&tries, NOW), Verdict::Try, "{ahead}");
        }
        let late = NOW + Duration::minutes(59);
        assert_eq!(judge_sign_in(&account(99, NOW - late), NOW), Verdict::Locked(late + Duration::HOUR));
        let end = datetime!(9999-12-31 23:59:59 UTC);
        let last = SignInTries { account: Some(Failures { count: 99, last_at: end }), ..SignInTries::default() };
        assert!(matches!(judge_sign_in(&last, end), Verdict::Locked(until) if until >= end));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_ipv4_in_ipv6_as_itself() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            assert_eq!(counted_address(address.parse().unwrap()), counted.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
