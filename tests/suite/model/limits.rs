//! What does *not* hold: each limit of the first property is real, and the words of the others are chosen with care.

use perennial::domain::rotation::Decision;
use perennial::domain::session::Lifetimes;
use time::Duration;

use super::explorer::explore;
use super::property::Property::{NeverBothSwapTwice, NobodyIsSignedOutEarly};
use super::protocol::{Protocol, Row, Secret, Token, moment};
use super::settings::{honest, losing, mixed, restoring, stolen, tight, visited_in_large_steps, wrong_clocks};
use super::stay::longest_stay;
use super::world::{Restores, Setting};

/// Returns the shortest counterexample.
fn way(setting: &Setting) -> Vec<String> {
    let property = if setting.counts_swaps { NeverBothSwapTwice } else { NobodyIsSignedOutEarly };
    let found = explore(setting, &[property]);
    let way = found.expect_broken(property).to_vec();
    println!("{}", way.join("\n"));
    way
}

/// How many steps of a way say this.
fn count(way: &[String], words: &str) -> usize {
    way.iter().filter(|step| step.contains(words)).count()
}

#[test]
fn an_answer_that_outlives_the_grace_signs_its_browser_out() {
    let way = way(&Setting { late_answers: true, crashes: false, ..honest(2) });
    assert_eq!((count(&way, ": Reissue"), count(&way, ": Replayed")), (1, 1), "{way:#?}");
}

/// A request that two rotations have overtaken is of a token that opens nothing any more.
#[test]
fn a_request_that_outlives_the_grace_signs_its_browser_out() {
    let way = way(&Setting { late_requests: true, crashes: false, ..honest(2) });
    assert_eq!((count(&way, ": Rotate"), count(&way, ": Replayed")), (2, 1), "{way:#?}");
}

#[test]
fn eight_renewals_that_are_lost_in_a_row_end_the_sign_in_without_an_alarm() {
    let way = way(&Setting { losses: 8, crashes: false, repeats: false, ..losing(1) });
    assert_eq!((count(&way, ": Reissue"), count(&way, "is stored")), (7, 0), "{way:#?}");
    assert_eq!((count(&way, ": RenewalsLost"), count(&way, ": Replayed")), (1, 0), "{way:#?}");
}

/// A crash forgets half a minute, whatever the grace is.
#[test]
fn a_grace_far_below_what_a_crash_forgets_signs_people_out() {
    let honest = honest(2);
    let lifetimes = Lifetimes { reuse_grace: Duration::seconds(10), ..honest.lifetimes };
    let way = way(&Setting { lifetimes, waits: &[10], ..honest });
    assert_eq!(count(&way, "crashes and comes back with the predecessor"), 1, "{way:#?}");
}

#[test]
fn a_process_that_sleeps_for_longer_than_it_knows_signs_people_out() {
    way(&Setting { stall: 30, ..tight(2) });
}

#[test]
fn a_process_whose_clock_is_wrong_signs_people_out_if_it_goes_on_beside_others() {
    way(&Setting { takes_wrong_clocks_out: false, ..wrong_clocks(2, 2) });
}

/// Under processes that run, a request from before may rotate to a generation that the browser has seen already.
#[test]
fn a_database_that_is_put_back_under_running_processes_raises_an_alarm() {
    let way = way(&Setting { restores: Restores::UnderWay, keeps_old_cookies: false, ..restoring(2) });
    assert_eq!((count(&way, "sends"), count(&way, ": Replayed")), (3, 1), "{way:#?}");
}

/// Version 1 rotates within the window: a crash can then forget two rotations.
#[test]
fn beside_version_1_an_access_life_shorter_than_a_crash_forgets_signs_people_out() {
    let mixed = mixed(1);
    let lifetimes = Lifetimes { access: Duration::seconds(15), ..mixed.lifetimes };
    let way = way(&Setting { lifetimes, ..mixed });
    assert_eq!(count(&way, "crashes and comes back with a dead token"), 1, "{way:#?}");
}

/// Reissues stay in place as long as version 1 runs, and so are not counted.
#[test]
fn beside_version_1_a_thief_may_stay() {
    assert!(longest_stay(&Setting { hosts: mixed(1).hosts, ..visited_in_large_steps() }).is_none());
}

/// Counted one by one, swaps say nothing: whoever does not keep what it is given asks for it again.
#[test]
fn parties_that_keep_nothing_may_both_swap_twice() {
    way(&Setting { counts_swaps: true, ..stolen(1, 1) });
}

/// Two secrets are good past the window, until one of them is used.
#[test]
fn the_predecessor_is_good_until_its_successor_is_used() {
    let setting = honest(1);
    let begun = Row::begun(0, &setting.lifetimes);
    let row = Row { generation: 1, active: Secret(1), previous: Some(Secret(0)), ..begun };
    let now = perennial::domain::rotation::Circumstances {
        lifetimes: setting.lifetimes,
        now: moment(121),
        steady: true,
        reissue_in_place: false,
        binds: true,
    };
    let decided =
        |generation, secret| Protocol::REAL.decide(&row, Token { generation, secret: Secret(secret) }, &now).decision;
    assert_eq!((decided(1, 1), decided(0, 0)), (Decision::Rotate, Decision::Reissue));
}
