//! Visits every state that can be reached, breadth first, so that the first counterexample is a shortest one.

use std::collections::HashSet;

use super::canonical::fingerprint;
use super::property::{Broken, Property};
use super::protocol::{InMemory, Row};
use super::steps::Step;
use super::words::describe;
use super::world::{Setting, World};

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    /// States visited, and steps between them.
    pub states: usize,
    pub steps: usize,
    /// Steps of the longest shortest way to a state.
    pub depth: usize,
    /// The shortest way to break one of the properties, in words.
    pub counterexample: Option<(Property, Vec<String>)>,
}

impl Exploration {
    /// Fails the test, with the way there, if a property was broken.
    pub fn assert_holds(&self) {
        if let Some((property, way)) = &self.counterexample {
            panic!("{property:?} is broken:\n{}", way.join("\n"));
        }
    }

    /// Returns the counterexample to `property`, or fails the test.
    pub fn expect_broken(&self, property: Property) -> &[String] {
        match &self.counterexample {
            Some((broken, way)) if *broken == property => way,
            other => panic!("{property:?} should be broken, but {other:?} after {} states", self.states),
        }
    }
}

/// Explores everything that can follow a fresh sign-in, and stops at the first state that breaks one of the `checked`
/// properties.
///
/// Only the frontier is kept whole; of a visited state 64 bits are, so that two of a million states are taken for one
/// with a probability of less than one in ten million.
pub fn explore(setting: &Setting, checked: &[Property]) -> Exploration {
    let first = begun(setting);
    let mut visited = HashSet::from([fingerprint(&first)]);
    let mut arrivals: Vec<(usize, Step)> = vec![(0, Step::Wait(0))];
    let mut frontier = vec![(0, first)];
    let mut found = Exploration { states: 1, steps: 0, depth: 0, counterexample: None };
    while !frontier.is_empty() {
        found.depth += 1;
        let mut next = Vec::new();
        for (number, world) in &mut frontier {
            for step in world.steps(setting) {
                found.steps += 1;
                let mut after = world.clone();
                let broken = after.happen(step, setting);
                if let Some(property) = first_of(&broken, checked) {
                    let way = retrace(setting, &arrivals, *number, step);
                    return Exploration { counterexample: Some((property, way)), ..found };
                }
                let after = after.canonical(setting);
                if visited.insert(fingerprint(&after)) {
                    arrivals.push((*number, step));
                    next.push((found.states, after));
                    found.states += 1;
                }
            }
        }
        frontier = next;
    }
    found
}

/// Returns the state that everything begins with.
pub fn begun(setting: &Setting) -> World<InMemory> {
    World::begun(InMemory(Row::begun(0, &setting.lifetimes)), 0, setting).canonical(setting)
}

fn first_of(broken: &Broken, checked: &[Property]) -> Option<Property> {
    checked.iter().copied().find(|property| broken.contains(*property))
}

/// Goes the way to a state once more and writes it down.
fn retrace(setting: &Setting, arrivals: &[(usize, Step)], to: usize, last: Step) -> Vec<String> {
    let mut steps = vec![last];
    let mut number = to;
    while number != 0 {
        let (from, step) = arrivals[number];
        steps.push(step);
        number = from;
    }
    let mut world = begun(setting);
    let mut way = Vec::new();
    for step in steps.into_iter().rev() {
        let mut after = world.clone();
        after.happen(step, setting);
        way.push(describe(&mut world, step, &after));
        world = after.canonical(setting);
    }
    way
}
