//! What readers feel of a clean-up.

use std::io::BufRead;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use perennial::app::{StopSignals, bind};
use perennial::domain::clock::{Clock, SystemClock};
use perennial::jobs::{Continue, Retention};
use perennial::{Application, Settings};

use super::http::Browser;
use super::measure::{median, permille, wait};
use super::program::Program;
use super::report::progress;
use super::rows::Rows;
use super::traffic::{Kind, times_at_a_rate};

/// Signed-in pages a second meanwhile: a busy site, and far from what the server can.
const PAGES: f64 = 500.0;

/// Rotations a second meanwhile.
const ROTATIONS: f64 = 50.0;

/// Connections of either.
const BROWSERS: u64 = 8;

/// Sign-ins that share the connection of each that rotates: none comes twice in one second.
const SHARING: u64 = 20;

/// Milliseconds that one page and one rotation in a hundred exceed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// Pages whose access token is good.
    pub(crate) page: f64,
    /// Pages that rotate.
    pub(crate) rotation: f64,
}

/// What was felt.
#[derive(Debug)]
pub(crate) struct Felt {
    /// For each round: alone, and meanwhile.
    pub(crate) rounds: Vec<(Waits, Waits)>,
    /// Sign-ins deleted a second, while it was not held.
    pub(crate) a_second: f64,
}

impl Felt {
    /// Returns the middle of a figure of all rounds.
    pub(crate) fn middle(&self, figure: impl Fn(&(Waits, Waits)) -> f64) -> f64 {
        median(&self.rounds.iter().map(figure).collect::<Vec<_>>())
    }
}

/// A clean-up that goes on when it is told to.
#[derive(Default)]
struct Control {
    going: Mutex<bool>,
    changed: Condvar,
}

impl Control {
    fn set(&self, going: bool) {
        *self.going.lock().unwrap() = going;
        self.changed.notify_all();
    }

    fn wait_until_going(&self) {
        let going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(going, |going| !*going).unwrap());
    }

    /// Cleans up as the background does, but when it is told to.
    fn sweep(&self, retention: &Retention) {
        self.wait_until_going();
        let swept = retention.sweep(|pause| {
            wait(pause);
            self.wait_until_going();
            Continue::Yes
        });
        swept.unwrap();
    }

    fn obey(&self, order: &str) {
        self.set(order == "go");
    }
}

/// Serves, and cleans up at the orders that come by standard input.
pub(crate) fn serve() {
    let settings = Settings::from_environment().unwrap();
    let listener = bind(&settings).unwrap().listen().unwrap();
    let application = Application::from_settings(&settings).unwrap();
    let retention = application.retention().clone();
    let control: &Control = Box::leak(Box::default());
    std::thread::spawn(move || control.sweep(&retention));
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            control.obey(&line.unwrap());
            println!("obeyed");
        }
    });
    actix_web::rt::System::new().block_on(async move {
        application.serve(listener, StopSignals::listen().unwrap()).await.unwrap();
    });
}

/// Measures, in rounds, pages and rotations alone and with the clean-up.
pub(crate) fn measure(database: &Path, rows: Rows, rounds: u32, seconds: f64) -> Felt {
    let (program, mut orders) = Program::start_with_orders(database);
    let first = rows.count - rows.spared();
    let (pages, mut rotations) = (browsers(&program, first), browsers(&program, first + BROWSERS));
    for (browser, place) in rotations.iter_mut().zip(0..) {
        let next = first + 2 * BROWSERS + place * SHARING;
        browser.share(next..next + SHARING);
    }
    let mut readers = Readers { pages, rotations, seconds };
    readers.waits();
    let mut felt = Felt { rounds: Vec::new(), a_second: 0.0 };
    let clock = SystemClock::start();
    let (mut deleted, mut going) = (0, Duration::ZERO);
    for _ in 0..rounds {
        let alone = readers.waits();
        let (before, since) = (rows.deleted(database), clock.elapsed());
        orders.give("go");
        let meanwhile = readers.waits();
        orders.give("hold");
        going += clock.elapsed() - since;
        deleted += rows.deleted(database) - before;
        felt.rounds.push((alone, meanwhile));
        progress(&format!("{:?}", felt.rounds.last()));
    }
    felt.a_second = deleted as f64 / going.as_secs_f64();
    felt
}

fn browsers(program: &Program, first: u64) -> Vec<Browser> {
    let signed_in = |number| {
        let mut browser = Browser::signed_in(program.address, number).unwrap();
        assert_eq!(browser.get("/dashboard").unwrap(), 200);
        browser
    };
    (first..first + BROWSERS).map(signed_in).collect()
}

/// People who read while it goes on.
struct Readers {
    pages: Vec<Browser>,
    rotations: Vec<Browser>,
    seconds: f64,
}

impl Readers {
    fn waits(&mut self) -> Waits {
        let (mut pages, mut rotations) = std::thread::scope(|scope| {
            let pages = scope.spawn(|| times_at_a_rate(&mut self.pages, Kind::Page, PAGES, self.seconds));
            let rotations = times_at_a_rate(&mut self.rotations, Kind::Rotation, ROTATIONS, self.seconds);
            (pages.join().unwrap(), rotations)
        });
        Waits { page: permille(&mut pages, 990), rotation: permille(&mut rotations, 990) }
    }
}
