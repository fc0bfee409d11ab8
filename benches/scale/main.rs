//! What a table of millions of sign-ins costs: the time and the processor of a rotation, bytes on disk, the start, and
//! what readers feel of a clean-up.
//!
//! Whatever is compared is measured in turns, in processes of their own, and the middle of the rounds counts. Rows and
//! their names are made from numbers; the database is built first, with the library's own functions, and deleted at the
//! end. The disk is not emptied of what the system keeps in memory: a server that was restarted a minute ago finds the
//! same. `slow_disk.c` makes each `fdatasync` a millisecond longer, as on disks over a network.
//!
//! ```text
//! cargo bench --bench scale -- --sessions 10000000 --rounds 7 --seconds 3
//! ```

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement that fails should stop")]

mod admin;
mod cleanup;
mod http;
mod layout;
mod measure;
mod program;
#[path = "../../tests/suite/model/random.rs"]
mod random;
mod report;
mod rotate;
mod rows;
mod server;
#[path = "../speed/shipped.rs"]
mod shipped;
mod traffic;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Parser, Subcommand, ValueEnum};
use perennial::domain::clock::{Clock, SystemClock};

use measure::{median, warm};
use program::Program;
use report::{Report, met};
use rotate::{Rotate, Rotated};
use rows::Rows;
use traffic::Clients;

/// Clients that rotate at the same time.
const CLIENTS: u64 = 64;

/// How much more than a bare `UPDATE` a rotation may lose between a small table and a large one.
const AS_BARE: f64 = 1.1;

/// How long the clean-up of half of the large table may take, in minutes.
const CLEANUP_MINUTES: f64 = 10.0;

/// Measures what a table of millions of sign-ins costs, and prints a table in Markdown.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sign-ins of the large table; the older half of them are over.
    #[arg(long, default_value_t = 10_000_000)]
    sessions: u64,
    /// Sign-ins of the small table.
    #[arg(long, default_value_t = 100_000)]
    few: u64,
    /// Sign-ins of the table of the comparison with the usual way.
    #[arg(long, default_value_t = 1_000_000)]
    some: u64,
    /// Rounds of each comparison.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Where the tables are kept as they were made, and found again; what is measured is a copy.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The URL of an empty database on a PostgreSQL server, where rotations there are to be measured, too.
    #[arg(long)]
    postgres: Option<String>,
    /// What to measure, separated by commas; everything, if nothing is said.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rotations against the usual way.
    Writes,
    /// Rotations in a large table against a small one.
    Rotations,
    /// Bytes on disk.
    Bytes,
    /// The start, and memory.
    Start,
    /// The clean-up.
    Cleanup,
    /// Rotations on a PostgreSQL server.
    Server,
    /// The pages of the administration.
    Admin,
}

/// What a process of its own does.
#[derive(Debug, Subcommand)]
enum Role {
    /// Rotates, and says how quickly.
    #[command(hide = true)]
    Rotate(Rotate),
    /// Serves, and cleans up when it is told to.
    #[command(hide = true)]
    Serve,
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::Rotate(rotate)) => println!("{}", serde_json::to_string(&rotate.measure()).unwrap()),
        Some(Role::Serve) => cleanup::serve(),
        None => arguments.run(),
    }
}

impl Arguments {
    fn run(&self) {
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let folder = std::fs::canonicalize(temporary.path()).unwrap();
        let mut report = Report::default();
        if self.measures(Part::Writes) {
            self.writes(&folder, &mut report);
        }
        if self.measures(Part::Bytes) {
            self.bytes(&folder, &mut report);
        }
        if self.measures(Part::Rotations) {
            self.rotations(&folder, &mut report);
        }
        if self.measures(Part::Start) {
            self.start(&folder, &mut report);
        }
        if self.measures(Part::Cleanup) {
            self.cleanup(&folder, &mut report);
        }
        if let Some(url) = self.postgres.as_deref().filter(|_| self.measures(Part::Server)) {
            server::measure(self, url, &mut report);
        }
        if self.measures(Part::Admin) {
            admin::measure(self, &folder, &mut report);
        }
        let sqlite = rows::text(&folder.join("version.db"), "SELECT sqlite_version() AS value");
        println!("{}\n\n{report}", measure::machine(&folder, &sqlite));
    }

    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Makes a table, or copies the one of the last time, unless this run has it already.
    fn table(&self, folder: &Path, count: u64) -> (PathBuf, Rows) {
        let name = format!("{count}.db");
        let (path, rows) = (folder.join(&name), Rows { count, now: SystemClock::start().now() });
        if !path.exists() {
            report::progress(&format!("a table of {count} sign-ins"));
            match &self.folder {
                Some(kept) => {
                    std::fs::create_dir_all(kept).unwrap();
                    rows.build(&kept.join(&name));
                    std::fs::copy(kept.join(&name), &path).unwrap();
                    std::fs::File::open(&path).unwrap().sync_all().unwrap();
                }
                None => rows.build(&path),
            }
        }
        warm(&path);
        (path, rows)
    }

    /// Runs two or more measurements in turns; returns the figures of each.
    fn in_turns<const COUNT: usize>(&self, measurements: [&dyn Fn(u64) -> Rotated; COUNT]) -> [Vec<Rotated>; COUNT] {
        let mut all = [const { Vec::new() }; COUNT];
        for round in 0..u64::from(self.rounds) {
            for (place, measurement) in measurements.iter().enumerate() {
                all[place].push(measurement(round));
            }
            report::progress(&format!("{:?}", all.each_ref().map(|figures| figures.last())));
        }
        all
    }

    /// One writer against a pool, on this disk and on a slow one.
    fn writes(&self, folder: &Path, report: &mut Report) {
        let (path, rows) = self.table(folder, self.some);
        let (over, slow_disk) = (rows.expired(), compile_slow_disk(folder));
        let disks = [("this disk", None, 64, 2.0), ("1 ms more per flush", Some(slow_disk.as_path()), 64, 15.0)];
        let more = [("1 ms more per flush", Some(slow_disk.as_path()), 256, 15.0)];
        for (place, (name, disk, clients, goal)) in disks.into_iter().chain(more).enumerate() {
            let writer = |seed| Rotate::library(&path, over, clients, self.seconds, seed);
            let [ours, one, eight] =
                self.in_turns([&|seed| writer(seed).run(disk), &|seed| writer(seed).pool(1).run(disk), &|seed| {
                    writer(seed).pool(8).run(disk)
                }]);
            let best = if rate(&one) >= rate(&eight) { (one, 1) } else { (eight, 8) };
            let ratios: Vec<_> = ours.iter().zip(&best.0).map(|(ours, theirs)| ours.rate / theirs.rate).collect();
            let ratio = median(&ratios);
            report.line(
                &format!("rotations against one UPDATE per commit, {clients} clients, {name}"),
                &format!("≥ {goal} times"),
                &format!(
                    "{ratio:.1} times: {:.0}/s (p99 {:.1} ms) against {:.0}/s (p99 {:.1} ms, pool of {})",
                    rate(&ours),
                    p99(&ours),
                    rate(&best.0),
                    p99(&best.0),
                    best.1
                ),
                met(ratio >= goal),
            );
            let mut browsers = Clients::new(clients, rows.first_live() + rows.count / 8 * place as u64, rows.count / 8);
            let in_rounds = (0..self.rounds).map(|_| {
                let program = Program::start(&path, "/healthz", disk);
                browsers.rotate(&program, self.seconds).0
            });
            let through = median(&in_rounds.collect::<Vec<_>>());
            report.line(
                &format!("the same through the program, over HTTP, its clients on the same machine, {name}"),
                "",
                &format!("{through:.0}/s, {:.1} times that pool without HTTP", through / rate(&best.0)),
                "",
            );
        }
    }

    /// A large table against a small one.
    fn rotations(&self, folder: &Path, report: &mut Report) {
        let ((few, small), (many, large)) = (self.table(folder, self.few), self.table(folder, self.sessions));
        // The last sign-ins are left as they were built, for the clean-up.
        let browsers = |rows: Rows| {
            RefCell::new(Clients::new(CLIENTS, rows.first_live(), rows.count / 2 - rows.count / 50 - rows.spared()))
        };
        // A system may take memory away from what was read a minute ago.
        let through = |path: &Path, browsers: &RefCell<Clients>| {
            warm(path);
            let (rate, processor) = browsers.borrow_mut().rotate(&Program::start(path, "/healthz", None), self.seconds);
            Rotated { rate, processor, p99: 0.0, longest: 0.0 }
        };
        let library = |path: &Path, rows: Rows, seed: u64| {
            warm(path);
            Rotate::library(path, rows.expired(), CLIENTS, self.seconds, seed).reading().run(None)
        };
        let bare = |path: &Path, rows: Rows, seed| {
            warm(path);
            Rotate::bare(path, rows.expired(), self.seconds, seed).run(None)
        };
        let (people_of_few, people_of_many) = (browsers(small), browsers(large));
        let [few_asked, many_asked, few_alone, many_alone, few_bare, many_bare] = self.in_turns([
            &|_| through(&few, &people_of_few),
            &|_| through(&many, &people_of_many),
            &|seed| library(&few, small, seed),
            &|seed| library(&many, large, seed),
            &|seed| bare(&few, small, seed),
            &|seed| bare(&many, large, seed),
        ]);
        let sizes = format!("{} sign-ins against {}", self.sessions, self.few);
        let lost = compare(report, &format!("a bare UPDATE by primary key, {sizes}"), None, &few_bare, &many_bare);
        let asked = format!("a rotation through the program, {sizes}");
        compare(report, &asked, Some(lost.map(|lost| lost * AS_BARE)), &few_asked, &many_asked);
        compare(report, &format!("a rotation by the library, without HTTP, {sizes}"), None, &few_alone, &many_alone);
    }

    fn bytes(&self, folder: &Path, report: &mut Report) {
        let (many, rows) = self.table(folder, self.sessions);
        let bytes = layout::bytes_a_session(&many);
        report.line(
            &format!("bytes on disk per sign-in, {} of them", self.sessions),
            "≤ 400",
            &format!("{bytes:.0} ({})", layout::parts(&many)),
            met(bytes <= 400.0),
        );
        let path = folder.join("life.db");
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        layout::live_a_while(&path, 50_000, rows.now);
        let bytes = layout::bytes_a_session(&path);
        report.line(
            "the same after three lifetimes of sign-ins, rotations and clean-ups, free pages included",
            "≤ 400",
            &format!("{bytes:.0} ({})", layout::parts(&path)),
            met(bytes <= 400.0),
        );
    }

    fn start(&self, folder: &Path, report: &mut Report) {
        let (many, _) = self.table(folder, self.sessions);
        let (mut health, mut login, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds * 3 {
            for (path, times) in [("/healthz", &mut health), ("/login", &mut login)] {
                let program = Program::start(&many, path, None);
                times.push(program.started_in.as_secs_f64() * 1e3);
                measure::wait(std::time::Duration::from_millis(500));
                memory.push(measure::resident_megabytes(program.id()));
            }
        }
        for (path, times) in [("/healthz", health), ("/login", login)] {
            let (middle, longest) = (median(&times), times.iter().copied().fold(0.0, f64::max));
            report.line(
                &format!("start of the program to the first answer of `{path}`, {} sign-ins", self.sessions),
                "≤ 100 ms",
                &format!("{middle:.0} ms ({longest:.0} ms at most)"),
                met(middle <= 100.0),
            );
        }
        report.line("memory of the idle program with that table", "", &format!("{:.1} MB", median(&memory)), "");
    }

    fn cleanup(&self, folder: &Path, report: &mut Report) {
        let (many, rows) = self.table(folder, self.sessions);
        let felt = cleanup::measure(&many, rows, self.rounds * 2, self.seconds);
        let (page, rotation) = (
            felt.middle(|(alone, meanwhile)| meanwhile.page / alone.page),
            felt.middle(|(alone, meanwhile)| meanwhile.rotation / alone.rotation),
        );
        report.line(
            &format!("p99 of `/dashboard` while {} sign-ins are cleaned up, against alone", rows.expired()),
            "≤ 1.5 times",
            &format!(
                "{page:.2} times: {:.2} ms against {:.2} ms",
                felt.middle(|(_, meanwhile)| meanwhile.page),
                felt.middle(|(alone, _)| alone.page)
            ),
            met(page <= 1.5),
        );
        report.line(
            "the same of a page that rotates",
            "≤ 3 times",
            &format!(
                "{rotation:.2} times: {:.2} ms against {:.2} ms",
                felt.middle(|(_, meanwhile)| meanwhile.rotation),
                felt.middle(|(alone, _)| alone.rotation)
            ),
            met(rotation <= 3.0),
        );
        let minutes = rows.expired() as f64 / felt.a_second / 60.0;
        report.line(
            "time of the whole clean-up, at the pace of those rounds",
            &format!("≤ {CLEANUP_MINUTES} minutes"),
            &format!("{minutes:.1} minutes, {:.0} sign-ins a second", felt.a_second),
            met(minutes <= CLEANUP_MINUTES),
        );
    }
}

/// Reports what rotations cost in a small table and a large one, which took turns, and returns how many times more: of
/// processor time, and of time on the clock.
fn compare(report: &mut Report, what: &str, goals: Option<[f64; 2]>, small: &[Rotated], large: &[Rotated]) -> [f64; 2] {
    let ratio = |figure: fn(&Rotated, &Rotated) -> f64| {
        median(&large.iter().zip(small).map(|(large, small)| figure(large, small)).collect::<Vec<_>>())
    };
    let ratios @ [processor, clock] =
        [ratio(|large, small| large.processor / small.processor), ratio(|large, small| small.rate / large.rate)];
    let middle = |all: &[Rotated]| median(&all.iter().map(|round| round.processor).collect::<Vec<_>>());
    let said = |which: usize| goals.map(|goals| format!("≤ {:.2} times", goals[which])).unwrap_or_default();
    let answer = |which: usize| goals.map(|goals| met(ratios[which] <= goals[which])).unwrap_or_default();
    report.line(
        &format!("processor time of {what}"),
        &said(0),
        &format!("{processor:.2} times: {:.0} µs against {:.0} µs", middle(large), middle(small)),
        answer(0),
    );
    report.line(
        &format!("time on the clock of {what}"),
        &said(1),
        &format!("{clock:.2} times: {:.0}/s against {:.0}/s", rate(large), rate(small)),
        answer(1),
    );
    ratios
}

fn rate(rounds: &[Rotated]) -> f64 {
    median(&rounds.iter().map(|round| round.rate).collect::<Vec<_>>())
}

fn p99(rounds: &[Rotated]) -> f64 {
    median(&rounds.iter().map(|round| round.p99).collect::<Vec<_>>())
}

/// Compiles the library that makes a disk slow.
fn compile_slow_disk(folder: &Path) -> PathBuf {
    let (source, library) = (concat!(env!("CARGO_MANIFEST_DIR"), "/benches/scale/slow_disk.c"), "slow_disk.so");
    let library = folder.join(library);
    let status =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(status.unwrap().success(), "cc compiles {source}");
    library
}
