//! What a scrape of the metrics each second costs those who ask for pages meanwhile.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Arguments;
use super::client::{self, Browser};
use super::load::{Load, Plan};
use super::pages::{dashboards, signed_in_requests};
use super::process::{Server, free_address};
use super::table::{Row, median};

/// The shortest round: less than some scrapes would be chance.
const ROUND: Duration = Duration::from_secs(4);

/// How often Prometheus asks; its own default is a minute.
const EVERY: Duration = Duration::from_secs(1);

/// Time that the load has to warm up in each round.
const WARM_UP: Duration = Duration::from_millis(200);

/// How much of the rate must be left: what is less would show in a graph.
const GOAL: f64 = 0.98;

#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    microseconds: f64,
    scrapes: u64,
}

/// Measures pages with scrapes and without, in turns.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let (folder, metrics) = (tempfile::tempdir().unwrap(), free_address());
    let settings = [("BCRYPT_COST", "4"), ("METRICS_BIND", &*metrics.to_string())];
    let server = Server::perennial(folder.path(), &settings);
    Browser::new(server.address).register();
    let plan = dashboards(server.address, signed_in_requests(server.address));
    let (mut alone, mut scraped) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        // Each comes first in every other round.
        for with in [round % 2 == 0, round % 2 == 1] {
            let figure = figure(&server, &plan, arguments.round().max(ROUND), with.then_some(metrics));
            if with { &mut scraped } else { &mut alone }.push(figure);
        }
    }
    assert!(scraped.iter().all(|figure| figure.scrapes > 0), "nothing was scraped");
    let of = |figures: &[Figure]| {
        let (rate, cost) = (median(figures.iter().map(|f| f.rate)), median(figures.iter().map(|f| f.microseconds)));
        format!("{rate:.0}/s, {cost:.1} µs")
    };
    let paired = || scraped.iter().zip(&alone);
    let rate = median(paired().map(|(with, without)| with.rate / without.rate));
    let cost = median(paired().map(|(with, without)| without.microseconds / with.microseconds));
    let what = format!("pages with a scrape each second ({}) against none ({}): rate", of(&scraped), of(&alone));
    rows.push(Row::at_least(what, GOAL, rate));
    rows.push(Row::at_least("server CPU per request, against the same".to_owned(), GOAL, cost));
}

/// Asks for pages for a while, with a scrape each second of an address, if there is one.
fn figure(server: &Server, plan: &Plan, duration: Duration, metrics: Option<SocketAddr>) -> Figure {
    let (over, scrapes) = (&AtomicBool::new(false), &AtomicU64::new(0));
    thread::scope(|scope| {
        if let Some(metrics) = metrics {
            scope.spawn(move || scrape(metrics, over, scrapes));
        }
        let load = Load::start(plan);
        thread::sleep(WARM_UP);
        let (count, processor, started) = (load.count(), server.processor_time(), Instant::now());
        thread::sleep(duration);
        let good = (load.count().good - count.good) as f64;
        let processor = server.processor_time() - processor;
        let seconds = started.elapsed().as_secs_f64();
        load.stop();
        over.store(true, Ordering::Relaxed);
        Figure {
            rate: good / seconds,
            microseconds: processor.as_secs_f64() * 1e6 / good,
            scrapes: scrapes.load(Ordering::Relaxed),
        }
    })
}

fn scrape(metrics: SocketAddr, over: &AtomicBool, scrapes: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        let next = Instant::now() + EVERY;
        let answer = client::get(metrics, "/metrics", "");
        assert!(answer.status == 200 && answer.body.contains("perennial_http_requests_total{"), "{}", answer.body);
        scrapes.fetch_add(1, Ordering::Relaxed);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
