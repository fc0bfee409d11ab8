use time::macros::datetime;

use super::*;
use crate::domain::id::{SessionId, UserId};
use crate::domain::token::RefreshSecret;

mod proofs;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

const SECOND: Duration = Duration::SECOND;

const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::minutes(15),
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::hours(24),
    reuse_grace: Duration::seconds(30),
};

/// Four times the grace.
const WINDOW: Duration = Duration::minutes(2);

/// A process that can judge, of a cluster without an older version.
const STEADY: Circumstances =
    Circumstances { lifetimes: LIFETIMES, now: NOW, steady: true, reissue_in_place: false, binds: true };

const UNSTEADY: Circumstances = Circumstances { steady: false, ..STEADY };

const BESIDE_VERSION_1: Circumstances = Circumstances { reissue_in_place: true, ..STEADY };

fn secret(byte: u8) -> RefreshSecret {
    RefreshSecret::from_bytes([byte; 32])
}

/// Generation 5 with secret 5, predecessor 4, rotated an hour ago.
fn session() -> Session {
    Session {
        id: SessionId::from_bytes([1; 16]),
        user_id: UserId(1),
        generation: 5,
        token_hash: secret(5).hash(),
        previous_hash: Some(secret(4).hash()),
        rotated_at: NOW - Duration::HOUR,
        created_at: NOW - Duration::days(1),
        authenticated_at: NOW - Duration::days(1),
        last_seen_at: NOW - Duration::HOUR,
        expires_at: NOW + Duration::days(29),
        kept: true,
        shared_computer: false,
        revoked: None,
        user_agent: "browser".to_owned(),
        address: "192.0.2.1".to_owned(),
        device_key: None,
        proved_generation: None,
    }
}

fn rotated(ago: Duration) -> Session {
    Session { rotated_at: NOW - ago, ..session() }
}

fn token(generation: i64, byte: u8) -> RefreshToken {
    RefreshToken { session: SessionId::from_bytes([1; 16]), generation, secret: secret(byte) }
}

fn active() -> RefreshToken {
    token(5, 5)
}

fn predecessor() -> RefreshToken {
    token(4, 4)
}

/// Decides in a process that can judge.
fn decided(session: &Session, presented: &RefreshToken) -> Decision {
    decide(Some(session), presented, &STEADY).decision
}

/// The row that a transition leads to a minute from now, with secret 9 as the new one.
fn row_after(transition: Transition, before: &Session) -> Option<Session> {
    transition.row(before, secret(9).hash(), NOW + Duration::MINUTE)
}

/// Asserts that a decision leaves the row as it is.
fn stays(transition: Transition, decision: Decision) {
    assert_eq!(transition, Transition { decision, effect: Effect::Stays, losses: 0 });
    assert_eq!(row_after(transition, &session()), None);
}

/// Asserts that a decision ends the row, and touches nothing else of it.
fn ends(transition: Transition, decision: Decision, because: EndReason) {
    assert_eq!((transition.decision, transition.effect), (decision, Effect::Ends(because)));
    let revoked = Some(Revocation { at: NOW + Duration::MINUTE, because });
    assert_eq!(row_after(transition, &session()), Some(Session { revoked, ..session() }));
}

#[test]
fn case_1_no_row_is_unknown() {
    for circumstances in [STEADY, UNSTEADY, BESIDE_VERSION_1] {
        stays(decide(None, &active(), &circumstances), Decision::Unknown);
    }
}

#[test]
fn case_2_a_revoked_row_says_why_whatever_is_presented() {
    for because in EndReason::ALL {
        let row = Session { revoked: Some(Revocation { at: NOW, because }), ..session() };
        for presented in [active(), predecessor(), token(3, 3), token(5, 8), token(6, 6)] {
            for circumstances in [STEADY, UNSTEADY, BESIDE_VERSION_1] {
                stays(decide(Some(&row), &presented, &circumstances), Decision::Ended(because));
            }
        }
    }
}

#[test]
fn case_3_a_sign_in_expires_at_its_end_and_not_a_second_before() {
    let at = |end| decide(Some(&Session { expires_at: end, ..session() }), &active(), &STEADY);
    stays(at(NOW), Decision::Ended(EndReason::Expired));
    assert_eq!(at(NOW + SECOND).decision, Decision::Rotate);
}

#[test]
fn case_3_a_kept_sign_in_is_idle_two_minutes_past_its_limit() {
    let limit = LIFETIMES.idle + Duration::minutes(2);
    let seen = |ago, kept| decide(Some(&Session { last_seen_at: NOW - ago, kept, ..session() }), &active(), &STEADY);
    stays(seen(limit, true), Decision::Ended(EndReason::Idle));
    assert_eq!(seen(limit - SECOND, true).decision, Decision::Rotate);
    assert_eq!(seen(LIFETIMES.idle, true).decision, Decision::Rotate);
    assert_eq!(seen(limit, false).decision, Decision::Rotate);
}

#[test]
fn case_3_comes_before_every_judgement() {
    let expired = Session { expires_at: NOW, ..session() };
    for presented in [predecessor(), token(3, 3), token(6, 6)] {
        stays(decide(Some(&expired), &presented, &STEADY), Decision::Ended(EndReason::Expired));
    }
}

#[test]
fn case_4_and_5_the_active_token_rotates_past_the_window_and_not_within_it() {
    for ago in [Duration::ZERO, SECOND, WINDOW] {
        stays(decide(Some(&rotated(ago)), &active(), &STEADY), Decision::Fresh);
    }
    assert_eq!(decided(&rotated(WINDOW + SECOND), &active()), Decision::Rotate);
}

#[test]
fn case_4_holds_for_a_sign_in_that_has_just_begun() {
    let begun = Session { generation: 0, token_hash: secret(0).hash(), previous_hash: None, ..session() };
    let at = |ago| decided(&Session { rotated_at: NOW - ago, ..begun.clone() }, &token(0, 0));
    assert_eq!((at(WINDOW), at(WINDOW + SECOND)), (Decision::Fresh, Decision::Rotate));
}

#[test]
fn case_5_leads_to_the_next_generation_with_the_active_secret_as_predecessor() {
    for circumstances in [STEADY, BESIDE_VERSION_1] {
        let transition = decide(Some(&session()), &active(), &circumstances);
        assert_eq!(transition.losses, 0);
        let expected = Session {
            generation: 6,
            token_hash: secret(9).hash(),
            previous_hash: Some(secret(5).hash()),
            rotated_at: NOW + Duration::MINUTE,
            last_seen_at: NOW + Duration::MINUTE,
            ..session()
        };
        assert_eq!(row_after(transition, &session()), Some(expected));
    }
}

#[test]
fn case_6_and_7_the_predecessor_is_reissued_past_the_window_and_not_within_it() {
    for ago in [Duration::ZERO, SECOND, WINDOW] {
        stays(decide(Some(&rotated(ago)), &predecessor(), &STEADY), Decision::Overlap);
    }
    assert_eq!(decided(&rotated(WINDOW + SECOND), &predecessor()), Decision::Reissue);
}

#[test]
fn case_7_leads_to_the_next_generation_and_leaves_the_predecessor() {
    let transition = decide(Some(&session()), &predecessor(), &STEADY);
    let after = row_after(transition, &session()).unwrap();
    let expected = Session {
        generation: 6,
        token_hash: secret(9).hash(),
        previous_hash: Some(secret(4).hash()),
        rotated_at: NOW + Duration::MINUTE,
        last_seen_at: NOW + Duration::MINUTE,
        ..session()
    };
    assert_eq!(after, expected);
    let later = Circumstances { now: NOW + Duration::HOUR, ..STEADY };
    let then = |presented| decide(Some(&after), &presented, &later).decision;
    assert_eq!(then(token(6, 9)), Decision::Rotate);
    assert_eq!(then(predecessor()), Decision::Reissue);
    assert_eq!(then(active()), Decision::Replayed, "the lost secret is dead");
}

#[test]
fn case_7_stays_at_its_generation_beside_version_1() {
    let mut row = session();
    for _ in 0..20 {
        let transition = decide(Some(&row), &predecessor(), &BESIDE_VERSION_1);
        assert_eq!((transition.decision, transition.losses), (Decision::Reissue, 1));
        let after = transition.row(&row, secret(9).hash(), row.rotated_at).unwrap();
        assert_eq!((after.generation, after.previous_hash), (5, row.previous_hash));
        assert_eq!(after.token_hash, secret(9).hash());
        row = after;
    }
}

#[test]
fn case_7_counts_renewals_that_nobody_used_and_ends_at_the_eighth() {
    for circumstances in [STEADY, BESIDE_VERSION_1] {
        let lost = |losses| {
            let row = Session { generation: 4 + losses, ..session() };
            decide(Some(&row), &predecessor(), &circumstances)
        };
        for losses in [1, 2, 3, 7] {
            let transition = lost(losses);
            assert_eq!((transition.decision, transition.losses), (Decision::Reissue, losses));
        }
        for losses in [8, 9, 1000] {
            ends(lost(losses), Decision::RenewalsLost, EndReason::RenewalsLost);
            assert_eq!(lost(losses).losses, losses);
        }
    }
    assert_eq!((NOTED_LOSSES, MOST_LOSSES), (3, 8));
}

#[test]
fn case_7_does_not_end_within_the_window_or_by_a_number_that_makes_no_sense() {
    let row = Session { generation: 12, ..rotated(WINDOW) };
    stays(decide(Some(&row), &predecessor(), &STEADY), Decision::Overlap);
    assert_eq!(decided(&session(), &token(i64::MAX, 4)), Decision::Reissue);
}

#[test]
fn case_8_anything_older_or_forked_is_a_replay() {
    for (generation, byte) in [(0, 0), (3, 3), (3, 5 + 3), (4, 3), (5, 3), (5, 6), (5, 9)] {
        for ago in [Duration::ZERO, WINDOW, WINDOW + SECOND] {
            for circumstances in [STEADY, BESIDE_VERSION_1] {
                let transition = decide(Some(&rotated(ago)), &token(generation, byte), &circumstances);
                ends(transition, Decision::Replayed, EndReason::Replayed);
            }
        }
    }
}

#[test]
fn case_8_holds_before_the_first_rotation_too() {
    let first = Session { generation: 0, previous_hash: None, token_hash: secret(0).hash(), ..session() };
    assert_eq!(decided(&first, &token(0, 0)), Decision::Rotate);
    assert_eq!(decided(&first, &token(0, 1)), Decision::Replayed);
}

#[test]
fn case_9_a_token_that_the_database_does_not_know_yet_ends_the_row_without_an_alarm() {
    for (generation, byte) in [(6, 6), (6, 3), (7, 7), (i64::MAX, 8)] {
        for ago in [Duration::ZERO, WINDOW + SECOND] {
            let transition = decide(Some(&rotated(ago)), &token(generation, byte), &STEADY);
            ends(transition, Decision::Restored, EndReason::Restored);
        }
    }
}

#[test]
fn the_secret_decides_and_not_the_number_beside_it() {
    for generation in [0, 3, 4, 5, 6, i64::MAX] {
        assert_eq!(decided(&session(), &token(generation, 5)), Decision::Rotate);
        assert_eq!(decided(&rotated(SECOND), &token(generation, 4)), Decision::Overlap);
    }
}

#[test]
fn a_clock_that_is_behind_stretches_no_window() {
    let ahead = |by, presented: RefreshToken| decided(&Session { rotated_at: NOW + by, ..session() }, &presented);
    for by in [SECOND, WINDOW] {
        assert_eq!(ahead(by, active()), Decision::Fresh);
        assert_eq!(ahead(by, predecessor()), Decision::Overlap);
    }
    for by in [WINDOW + SECOND, Duration::days(365)] {
        assert_eq!(ahead(by, active()), Decision::Rotate);
        assert_eq!(ahead(by, predecessor()), Decision::Reissue);
    }
}

#[test]
fn a_clock_that_is_behind_ends_nothing_and_takes_no_use_back() {
    let row = Session { last_seen_at: NOW + Duration::days(365), ..session() };
    let transition = decide(Some(&row), &active(), &STEADY);
    assert_eq!(transition.decision, Decision::Rotate);
    assert_eq!(row_after(transition, &row).unwrap().last_seen_at, row.last_seen_at);
}

#[test]
fn a_process_that_slept_touches_no_row() {
    let lost = Session { generation: 12, ..session() };
    for row in [session(), rotated(Duration::ZERO), lost] {
        stays(decide(Some(&row), &active(), &UNSTEADY), Decision::Fresh);
        stays(decide(Some(&row), &predecessor(), &UNSTEADY), Decision::Overlap);
        for presented in [token(0, 0), token(3, 3), token(5, 8), token(13, 6), token(99, 7)] {
            stays(decide(Some(&row), &presented, &UNSTEADY), Decision::Unsure);
        }
    }
}

/// What the second look makes of each decision: a reissue is an overlap, nothing ends, the rest stays as it is.
#[test]
fn after_a_lost_swap_nothing_is_reissued_and_nothing_ends() {
    let again = |row: &Session, presented| decide(Some(row), &presented, &STEADY).after_lost_swap();
    stays(decide(None, &active(), &STEADY).after_lost_swap(), Decision::Unknown);
    let because = EndReason::SignedOut;
    let revoked = Session { revoked: Some(Revocation { at: NOW, because }), ..session() };
    stays(again(&revoked, active()), Decision::Ended(because));
    stays(again(&Session { expires_at: NOW, ..session() }, active()), Decision::Ended(EndReason::Expired));
    stays(again(&rotated(SECOND), active()), Decision::Fresh);
    stays(again(&rotated(SECOND), predecessor()), Decision::Overlap);
    stays(again(&session(), predecessor()), Decision::Overlap);
    stays(again(&Session { generation: 12, ..session() }, predecessor()), Decision::Unsure);
    stays(again(&session(), token(3, 3)), Decision::Unsure);
    stays(again(&session(), token(6, 6)), Decision::Unsure);
    stays(decide(Some(&session()), &token(3, 3), &UNSTEADY).after_lost_swap(), Decision::Unsure);
    let rotates = decide(Some(&session()), &active(), &STEADY);
    assert_eq!(rotates.after_lost_swap(), rotates);
}

#[test]
fn of_several_tokens_the_best_counts_and_an_alarm_comes_after_whatever_opens() {
    let falling = [
        Decision::Restored,
        Decision::Fresh,
        Decision::Rotate,
        Decision::Overlap,
        Decision::Reissue,
        Decision::Unsure,
        Decision::RenewalsLost,
        Decision::Replayed,
        Decision::Ended(EndReason::SignedOut),
        Decision::Unknown,
    ];
    assert!(falling.is_sorted_by(|one, next| one.rank() > next.rank()));
    let opens = falling.map(Decision::opens);
    assert_eq!(opens, [false, true, true, true, true, false, false, false, false, false]);
}
