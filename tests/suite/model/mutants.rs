//! Broken protocols, and the property that notices: a model that lets one of these pass would prove nothing.
//!
//! Each differs from the real protocol in one thing. The real one is explored in the same setting by `exhaustive` and
//! `stay`, and breaks nothing there.

use perennial::domain::rotation::{Circumstances, Decision, Effect, Transition, decide};
use perennial::domain::session::{EndReason, Lifetimes, Session};
use perennial::domain::token::{RefreshToken, SecretHash};
use time::{Duration, OffsetDateTime};

use super::explorer::explore;
use super::property::Property::{
    self, AJudgementIsForEverybody, NeverBothRotateTwice, NobodyIsSignedOutEarly, NothingFollowsARevoke,
    OneSecretPastTheWindow,
};
use super::protocol::{Protocol, Swaps};
use super::settings;
use super::stay::longest_stay;
use super::world::{Restores, Setting};

type Row<'a> = Option<&'a Session>;

/// Asserts that a protocol breaks `property` in a setting, and says how.
fn breaks(property: Property, setting: Setting, protocol: Protocol) {
    let found = explore(&Setting { protocol, ..setting }, &[property]);
    println!("{} states\n{}", found.states, found.expect_broken(property).join("\n"));
}

/// The real decision, but for what `change` makes of it.
fn changed(transition: Transition, from: Decision, to: Decision, effect: Effect) -> Transition {
    if transition.decision == from { Transition { decision: to, effect, ..transition } } else { transition }
}

fn rotation(row: Row<'_>) -> Effect {
    let generation = row.map_or(0, |row| row.generation + 1);
    Effect::Replaced { generation, previous: row.map(|row| row.token_hash), proven: false }
}

fn reissue(row: Row<'_>) -> Effect {
    let generation = row.map_or(0, |row| row.generation + 1);
    Effect::Replaced { generation, previous: row.and_then(|row| row.previous_hash), proven: false }
}

fn with(decide: fn(Row<'_>, &RefreshToken, &Circumstances) -> Transition) -> Protocol {
    Protocol { decide, ..Protocol::REAL }
}

/// A parallel request, or a request of a browser that then forgets, rotates at once: the browser lost two rotations.
#[test]
fn rotating_within_the_window_signs_people_out() {
    let mutant =
        with(|row, token, now| changed(decide(row, token, now), Decision::Fresh, Decision::Rotate, rotation(row)));
    breaks(NobodyIsSignedOutEarly, settings::honest(2), mutant);
}

#[test]
fn dropping_the_overlap_signs_people_out() {
    let mutant =
        with(|row, token, now| changed(decide(row, token, now), Decision::Overlap, Decision::Reissue, reissue(row)));
    breaks(NobodyIsSignedOutEarly, settings::honest(2), mutant);
}

#[test]
fn revoking_on_overlap_signs_people_out() {
    let mutant = with(|row, token, now| {
        let ends = Effect::Ends(EndReason::Replayed);
        changed(decide(row, token, now), Decision::Overlap, Decision::Replayed, ends)
    });
    breaks(NobodyIsSignedOutEarly, settings::honest(1), mutant);
}

/// A request and an answer that take a grace each, and a crash that forgets one.
#[test]
fn a_window_of_two_graces_signs_people_out() {
    let mutant = with(|row, token, now| {
        let lifetimes = Lifetimes { reuse_grace: now.lifetimes.reuse_grace / 2, ..now.lifetimes };
        decide(row, token, &Circumstances { lifetimes, ..*now })
    });
    breaks(NobodyIsSignedOutEarly, settings::honest(2), mutant);
}

/// The same with clocks that are apart and a process that sleeps unknowingly: nothing of the four graces is to spare.
#[test]
fn a_window_of_three_and_a_half_graces_signs_people_out() {
    let mutant = with(|row, token, now| {
        let lifetimes = Lifetimes { reuse_grace: now.lifetimes.reuse_grace * 7 / 8, ..now.lifetimes };
        decide(row, token, &Circumstances { lifetimes, ..*now })
    });
    breaks(NobodyIsSignedOutEarly, settings::tight(2), mutant);
}

/// "Within" is meant both ways: the process that rotated may be the one that is ahead.
#[test]
fn a_window_that_opens_one_way_signs_people_out() {
    let mutant = with(|row, token, now| {
        let ahead = row.is_some_and(|row| row.rotated_at > now.now);
        let then = if ahead { now.now + now.lifetimes.window() * 3 } else { now.now };
        decide(row, token, &Circumstances { now: then, ..*now })
    });
    breaks(NobodyIsSignedOutEarly, settings::tight(2), mutant);
}

#[test]
fn accepting_the_predecessor_for_ever_leaves_two_secrets() {
    let mutant =
        with(|row, token, now| changed(decide(row, token, now), Decision::Reissue, Decision::Overlap, Effect::Stays));
    breaks(OneSecretPastTheWindow, settings::stolen(1, 1), mutant);
}

#[test]
fn taking_the_lost_secret_for_the_predecessor_lets_both_rotate_for_ever() {
    fn mutant(row: Row<'_>, token: &RefreshToken, now: &Circumstances) -> Transition {
        changed(decide(row, token, now), Decision::Reissue, Decision::Reissue, rotation(row))
    }
    breaks(NeverBothRotateTwice, settings::stolen(1, 1), with(mutant));
    breaks(OneSecretPastTheWindow, settings::stolen(1, 1), with(mutant));
    breaks(NobodyIsSignedOutEarly, settings::honest(1), with(mutant));
}

#[test]
fn without_a_count_of_reissues_a_thief_stays_for_ever() {
    fn mutant(row: Row<'_>, token: &RefreshToken, now: &Circumstances) -> Transition {
        changed(decide(row, token, now), Decision::RenewalsLost, Decision::Reissue, reissue(row))
    }
    assert!(longest_stay(&Setting { protocol: with(mutant), ..settings::visited_in_large_steps() }).is_none());
}

/// Two secrets of one number: the count of reissues stands still, and a backup from before the reissue shows its token
/// as forked, not as one from later.
#[test]
fn reissuing_in_place_hides_reissues_and_alarms_after_a_restore() {
    fn mutant(row: Row<'_>, token: &RefreshToken, now: &Circumstances) -> Transition {
        decide(row, token, &Circumstances { reissue_in_place: true, ..*now })
    }
    assert!(longest_stay(&Setting { protocol: with(mutant), ..settings::visited_in_large_steps() }).is_none());
    breaks(NobodyIsSignedOutEarly, settings::restoring(1), with(mutant));
}

#[test]
fn reissuing_elsewhere_beside_version_1_signs_people_out() {
    let mutant = with(|row, token, now| decide(row, token, &Circumstances { reissue_in_place: false, ..*now }));
    breaks(NobodyIsSignedOutEarly, settings::mixed(1), mutant);
}

#[test]
fn leaving_a_restored_row_alive_leaves_it_to_the_other_party() {
    let mutant =
        with(|row, token, now| changed(decide(row, token, now), Decision::Restored, Decision::Restored, Effect::Stays));
    let setting = Setting { restores: Restores::AtAStandstill, revokes: false, ..settings::stolen(1, 1) };
    breaks(AJudgementIsForEverybody, setting, mutant);
}

#[test]
fn an_alarm_before_an_overlap_takes_an_old_cookie_for_a_thief() {
    let rank = |decision: Decision| match decision {
        Decision::Replayed => Decision::Fresh.rank() + 1,
        decision => decision.rank(),
    };
    let setting = Setting { restores: Restores::Never, ..settings::restoring(1) };
    breaks(NobodyIsSignedOutEarly, setting, Protocol { rank, ..Protocol::REAL });
}

/// Going on with an old cookie on a database that was put back leads to the generations that the browser has seen.
#[test]
fn whatever_opens_before_restored_alarms_after_a_restore() {
    let rank = |decision: Decision| match decision {
        Decision::Restored => Decision::Unsure.rank(),
        decision => decision.rank(),
    };
    breaks(NobodyIsSignedOutEarly, settings::restoring(1), Protocol { rank, ..Protocol::REAL });
}

/// A page that took longer than the window and lost its swap to a parallel one is no lost answer.
#[test]
fn reissuing_after_a_lost_swap_signs_people_out() {
    let after_lost_swap = |transition: Transition| match transition.decision {
        Decision::Reissue => transition,
        _ => transition.after_lost_swap(),
    };
    breaks(NobodyIsSignedOutEarly, settings::honest(2), Protocol { after_lost_swap, ..Protocol::REAL });
}

/// Nor is one that two rotations overtook a replay.
#[test]
fn ending_after_a_lost_swap_signs_people_out() {
    let after_lost_swap = |transition: Transition| match transition.effect {
        Effect::Ends(_) => transition,
        _ => transition.after_lost_swap(),
    };
    breaks(NobodyIsSignedOutEarly, settings::honest(2), Protocol { after_lost_swap, ..Protocol::REAL });
}

#[test]
fn rotating_in_a_process_that_slept_signs_people_out() {
    let mutant = with(|row, token, now| match decide(row, token, &Circumstances { steady: true, ..*now }) {
        rotates if rotates.decision == Decision::Rotate => rotates,
        _ => decide(row, token, now),
    });
    breaks(
        NobodyIsSignedOutEarly,
        settings::sleeping_in_large_steps(2, 1),
        Protocol { swaps: Swaps::Always, ..mutant },
    );
}

#[test]
fn reissuing_in_a_process_that_slept_signs_people_out() {
    let mutant = with(|row, token, now| match decide(row, token, &Circumstances { steady: true, ..*now }) {
        reissues if reissues.decision == Decision::Reissue => reissues,
        _ => decide(row, token, now),
    });
    breaks(
        NobodyIsSignedOutEarly,
        settings::sleeping_in_large_steps(2, 1),
        Protocol { swaps: Swaps::Always, ..mutant },
    );
}

#[test]
fn judging_in_a_process_that_slept_signs_people_out() {
    let mutant = with(|row, token, now| match decide(row, token, now) {
        unsure if unsure.decision == Decision::Unsure => decide(row, token, &Circumstances { steady: true, ..*now }),
        transition => transition,
    });
    breaks(NobodyIsSignedOutEarly, settings::sleeping_in_large_steps(2, 1), mutant);
}

/// A swap by a clock that was set wrong while the page was made: another process sees no rotation within the window.
#[test]
fn swapping_by_a_clock_that_was_set_meanwhile_signs_people_out() {
    let mutant = Protocol { swaps: Swaps::Always, ..Protocol::REAL };
    breaks(NobodyIsSignedOutEarly, settings::wrong_clocks(2, 2), mutant);
}

/// So long ago that the process may judge again: that the page began before is what counts.
#[test]
fn swapping_by_a_clock_that_was_set_long_ago_signs_people_out() {
    let mutant = Protocol { swaps: Swaps::WhenSteady, ..Protocol::REAL };
    breaks(NobodyIsSignedOutEarly, settings::wrong_clocks(2, 2), mutant);
}

#[test]
fn writing_expiry_down_ends_for_good_what_a_wrong_clock_saw() {
    let mutant = with(|row, token, now| {
        let (expired, ends) = (Decision::Ended(EndReason::Expired), Effect::Ends(EndReason::Expired));
        let writes = |row: &Session| row.revoked.is_none();
        let transition = decide(row, token, now);
        if row.is_some_and(writes) { changed(transition, expired, expired, ends) } else { transition }
    });
    breaks(NobodyIsSignedOutEarly, settings::wrong_clocks(1, 1), mutant);
}

#[test]
fn moving_last_seen_back_ends_a_sign_in_that_a_wrong_clock_used() {
    fn mutant(transition: &Transition, before: &Session, fresh: SecretHash, at: OffsetDateTime) -> Option<Session> {
        let after = transition.row(before, fresh, at)?;
        Some(Session { last_seen_at: at, ..after })
    }
    breaks(NobodyIsSignedOutEarly, settings::wrong_clocks(1, 1), Protocol { row: mutant, ..Protocol::REAL });
}

#[test]
fn ignoring_the_revocation_opens_what_was_closed() {
    let mutant = with(|row, token, now| {
        let live = row.map(|row| Session { revoked: None, ..row.clone() });
        decide(live.as_ref(), token, now)
    });
    breaks(NothingFollowsARevoke, settings::stolen(1, 1), mutant);
}

/// One clock notes the use, and another, a little ahead, finds the sign-in idle.
#[test]
fn idleness_to_the_second_signs_people_out() {
    let mutant = with(|row, token, now| {
        let margin = Duration::minutes(2);
        let earlier = row.map(|row| Session { last_seen_at: row.last_seen_at - margin, ..row.clone() });
        decide(earlier.as_ref(), token, now)
    });
    breaks(NobodyIsSignedOutEarly, settings::ending(1), mutant);
}
