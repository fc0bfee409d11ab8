//! Every state, to the bounds that the module above states.

use super::explorer::explore;
use super::property::Property;
use super::settings;
use super::world::{Restores, Setting};

/// Explores a setting to the end and says how much there was of it.
///
/// Fewer states than `at_least` mean that the model has lost something.
fn holds(name: &str, setting: &Setting, checked: &[Property], at_least: usize) {
    let found = explore(setting, checked);
    println!("{name}: {} states, {} steps, {} deep, all of them visited", found.states, found.steps, found.depth);
    found.assert_holds();
    assert!(found.states >= at_least, "{name}: only {} states", found.states);
}

/// Without a thief nobody is ever signed out early, and the rest holds as well.
fn keeps(name: &str, setting: &Setting, at_least: usize) {
    holds(name, setting, &Property::PROMISED, at_least);
}

/// Beside a thief the sign-in may end at any time; the rest holds.
fn guards(name: &str, setting: &Setting, at_least: usize) {
    holds(name, setting, &Property::BESIDE_A_THIEF, at_least);
}

#[test]
fn a_browser_with_several_tabs_stays_signed_in() {
    keeps("several tabs", &settings::honest(settings::tabs() + 1), 7_000);
}

#[test]
fn a_browser_whose_messages_are_as_late_as_may_be_stays_signed_in() {
    keeps("every limit", &settings::tight(settings::tabs()), 12_000);
}

#[test]
fn a_browser_that_loses_seven_renewals_in_a_row_stays_signed_in() {
    keeps("renewals lost", &settings::losing(settings::tabs()), 2_000);
}

#[test]
fn old_cookies_and_a_restore_raise_no_alarm() {
    keeps("old cookies, restored", &settings::restoring(settings::tabs()), 30_000);
}

#[test]
fn processes_that_sleep_sign_nobody_out() {
    keeps("one process sleeps", &settings::sleeping(settings::tabs(), 1), 20_000);
    keeps("two processes sleep", &settings::sleeping(settings::tabs() - 1, 2), 20_000);
}

#[test]
fn clocks_that_are_set_wrong_sign_nobody_out_for_good() {
    keeps("a wrong clock", &settings::wrong_clocks(settings::tabs(), 1), 20_000);
    keeps("a wrong clock of two", &settings::wrong_clocks(settings::tabs(), 2), 8_000);
}

#[test]
fn a_sign_in_ends_when_it_should() {
    keeps("an end", &settings::ending(settings::tabs()), 40_000);
}

#[test]
fn both_versions_on_one_database_sign_nobody_out() {
    keeps("both versions", &settings::mixed(settings::tabs()), 10_000);
}

#[test]
#[ignore = "needs a minute"]
fn all_of_it_at_once_signs_nobody_out() {
    keeps("everything", &settings::everything(settings::tabs() - 1), 500_000);
}

#[test]
fn a_copy_is_of_use_to_one_party_at_most() {
    guards("owner and thief", &settings::stolen(settings::tabs(), 1), 55_000);
}

#[test]
fn a_copy_is_of_use_to_one_party_at_most_after_a_restore() {
    let setting = Setting { restores: Restores::AtAStandstill, revokes: false, ..settings::stolen(1, 1) };
    guards("owner and thief, restored", &setting, 150_000);
}

#[test]
fn a_copy_is_of_use_to_one_party_at_most_with_sleeping_processes() {
    guards("owner and thief, asleep", &Setting { sleepers: 1, ..settings::stolen(1, 1) }, 45_000);
}

#[test]
fn a_copy_is_of_use_to_one_party_at_most_with_both_versions() {
    let setting = Setting { hosts: settings::mixed(1).hosts, waits: &[31, 121], ..settings::stolen(1, 1) };
    guards("owner and thief, both versions", &setting, 100_000);
}

#[test]
#[ignore = "needs a minute"]
fn a_copy_is_of_use_to_one_party_at_most_with_a_busier_thief() {
    guards("owner and a busier thief", &settings::stolen(2, settings::tabs()), 200_000);
}
