//! Goals 1 and 2: the signed-in dashboard beside bare Actix Web and beside what others do for a signed-in page.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Arguments;
use super::bare::Page;
use super::client::{self, Browser};
use super::load::{Load, Plan};
use super::peers;
use super::process::{Server, free_address};
use super::table::{Row, median};

/// Connections that ask for pages, each with a sign-in of its own.
pub(crate) const CONNECTIONS: usize = 32;

/// The bare servers, what each is told to be, and the part of it that is wanted.
const BARE: [(&str, &str, f64); 3] = [
    ("bare Actix making the same page", "made", 0.97),
    ("bare Actix rendering it from ready texts", "rendered", 0.90),
    ("bare Actix sending ready bytes", "constant", 0.90),
];

/// Time that a server has to warm up in each round.
const WARM_UP: Duration = Duration::from_millis(200);

/// One of those that are compared.
pub(crate) struct Contender {
    name: &'static str,
    /// How many times as fast Perennial is to be.
    goal: f64,
    server: Server,
    plan: Plan,
    figures: Vec<Figure>,
}

#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    microseconds: f64,
}

impl Contender {
    /// Prepares a contender that is sent `requests`.
    pub(crate) fn new(name: &'static str, goal: f64, server: Server, requests: Vec<Vec<u8>>) -> Self {
        let plan = dashboards(server.address, requests);
        Self { name, goal, server, plan, figures: Vec::new() }
    }

    fn measure(&mut self, duration: Duration) {
        let load = Load::start(&self.plan);
        thread::sleep(WARM_UP);
        let (count, processor, started) = (load.count(), self.server.processor_time(), Instant::now());
        thread::sleep(duration);
        let good = (load.count().good - count.good) as f64;
        let processor = self.server.processor_time() - processor;
        let seconds = started.elapsed().as_secs_f64();
        load.stop();
        self.figures.push(Figure { rate: good / seconds, microseconds: processor.as_secs_f64() * 1e6 / good });
    }

    fn rate(&self) -> f64 {
        median(self.figures.iter().map(|figure| figure.rate))
    }

    fn microseconds(&self) -> f64 {
        median(self.figures.iter().map(|figure| figure.microseconds))
    }
}

/// Returns the plan that asks for dashboards without end.
pub(crate) fn dashboards(address: SocketAddr, requests: Vec<Vec<u8>>) -> Plan {
    let requests = Arc::new(requests);
    Plan { address, requests, connections: CONNECTIONS, threads: 2, repeats: true, obeys_retry_after: false }
}

/// Signs in once for each connection, and returns the requests that ask for the dashboard.
pub(crate) fn signed_in_requests(address: SocketAddr) -> Vec<Vec<u8>> {
    let sign_in = |_| {
        let mut browser = Browser::new(address);
        browser.sign_in();
        client::request("GET", "/dashboard", address, &browser.cookies(), "")
    };
    (0..CONNECTIONS).map(sign_in).collect()
}

/// Measures Perennial, bare Actix Web and the peers in turn, round after round.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let perennial = Server::perennial(folder.path(), &[("BCRYPT_COST", "4")]);
    let mut browser = Browser::new(perennial.address);
    browser.register();
    let requests = signed_in_requests(perennial.address);
    let answer = client::send(perennial.address, &requests[0]);
    let file = folder.path().join("page.json");
    Page::of(&answer.head, &answer.body).save(&file);

    let mut contenders = vec![Contender::new("Perennial", 1.0, perennial, requests.clone())];
    for (name, making, goal) in BARE {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--bare", making, "--page"]).arg(&file).args(["--listen", &address.to_string()]);
        let server = Server::start(&mut command, address);
        let twin = client::send(address, &requests[0]);
        assert_eq!(twin.body, answer.body, "the bare page is another");
        assert_eq!(twin.head.len(), answer.head.len(), "{}\n{}", twin.head, answer.head);
        contenders.push(Contender::new(name, goal, server, requests.clone()));
    }
    let peers = peers::start(arguments, folder.path(), &mut contenders);

    for _ in 0..arguments.rounds {
        for contender in &mut contenders {
            contender.measure(arguments.round());
        }
    }
    report(&contenders, rows);
    rows.push(Row::note("the peers", peers.unwrap_or_else(|why| why)));
}

fn report(contenders: &[Contender], rows: &mut Vec<Row>) {
    let (perennial, others) = contenders.split_first().unwrap();
    rows.push(Row::note(
        "a signed-in `/dashboard`",
        format!("{:.0} requests/s, {:.1} µs of server CPU each", perennial.rate(), perennial.microseconds()),
    ));
    for other in others {
        let paired = || perennial.figures.iter().zip(&other.figures);
        let rate = median(paired().map(|(own, its)| own.rate / its.rate));
        let cpu = median(paired().map(|(own, its)| its.microseconds / own.microseconds));
        let goal = other.goal;
        let detail = format!("{:.0}/s, {:.1} µs", other.rate(), other.microseconds());
        rows.push(Row::at_least(format!("rate, against {} ({detail})", other.name), goal, rate));
        rows.push(Row::at_least(format!("server CPU per request, against {}", other.name), goal, cpu));
    }
}
