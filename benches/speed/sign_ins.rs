//! Goals 3 and 4: as many sign-ins as the processors can hash, and pages that stay quick meanwhile.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Arguments;
use super::client::{Browser, PASSWORD};
use super::load::{Count, Load, Plan, percentile};
use super::pages::{dashboards, signed_in_requests};
use super::process::{Server, thread_time};
use super::table::{Row, median};

/// Clients that sign in over and over.
const CLIENTS: usize = 100;

/// bcrypt's cost, as it is by default.
const COST: u32 = 12;

/// How long sign-ins are counted in a round: enough of them that one more or less does not matter.
const COUNTED: Duration = Duration::from_secs(12);

/// The same while pages take all of the machine.
const COUNTED_BESIDE: Duration = Duration::from_secs(8);

/// Forms that are sent in turn: one form begins one session, so the same one must not come again for some minutes.
const FORMS: usize = 4_000;

/// Sign-ins whose processor time is compared with that of as many hashes, in each round.
const COMPARED: usize = 48;

/// Measures sign-ins alone, and pages beside them.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::perennial(folder.path(), &[]);
    let mut browser = Browser::new(server.address);
    browser.register();
    let forms: Vec<_> = (0..FORMS).map(|_| Browser::new(server.address).sign_in_request()).collect();
    processor_time(arguments, &server, &forms, rows);
    let sign_ins = Plan {
        address: server.address,
        requests: Arc::new(forms),
        connections: CLIENTS,
        threads: 1,
        repeats: true,
        obeys_retry_after: true,
    };
    let most = alone(arguments, &server, &sign_ins, rows);
    let pages = dashboards(server.address, signed_in_requests(server.address));
    beside(arguments, &server, &pages, &sign_ins, most, rows);
}

/// Compares the processor time of sign-ins, from the first byte to the row on the disk, with that of their hashes.
///
/// Both keep every processor busy: a core that shares its parts with a busy neighbour takes longer for the same work.
fn processor_time(arguments: &Arguments, server: &Server, forms: &[Vec<u8>], rows: &mut Vec<Row>) {
    let cores = thread::available_parallelism().unwrap().get();
    let round = |range: Range<usize>| {
        let before = server.processor_time();
        let plan = Plan {
            address: server.address,
            requests: Arc::new(forms[range].to_vec()),
            connections: cores * 2,
            threads: 1,
            repeats: false,
            obeys_retry_after: false,
        };
        let load = Load::start(&plan);
        while !load.is_done() {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(load.count().good, COMPARED as u64);
        load.stop();
        let sign_in = (server.processor_time() - before).as_secs_f64() / COMPARED as f64;
        (sign_in, processor_time_of_a_hash(cores))
    };
    let rounds = arguments.rounds.div_ceil(3);
    let figures: Vec<_> = (0..rounds).map(|number| round(number * COMPARED..(number + 1) * COMPARED)).collect();
    let [sign_in, hash] = [median(figures.iter().map(|(own, _)| *own)), median(figures.iter().map(|(_, hash)| *hash))];
    let what = format!("server CPU of a sign-in ({:.1} ms) against its hash ({:.1} ms)", sign_in * 1e3, hash * 1e3);
    rows.push(Row::ratio_at_most(what, 1.05, median(figures.iter().map(|(own, hash)| own / hash))));
}

/// Returns the processor time of one hash while every processor hashes.
fn processor_time_of_a_hash(cores: usize) -> f64 {
    let hashes = COMPARED / cores;
    let hash = move || {
        let before = thread_time();
        (0..hashes).for_each(|_| drop(bcrypt::hash(PASSWORD, COST).unwrap()));
        (thread_time() - before).as_secs_f64() / hashes as f64
    };
    let threads: Vec<_> = (0..cores).map(|_| thread::spawn(hash)).collect();
    let times: f64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    times / cores as f64
}

/// Returns how long one hash takes on one processor while the others rest.
fn one_hash() -> f64 {
    let started = Instant::now();
    bcrypt::hash(PASSWORD, COST).unwrap();
    started.elapsed().as_secs_f64()
}

/// Returns sign-ins a second where nothing else happens.
fn alone(arguments: &Arguments, server: &Server, sign_ins: &Plan, rows: &mut Vec<Row>) -> f64 {
    let cores = thread::available_parallelism().unwrap().get() as f64;
    let rounds = arguments.rounds.div_ceil(3);
    let figures: Vec<(f64, f64)> = (0..rounds)
        .map(|_| {
            let before = median((0..5).map(|_| one_hash()));
            let load = Load::start(sign_ins);
            thread::sleep(Duration::from_secs(1));
            let rate = rate(&load, COUNTED).0;
            load.stop();
            server.settle();
            let after = median((0..5).map(|_| one_hash()));
            (rate, cores / ((before + after) / 2.0))
        })
        .collect();
    let rate = median(figures.iter().map(|(rate, _)| *rate));
    let most = median(figures.iter().map(|(_, most)| *most));
    let ratio = median(figures.iter().map(|(rate, most)| rate / most));
    let what = format!("sign-ins, {rate:.1}/s, against {cores} cores / one bcrypt hash, {most:.1}/s");
    rows.push(Row::at_least(what, 0.95, ratio));
    rate
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

/// Pages and sign-ins that both take what they get, against each of them alone.
fn beside(arguments: &Arguments, server: &Server, pages: &Plan, sign_ins: &Plan, most: f64, rows: &mut Vec<Row>) {
    for (obeys_retry_after, manner) in [(true, "who wait when told to"), (false, "who never wait")] {
        let sign_ins = Plan { obeys_retry_after, ..sign_ins.clone() };
        let (mut quiet, mut busy, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.rounds.div_ceil(3) {
            quiet.push(pages_for(arguments.round() * 3, pages));
            let load = Load::start(&sign_ins);
            thread::sleep(Duration::from_millis(500));
            let (before, started) = (load.count(), Instant::now());
            busy.push(pages_for(COUNTED_BESIDE, pages));
            let (after, seconds) = (load.count(), started.elapsed().as_secs_f64());
            counts
                .push(((after.good - before.good) as f64 / seconds, (after.refused - before.refused) as f64 / seconds));
            load.stop();
            server.settle();
        }
        let paired = || quiet.iter().zip(&busy);
        let [alone, beside] = [&quiet, &busy].map(|figures| median(figures.iter().map(|figure| figure.slowest)));
        let signed_in = median(counts.iter().map(|(good, _)| *good));
        let refused = median(counts.iter().map(|(_, refused)| *refused));
        let what = format!("pages while {CLIENTS} clients sign in {manner}, against alone: rate");
        rows.push(Row::at_least(what, 0.75, median(paired().map(|(alone, beside)| beside.rate / alone.rate))));
        let what = format!(
            "those sign-ins meanwhile ({signed_in:.1}/s, and {refused:.0}/s refused), against alone ({most:.1}/s)"
        );
        rows.push(Row::at_least(what, 0.20, signed_in / most));
        let slowest = median(paired().map(|(alone, beside)| beside.slowest / alone.slowest));
        let what = format!("those pages: 99th percentile ({beside:.0} µs against {alone:.0} µs)");
        rows.push(Row::at_most(what, 3.0, slowest, "times"));
    }
}
