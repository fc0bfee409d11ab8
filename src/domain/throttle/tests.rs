use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

fn account(count: u32, ago: Duration) -> SignInTries {
    SignInTries { account: Some(Failures { count, last_at: NOW - ago }), ..SignInTries::default() }
}

fn device(count: u32, ago: Duration) -> Option<Failures> {
    Some(Failures { count, last_at: NOW - ago })
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
            let known = SignInTries { known_device: device(0, ago), ..account(count, ago) };
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
        let tries = SignInTries { known_device: device(wrong, Duration::ZERO), ..full };
        let verdict = judge_sign_in(&tries, NOW);
        assert_eq!(verdict == Verdict::Try, wrong < 20, "{wrong}");
        assert_eq!(counted_by(&tries) == Counted::ByDevice, wrong < 20, "{wrong}");
    }
}

#[test]
fn a_device_that_has_spent_its_tries_waits_for_its_own_failures_too() {
    let spent = |count, ago| SignInTries { known_device: device(count, ago), ..SignInTries::default() };
    for (count, wait) in [(20, 30), (21, 60), (22, 120), (30, 3600), (114, 3600)] {
        let wait = Duration::seconds(wait);
        assert_eq!(judge_sign_in(&spent(count, Duration::ZERO), NOW), Verdict::Locked(NOW + wait), "{count}");
        assert_eq!(judge_sign_in(&spent(count, wait), NOW), Verdict::Try, "{count}");
    }
    for count in [115, u32::MAX] {
        assert_eq!(judge_sign_in(&spent(count, Duration::days(40)), NOW), Verdict::LockedForStrangers);
    }
}

#[test]
fn a_lock_is_told_of_when_it_is_the_first_and_when_it_is_the_last() {
    let told = |failures| lock_after(failures).is_some_and(Lock::is_worth_a_mail);
    assert_eq!((0..=99).filter(|failures| told(*failures)).collect::<Vec<_>>(), [5]);
    assert!(told(100));
    assert_eq!((0..8).filter(|failures| lock_after(*failures).is_none()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(lock_after(100).map(Lock::wait), Some(Duration::HOUR));
}

#[test]
fn a_window_counts_until_it_is_over_and_begins_again_then() {
    let limit = SIGN_INS_BY_ADDRESS;
    let begun = with_another(None, limit, NOW);
    assert_eq!(begun, Window { count: 1, began_at: NOW });
    let later = NOW + limit.within - Duration::SECOND;
    assert_eq!(with_another(Some(begun), limit, later), Window { count: 2, began_at: NOW });
    for now in [NOW + limit.within, NOW - Duration::HOUR, NOW - Duration::days(365)] {
        assert_eq!(with_another(Some(begun), limit, now), Window { count: 1, began_at: now });
    }
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
    for ahead in [TOLERANCE + Duration::SECOND, Duration::HOUR, Duration::days(365), Duration::days(40_000)] {
        assert_eq!(judge_sign_in(&account(99, -ahead), NOW), Verdict::Try, "{ahead}");
        let tries = SignInTries { all: window(u32::MAX, -ahead), ..SignInTries::default() };
        assert_eq!(judge_sign_in(&tries, NOW), Verdict::Try, "{ahead}");
    }
    let late = NOW + TOLERANCE;
    assert_eq!(judge_sign_in(&account(99, -TOLERANCE), NOW), Verdict::Locked(late + Duration::HOUR));
    let end = datetime!(9999-12-31 23:59:59 UTC);
    let last = SignInTries { account: Some(Failures { count: 99, last_at: end }), ..SignInTries::default() };
    assert!(matches!(judge_sign_in(&last, end), Verdict::Locked(until) if until >= end));
}

#[test]
fn what_another_clock_counted_a_moment_ahead_locks_nobody_before_the_fifth_failure() {
    for count in 0..5 {
        assert_eq!(judge_sign_in(&account(count, -Duration::seconds(30)), NOW), Verdict::Try, "{count}");
    }
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
