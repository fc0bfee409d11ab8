//! A state stands for others only if whatever can follow one of them can follow it.

use super::canonical::fingerprint;
use super::explorer::begun;
use super::property::Broken;
use super::protocol::InMemory;
use super::random::Random;
use super::settings;
use super::world::{Restores, Setting, World};

/// Returns what can follow a state: which states, as what stands for them, and what is broken on the way there.
fn followers(world: &mut World<InMemory>, setting: &Setting) -> Vec<(u64, Broken)> {
    let follow = |step| {
        let mut after = world.clone();
        let broken = after.happen(step, setting);
        (fingerprint(&after.canonical(setting)), broken)
    };
    let steps = world.clone().steps(setting);
    let mut followers: Vec<_> = steps.into_iter().map(follow).collect();
    followers.sort_unstable();
    followers.dedup();
    followers
}

/// Goes a random way without giving any state another's place, and compares both at each step.
fn compare(name: &str, setting: &Setting, seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut world = begun(setting);
    for number in 0..150 {
        let mut other = world.clone().canonical(setting);
        let (one, two) = (followers(&mut world, setting), followers(&mut other, setting));
        assert_eq!(one, two, "{name}, seed {seed}, step {number}\n{world:#?}\n{other:#?}");
        let steps = world.steps(setting);
        if steps.is_empty() {
            return;
        }
        world.happen(steps[random.below(steps.len())], setting);
    }
}

#[test]
fn a_state_leads_where_those_lead_that_it_stands_for() {
    let restored = Setting { restores: Restores::AtAStandstill, ..settings::stolen(1, 1) };
    let settings = [
        ("honest", settings::honest(3)),
        ("tight", settings::tight(2)),
        ("losing", settings::losing(2)),
        ("restoring", settings::restoring(2)),
        ("sleeping", settings::sleeping(2, 2)),
        ("wrong clocks", settings::wrong_clocks(2, 2)),
        ("ending", settings::ending(2)),
        ("mixed", settings::mixed(2)),
        ("stolen", settings::stolen(2, 1)),
        ("stolen and restored", restored),
        ("visited", settings::visited()),
    ];
    for (name, setting) in settings {
        for seed in 0..12 {
            compare(name, &setting, seed);
        }
    }
}
