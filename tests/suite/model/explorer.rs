//! Visits every state that can be reached, breadth first, so that the first counterexample is a shortest one.

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::property::{Broken, Property};
use super::protocol::{InMemory, Row, Rows, Token};
use super::steps::Step;
use super::world::{Setting, Stage, World};

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    /// States visited, and steps between them.
    pub states: usize,
    pub steps: usize,
    /// Steps of the longest shortest way to a state.
    pub depth: usize,
    /// Whether nothing was left to visit.
    pub complete: bool,
    /// The shortest way to break one of the properties, in words.
    pub counterexample: Option<(Property, Vec<String>)>,
}

impl Exploration {
    /// Fails the test, with the way there, if a property was broken or something was left to visit.
    pub fn assert_holds(&self) {
        if let Some((property, way)) = &self.counterexample {
            panic!("{property:?} is broken:\n{}", way.join("\n"));
        }
        assert!(self.complete, "more states than expected: {}", self.states);
    }

    /// Returns the counterexample to `property`, or fails the test.
    pub fn expect_broken(&self, property: Property) -> &[String] {
        match &self.counterexample {
            Some((broken, way)) if *broken == property => way,
            other => panic!("{property:?} should be broken, but {other:?} after {} states", self.states),
        }
    }
}

/// Explores everything that can follow a fresh sign-in, up to `limit` states, and stops at the first state that breaks
/// one of the `checked` properties.
///
/// Only the frontier is kept whole; of a visited state 64 bits are, so that two of a million states are taken for one
/// with a probability of less than one in ten million.
pub fn explore(setting: &Setting, checked: &[Property], limit: usize) -> Exploration {
    let first = begun(setting);
    let mut visited = HashSet::from([fingerprint(&first)]);
    let mut arrivals: Vec<(usize, Step)> = vec![(0, Step::Wait(0))];
    let mut frontier = vec![(0, first)];
    let mut found = Exploration { states: 1, steps: 0, depth: 0, complete: true, counterexample: None };
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
                    return Exploration { complete: false, counterexample: Some((property, way)), ..found };
                }
                let after = after.canonical(setting);
                if visited.insert(fingerprint(&after)) {
                    arrivals.push((*number, step));
                    next.push((found.states, after));
                    found.states += 1;
                }
            }
            if found.states > limit {
                return Exploration { complete: false, ..found };
            }
        }
        frontier = next;
    }
    found
}

fn begun(setting: &Setting) -> World<InMemory> {
    World::begun(InMemory(Row::begun(0, &setting.lifetimes)), 0, &setting.lifetimes).canonical(setting)
}

fn fingerprint(world: &World<InMemory>) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
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

/// Says in words what a step does.
fn describe(world: &mut World<InMemory>, step: Step, after: &World<InMemory>) -> String {
    let row = world.rows.find();
    let role = |token: Token| match () {
        () if token.secret == row.active => "the active token",
        () if Some(token.secret) == row.previous => "the predecessor",
        () => "a dead token",
    };
    let mut words = match step {
        Step::Send(party, token) => format!("{party:?}: sends a request with {}", role(token)),
        Step::Present(party, token) => {
            let decision = after.exchanges.get(world.exchanges.len()).map(|exchange| &exchange.stage);
            let decision = match decision {
                Some(Stage::Page { decision, .. }) => format!("{decision:?}"),
                _ => "the end".to_owned(),
            };
            format!("{party:?}: presents {}: {decision}", role(token))
        }
        Step::Arrive(index) => {
            let exchange = &world.exchanges[index];
            let decision = after.exchanges.get(index).map(|exchange| &exchange.stage);
            let decision = match decision {
                Some(Stage::Page { decision, .. }) => format!("{decision:?}"),
                _ => "the end".to_owned(),
            };
            format!("{:?}: its request with {} arrives: {decision}", exchange.party, role(exchange.presented))
        }
        Step::Leave(index) => {
            let exchange = &world.exchanges[index];
            let after = after.exchanges.get(index).map(|exchange| &exchange.stage);
            let answer = match after {
                Some(Stage::Answer { refresh: Some(_), .. }) => "swapped, an answer with a new token leaves",
                Some(Stage::Answer { refresh: None, .. }) => "an answer without a token leaves",
                _ => "no answer leaves",
            };
            format!("{:?}: its page is done: {answer}", exchange.party)
        }
        Step::Deliver(index) | Step::Lose(index) => {
            let exchange = &world.exchanges[index];
            let what = match exchange.stage {
                Stage::Answer { refresh: Some(token), .. } => format!("its answer with {}", role(token)),
                _ => "its answer without a token".to_owned(),
            };
            let fate = if matches!(step, Step::Lose(_)) { "is lost" } else { "is stored" };
            format!("{:?}: {what} {fate}", exchange.party)
        }
        Step::Crash(index) => {
            format!("Owner: the browser crashes and comes back with {}", role(world.earlier[index].0.refresh))
        }
        Step::Copy(token) => format!("Thief: copies the jar with {}", role(token)),
        Step::Revoke => "the sign-in is revoked".to_owned(),
        Step::Wait(by) => format!("{by} s pass"),
    };
    let _ = write!(words, " [jar: {}]", role(after.jar.refresh));
    words
}
