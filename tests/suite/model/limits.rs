//! What does not hold: the one limit of the first property is real, and the words of the others are chosen with care.

use perennial::domain::rotation::Decision;
use perennial::domain::session::Lifetimes;
use time::Duration;

use super::explorer::explore;
use super::property::Property::{NeverBothSwapTwice, NobodyIsSignedOutEarly};
use super::protocol::{Protocol, Row, Secret, Token};
use super::settings::{honest, stolen};
use super::world::{LateAnswers, Setting};

/// Returns the shortest counterexample.
fn way(setting: &Setting) -> Vec<String> {
    let property = if setting.counts_swaps { NeverBothSwapTwice } else { NobodyIsSignedOutEarly };
    let found = explore(setting, &[property], usize::MAX);
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
    let way = way(&Setting { late_answers: LateAnswers::Always, crashes: false, ..honest(2) });
    assert_eq!(count(&way, "Reissue"), 1, "{way:#?}");
    assert_eq!(count(&way, "Replayed"), 1, "{way:#?}");
}

/// "Later than the grace after the answer to its own retry" would be too narrow: at once after it is enough.
#[test]
fn an_answer_need_not_come_long_after_that_to_its_retry() {
    way(&Setting { late_answers: LateAnswers::UntilTheGraceAfterTheRetry, crashes: false, ..honest(2) });
}

/// A request that was overtaken, arrives when the grace is over, and whose own answer is lost, kills the branch that
/// the jar holds.
#[test]
fn a_request_that_outlives_the_grace_signs_its_browser_out() {
    let way = way(&Setting { late_requests: true, crashes: false, ..honest(2) });
    assert_eq!(count(&way, "Reissue"), 1, "{way:#?}");
    assert_eq!(count(&way, "Replayed"), 1, "{way:#?}");
}

/// A crash forgets half a minute. If an access token lives for less, that can be two rotations, and the jar that comes
/// back is older than the predecessor.
#[test]
fn an_access_life_shorter_than_a_crash_forgets_signs_people_out() {
    let honest = honest(1);
    let lifetimes = Lifetimes { access: Duration::seconds(15), ..honest.lifetimes };
    let way = way(&Setting { lifetimes, ..honest });
    assert_eq!(count(&way, "crashes and comes back with a dead token"), 1, "{way:#?}");
}

/// Counted one by one, swaps say nothing: whoever does not keep what it is given asks for it again.
#[test]
fn parties_that_keep_nothing_may_both_swap_twice() {
    way(&Setting { counts_swaps: true, ..stolen(1, 1) });
}

/// Two secrets are good beyond the grace, until one of them is used.
#[test]
fn the_predecessor_is_good_until_its_successor_is_used() {
    let setting = honest(1);
    let begun = Row::begun(0, &setting.lifetimes);
    let row = Row { generation: 1, active: Secret(1), previous: Some(Secret(0)), ..begun };
    let decided = |generation, secret| {
        Protocol::REAL.decide(&row, Token { generation, secret: Secret(secret) }, &setting.lifetimes, 31)
    };
    assert_eq!((decided(1, 1), decided(0, 0)), (Decision::Rotate, Decision::Reissue));
}
