//! Every state, to the bounds that the module above states.

use super::explorer::explore;
use super::property::Property;
use super::settings::{ending, honest, stolen};
use super::world::Setting;

/// Explores a setting to the end and says how much there was of it.
fn holds(name: &str, setting: &Setting, checked: &[Property], at_least: usize) {
    let found = explore(setting, checked, usize::MAX);
    println!("{name}: {} states, {} steps, {} deep, all of them visited", found.states, found.steps, found.depth);
    found.assert_holds();
    assert!(found.states >= at_least, "{name}: only {} states: the model has lost something", found.states);
}

#[test]
fn without_a_thief_nobody_is_signed_out_early() {
    holds("three tabs", &honest(3), &Property::PROMISED, 50_000);
}

#[test]
fn without_a_thief_a_sign_in_ends_when_it_should() {
    holds("two tabs and an end", &ending(2), &Property::PROMISED, 10_000);
}

#[test]
fn a_copy_is_of_use_to_one_party_at_most() {
    holds("owner and thief", &stolen(2, 1), after_a_copy(), 60_000);
}

#[test]
#[ignore = "needs minutes"]
fn with_four_tabs() {
    holds("four tabs", &honest(4), &Property::PROMISED, 400_000);
}

#[test]
#[ignore = "needs minutes"]
fn with_a_busier_thief() {
    holds("owner and a busier thief", &stolen(2, 2), after_a_copy(), 400_000);
}

/// The first property is about a sign-in that nobody copied, and about messages that are on time.
fn after_a_copy() -> &'static [Property] {
    &Property::PROMISED[1..]
}
