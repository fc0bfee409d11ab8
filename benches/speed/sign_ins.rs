//! Goals 3 and 4: as many sign-ins as the processors can hash, and pages that stay quick meanwhile.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Arguments;
use super::client::{Browser, PASSWORD};
use super::load::{Count, Load, Plan, percentile};
use super::pages::{dashboards, signed_in_requests};
use super::process::Server;
use super::table::{Row, median};

/// Clients that sign in over and over.
const CLIENTS: usize = 100;

/// bcrypt's cost, as it is by default.
const COST: u32 = 12;

/// How long sign-ins are counted in a round: enough of them that one more or less does not matter.
const COUNTED: Duration = Duration::from_secs(12);

/// Measures sign-ins alone, and pages beside them.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::perennial(folder.path(), &[]);
    let mut browser = Browser::new(server.address);
    browser.register();
    let sign_ins = sign_ins(&server);
    alone(arguments, &sign_ins, rows);
    let pages = dashboards(server.address, signed_in_requests(server.address));
    beside(arguments, &pages, &sign_ins, rows);
}

/// Prepares a hundred clients, each with a form of its own, who do as a refusal tells them.
fn sign_ins(server: &Server) -> Plan {
    let requests = (0..CLIENTS).map(|_| Browser::new(server.address).sign_in_request()).collect();
    Plan {
        address: server.address,
        requests: Arc::new(requests),
        connections: CLIENTS,
        threads: 1,
        repeats: true,
        obeys_retry_after: true,
    }
}

/// Returns how long one hash takes on one processor while the others rest.
fn one_hash() -> f64 {
    let started = Instant::now();
    bcrypt::hash(PASSWORD, COST).unwrap();
    started.elapsed().as_secs_f64()
}

fn alone(arguments: &Arguments, sign_ins: &Plan, rows: &mut Vec<Row>) {
    let cores = thread::available_parallelism().unwrap().get() as f64;
    let rounds = arguments.rounds.div_ceil(3);
    let figures: Vec<(f64, f64)> = (0..rounds)
        .map(|_| {
            let before = median((0..5).map(|_| one_hash()));
            let load = Load::start(sign_ins);
            thread::sleep(Duration::from_secs(1));
            let rate = rate(&load, COUNTED).0;
            load.stop();
            // Those that still wait in line have nobody who waits for them, so the last hashes end at once.
            thread::sleep(Duration::from_secs(1));
            let after = median((0..5).map(|_| one_hash()));
            (rate, cores / ((before + after) / 2.0))
        })
        .collect();
    let rate = median(figures.iter().map(|(rate, _)| *rate));
    let most = median(figures.iter().map(|(_, most)| *most));
    let ratio = median(figures.iter().map(|(rate, most)| rate / most));
    let what = format!("sign-ins, {rate:.1}/s, against {cores} cores / one bcrypt hash, {most:.1}/s");
    rows.push(Row::at_least(what, 0.95, ratio));
}

/// Returns good answers a second, and how many were refused.
fn rate(load: &Load, duration: Duration) -> (f64, Count) {
    let (before, started) = (load.count(), Instant::now());
    thread::sleep(duration);
    let after = load.count();
    let count = Count { good: after.good - before.good, refused: after.refused - before.refused };
    (count.good as f64 / started.elapsed().as_secs_f64(), count)
}

#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    slowest: f64,
}

fn pages_for(duration: Duration, pages: &Plan) -> Figure {
    let load = Load::start(pages);
    thread::sleep(Duration::from_millis(200));
    load.measure();
    let rate = rate(&load, duration).0;
    Figure { rate, slowest: percentile(&load.stop(), 0.99) }
}

fn beside(arguments: &Arguments, pages: &Plan, sign_ins: &Plan, rows: &mut Vec<Row>) {
    for (obeys_retry_after, manner) in [(true, "who wait when told to"), (false, "who never wait")] {
        let sign_ins = Plan { obeys_retry_after, ..sign_ins.clone() };
        let (mut quiet, mut busy, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            quiet.push(pages_for(arguments.round(), pages));
            let load = Load::start(&sign_ins);
            thread::sleep(Duration::from_millis(500));
            let (before, started) = (load.count(), Instant::now());
            busy.push(pages_for(arguments.round(), pages));
            let (after, seconds) = (load.count(), started.elapsed().as_secs_f64());
            counts
                .push(((after.good - before.good) as f64 / seconds, (after.refused - before.refused) as f64 / seconds));
            load.stop();
            thread::sleep(Duration::from_millis(700));
        }
        let paired = || quiet.iter().zip(&busy);
        let [alone, beside] = [&quiet, &busy].map(|figures| median(figures.iter().map(|figure| figure.slowest)));
        let signed_in = median(counts.iter().map(|(good, _)| *good));
        let refused = median(counts.iter().map(|(_, refused)| *refused));
        let others = format!("{CLIENTS} clients sign in {manner} ({signed_in:.1}/s, and {refused:.0}/s refused)");
        rows.push(Row::at_least(
            format!("pages while {others}, against alone: rate"),
            0.75,
            median(paired().map(|(alone, beside)| beside.rate / alone.rate)),
        ));
        let slowest = median(paired().map(|(alone, beside)| beside.slowest / alone.slowest));
        let what = format!("the same: 99th percentile ({beside:.0} µs against {alone:.0} µs)");
        rows.push(Row::at_most(what, 3.0, slowest, "times"));
    }
}
