//! What a step does, in words, for a counterexample that people read.

use super::protocol::{InMemory, Row, Rows, Token};
use super::steps::Step;
use super::world::{Exchange, Stage, World};

/// Says in words what a step does.
pub fn describe(world: &mut World<InMemory>, step: Step, after: &World<InMemory>) -> String {
    let row = world.rows.find();
    let role = |token: Token| role(&row, token);
    let exchange = |index: usize| &world.exchanges[index];
    let words = match step {
        Step::Send => format!("Owner: sends a request with {}", cookies(&row, world.jar.refresh, world.jar.old)),
        Step::Present(party, token, node) => {
            let decision = decision(after.exchanges.get(world.exchanges.len()));
            format!("{party:?}: presents {} to process {node}: {decision}", role(token))
        }
        Step::Arrive(index, node) => {
            let Exchange { party, presented, beside, .. } = *exchange(index);
            let became = (after.exchanges.len() == world.exchanges.len()).then(|| after.exchanges.get(index)).flatten();
            let cookies = cookies(&row, presented, beside);
            format!("{party:?}: the request with {cookies} reaches process {node}: {}", decision(became))
        }
        Step::Queue(index, node) => {
            format!("the request with {} waits in the socket of process {node}", role(exchange(index).presented))
        }
        Step::Leave(index) => {
            let Exchange { party, .. } = exchange(index);
            let became = (after.exchanges.len() == world.exchanges.len()).then(|| after.exchanges.get(index)).flatten();
            let answer = match became.map(|exchange| &exchange.stage) {
                Some(Stage::Answer { refresh: Some(_), .. }) => {
                    "swapped, and an answer with a new token leaves".to_owned()
                }
                Some(Stage::Answer { refresh: None, .. }) => "an answer without a token leaves".to_owned(),
                Some(Stage::Page(page)) => format!("the row has moved: {:?}", page.plan.decision),
                _ if after.rows.0.revoked != row.revoked => format!("ended: {:?}", after.rows.0.revoked),
                _ if after.rows.0 != row => "swapped, and nobody waits for the answer".to_owned(),
                _ => "nothing is done".to_owned(),
            };
            format!("{party:?}: the page is done: {answer}")
        }
        Step::Deliver(index) | Step::Lose(index) | Step::Repeat(index) => {
            let Exchange { party, stage, .. } = exchange(index);
            let what = match stage {
                Stage::Answer { refresh: Some(token), .. } => role(*token),
                _ => "no token",
            };
            let fate = match step {
                Step::Lose(_) => "is lost",
                Step::Repeat(_) => "is stored, and will come again",
                _ => "is stored",
            };
            format!("{party:?}: the answer with {what} {fate}")
        }
        Step::Crash(index) => {
            let jar = world.earlier.get(index).map_or(world.jar, |(jar, _)| *jar);
            format!("Owner: the browser crashes and comes back with {}", role(jar.refresh))
        }
        Step::Keep => format!("Owner: {} stays in the jar beside what follows", role(world.jar.refresh)),
        Step::Copy(token) => format!("Thief: copies the jar with {}", role(token)),
        Step::Revoke => "the sign-in is revoked".to_owned(),
        Step::Suspend(node) => format!("process {node} falls asleep"),
        Step::Wake(node) => format!("process {node} wakes"),
        Step::SetClock(node, 0) => format!("the clock of process {node} is put right"),
        Step::SetClock(node, by) => format!("the clock of process {node} is set wrong by {by} s"),
        Step::Save => "the database is saved".to_owned(),
        Step::Restore => "the database is put back".to_owned(),
        Step::Wait(by) => format!("{by} s pass"),
    };
    format!("{words} [jar: {}]", cookies(&after.rows.0, after.jar.refresh, after.jar.old))
}

fn role(row: &Row, token: Token) -> &'static str {
    match () {
        () if token.secret == row.active => "the active token",
        () if Some(token.secret) == row.previous => "the predecessor",
        () if token.generation > row.generation => "a token of the future",
        () => "a dead token",
    }
}

fn cookies(row: &Row, refresh: Token, beside: Option<Token>) -> String {
    let beside = beside.map(|token| format!(" and {}", role(row, token))).unwrap_or_default();
    format!("{}{beside}", role(row, refresh))
}

fn decision(exchange: Option<&Exchange>) -> String {
    match exchange.map(|exchange| &exchange.stage) {
        Some(Stage::Page(page)) => format!("{:?}", page.plan.decision),
        _ => "answered at once".to_owned(),
    }
}
