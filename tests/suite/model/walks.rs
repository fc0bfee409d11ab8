//! Long random ways with the lifetimes that the program starts with, on any store.

use perennial::domain::session::{EndReason, Lifetimes};
use time::Duration;

use super::property::Property;
use super::protocol::{InMemory, Row, Rows, Seconds, moment};
use super::random::Random;
use super::settings::{self, everything, mixed, number};
use super::steps::Step;
use super::world::{Setting, World};

/// Walks of a run that does not say how many.
const WALKS: u64 = 12;

/// Steps of a walk.
const STEPS: usize = 1_500;

/// The defaults of the program.
pub const LIFETIMES: Lifetimes = Lifetimes { access: Duration::minutes(15), ..settings::LIFETIMES };

/// A store that holds one sign-in after another.
pub trait SignIns: Rows {
    /// Writes the row of a new sign-in, and forgets the one before.
    fn begin(&mut self, number: u64, row: &Row);
}

impl SignIns for InMemory {
    fn begin(&mut self, _number: u64, row: &Row) {
        self.0 = row.clone();
    }
}

/// Chooses what is possible in the life of a sign-in: a thief or none, access tokens or none, version 1 or none.
fn setting(random: &mut Random) -> Setting {
    let theft = random.happens(0.5);
    let base = if random.happens(0.3) { mixed(6) } else { everything(6) };
    let access = if random.happens(0.3) && base.overtaken.is_none() { Duration::ZERO } else { LIFETIMES.access };
    Setting {
        lifetimes: Lifetimes { access, ..LIFETIMES },
        exchanges: [6, if theft { 3 } else { 0 }],
        losses: 7,
        theft,
        revokes: true,
        ages: true,
        late_answers: theft,
        late_requests: theft,
        waits: &[1, 4, 10, 15, 29, 30, 31, 45, 70, 119, 120, 121, 400, 899, 900, 901, 7_200, 86_400, 1_200_000],
        longest_page: 200,
        ..base
    }
}

/// Says how likely each of these steps is.
fn weight(step: &Step, of_its_kind: usize) -> f64 {
    let kind = match step {
        Step::Send | Step::Arrive(..) | Step::Leave(_) | Step::Deliver(_) | Step::Wake(_) => {
            return 1.0;
        }
        Step::Present(..) => 1.0,
        Step::Lose(_) | Step::Repeat(_) | Step::Queue(..) => 0.3,
        Step::Crash(_) | Step::Keep | Step::Suspend(_) => 0.05,
        Step::SetClock(_, 0) => 0.2,
        Step::SetClock(..) | Step::Copy(_) => 0.02,
        Step::Save => 0.01,
        Step::Restore => 0.005,
        Step::Revoke => 0.001,
        Step::Wait(by) if *by < 200 => 2.0,
        Step::Wait(by) if *by < 10_000 => 0.5,
        Step::Wait(by) if *by < 100_000 => 0.02,
        Step::Wait(_) => 0.002,
    };
    kind / of_its_kind as f64
}

/// Chooses a step; many of one kind do not crowd out the others.
fn choose(steps: &[Step], random: &mut Random) -> Step {
    let alike = |one: &Step, other: &Step| match (one, other) {
        (Step::Wait(one), Step::Wait(other)) => (*one < 200) == (*other < 200) && (*one < 10_000) == (*other < 10_000),
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    };
    let weigh = |step: &Step| weight(step, steps.iter().filter(|other| alike(step, other)).count());
    let weights: Vec<f64> = steps.iter().map(weigh).collect();
    let mut left = random.fraction() * weights.iter().sum::<f64>();
    for (step, weight) in steps.iter().zip(weights) {
        left -= weight;
        if left < 0.0 {
            return *step;
        }
    }
    steps[0]
}

/// What became of the sign-ins of a walk.
#[derive(Debug, Default)]
pub struct Tally {
    pub sign_ins: u64,
    pub rotations: u64,
    pub caught: u64,
    pub restored: u64,
    pub renewals_lost: u64,
}

impl Tally {
    /// Adds what another walk came to.
    fn add(&mut self, other: &Self) {
        self.sign_ins += other.sign_ins;
        self.rotations += other.rotations;
        self.caught += other.caught;
        self.restored += other.restored;
        self.renewals_lost += other.renewals_lost;
    }

    fn note_end(&mut self, because: Option<EndReason>) {
        self.caught += u64::from(because == Some(EndReason::Replayed));
        self.restored += u64::from(because == Some(EndReason::Restored));
        self.renewals_lost += u64::from(because == Some(EndReason::RenewalsLost));
    }
}

/// Goes one way; every sign-in that ends is followed by a new one.
fn walk<R: SignIns>(seed: u64, mut rows: R) -> Tally {
    let mut random = Random::from_seed(seed);
    let mut now: Seconds = 0;
    let mut tally = Tally::default();
    let mut left = STEPS;
    while left > 0 {
        let setting = setting(&mut random);
        tally.sign_ins += 1;
        rows.begin(tally.sign_ins, &Row::begun(now, &setting.lifetimes));
        let mut world = World::begun(rows, now, &setting);
        let first = world.line.len();
        world.held = Default::default();
        let mut way = Vec::new();
        let mut over = 0;
        // Some steps more, once it is over: nothing may open it again.
        while left > 0 && over < 12 {
            left -= 1;
            let steps = world.steps(&setting);
            let step = choose(&steps, &mut random);
            let jar = world.jar;
            let broken = world.happen(step, &setting);
            way.push(format!("{} s, {jar:?}: {step:?}", world.now));
            way.drain(..way.len().saturating_sub(60));
            for property in Property::PROMISED {
                let excused = property == Property::NobodyIsSignedOutEarly && setting.theft;
                assert!(excused || !broken.contains(property), "MODEL_SEED={seed}: {property:?}\n{way:#?}");
            }
            let row = world.rows.find();
            over += usize::from(row.session().ended(&LIFETIMES, moment(world.now)).is_some());
            if over == 1 {
                tally.note_end(row.revoked.map(|(_, because)| because));
            }
        }
        tally.rotations += u64::try_from(world.line.len() - first).expect("a few rotations");
        now = world.now;
        rows = world.rows;
    }
    tally
}

/// Goes as many ways as `MODEL_WALKS` says, or the one of `MODEL_SEED`; a failure prints its seed.
pub fn walk_all<R: SignIns>(rows: impl Fn(u64) -> R) {
    let seeds = match number("MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODEL_WALKS").unwrap_or(WALKS),
    };
    let mut total = Tally::default();
    for seed in seeds {
        total.add(&walk(seed, rows(seed)));
    }
    println!("{total:?}");
    assert!(total.rotations > total.sign_ins, "the walks lead nowhere: {total:?}");
}

#[test]
fn long_walks_keep_the_promise() {
    walk_all(|_| InMemory(Row::begun(0, &LIFETIMES)));
}

/// A walk is left by neither party before it has come to anything.
#[test]
fn long_walks_come_to_every_end() {
    let mut total = Tally::default();
    for seed in 1_000..1_040 {
        total.add(&walk(seed, InMemory(Row::begun(0, &LIFETIMES))));
    }
    println!("{total:?}");
    assert!(total.caught > 0 && total.restored > 0, "{total:?}");
}
