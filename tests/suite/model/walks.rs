//! Long random ways on the real store, with the lifetimes that the program starts with.

use std::collections::HashMap;
use std::sync::Barrier;

use perennial::domain::clock::{Clock, ManualClock};
use perennial::domain::id::SessionId;
use perennial::domain::session::{EndReason, Lifetimes, Session};
use perennial::domain::user::{Email, FullName};
use perennial::store::sessions::{self, Swap};
use perennial::store::users::{self, Inserted};
use perennial::store::{Database, StoreError};
use time::Duration;

use super::property::Property;
use super::protocol::{Protocol, Replacement, Row, Rows, Seconds, Secret, moment, seconds, stands};
use super::random::Random;
use super::settings::honest;
use super::steps::Step;
use super::world::{LateAnswers, Party, Setting, World};
use crate::support::url_in;

/// Walks of a run that does not say how many.
const WALKS: u64 = 12;

/// Steps of a walk.
const STEPS: usize = 1_500;

/// The defaults of the program.
const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::minutes(15),
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::hours(24),
    reuse_grace: Duration::seconds(30),
};

/// The row in a file that two nodes share; each call goes to either.
struct OnDisk {
    nodes: [Database; 2],
    random: Random,
    id: SessionId,
    secrets: HashMap<[u8; 32], Secret>,
}

impl OnDisk {
    fn node(&mut self) -> &Database {
        let node = self.random.below(2);
        &self.nodes[node]
    }

    fn name(&mut self, secret: Secret) {
        self.secrets.insert(*secret.hash().as_bytes(), secret);
    }

    /// Writes the row of a new sign-in.
    fn begin(&mut self, number: u64, row: &Row) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        self.id = SessionId::from_bytes(id);
        self.secrets.clear();
        self.name(row.active);
        let session = Session { id: self.id, ..row.session() };
        self.node().write_blocking(move |connection| sessions::insert(connection, &session)).unwrap();
    }
}

impl Rows for OnDisk {
    fn find(&mut self) -> Row {
        let id = self.id;
        let found = self.node().read_blocking(|connection| sessions::find(connection, id)).unwrap().unwrap();
        Row {
            generation: found.generation.try_into().unwrap(),
            active: self.secrets[found.token_hash.as_bytes()],
            previous: found.previous_hash.map(|hash| self.secrets[hash.as_bytes()]),
            rotated_at: seconds(found.rotated_at),
            last_seen_at: seconds(found.last_seen_at),
            expires_at: seconds(found.expires_at),
            revoked: found.revoked.map(|revocation| (seconds(revocation.at), revocation.because)),
        }
    }

    fn swap(&mut self, read: &Row, replacement: Replacement) -> bool {
        self.name(replacement.active);
        let session = Session { id: self.id, ..read.session() };
        let swap = as_stored(replacement);
        self.node().write_blocking(move |connection| sessions::swap(connection, &session, &swap)).unwrap()
    }

    fn revoke(&mut self, unmoved: Option<&Row>, because: EndReason, now: Seconds) -> bool {
        let id = self.id;
        let read = unmoved.map(|row| (i64::from(row.generation), row.active.hash()));
        let revoked = self.node().write_blocking(move |connection| {
            let row = sessions::find(connection, id)?;
            let moved = |row: &Session| read.is_some_and(|read| (row.generation, row.token_hash) != read);
            if row.is_none_or(|row| moved(&row)) {
                return Ok(false);
            }
            sessions::revoke(connection, id, because, moment(now))
        });
        revoked.unwrap()
    }
}

fn as_stored(replacement: Replacement) -> Swap {
    Swap {
        generation: replacement.generation.into(),
        token_hash: replacement.active.hash(),
        previous_hash: replacement.previous.map(Secret::hash),
        at: moment(replacement.at),
        address: String::new(),
    }
}

/// Opens two nodes on one new file, which has one user.
fn two_nodes(folder: &tempfile::TempDir) -> [Database; 2] {
    let url = url_in(folder.path()).parse().unwrap();
    let nodes = [(); 2].map(|()| Database::open(&url).unwrap().0);
    let added = nodes[0].write_blocking(|connection| {
        let (email, name) = ("owner@example.com".parse::<Email>(), "Owner".parse::<FullName>());
        let (Ok(email), Ok(name)) = (email, name) else { return Err(StoreError::Corrupt("a bad name")) };
        users::insert(connection, &email, &name, "", moment(0))
    });
    assert!(matches!(added, Ok(Inserted::User(user)) if user.id.0 == 1));
    nodes
}

/// A walk with or without a thief.
fn setting(thief: bool) -> Setting {
    Setting {
        protocol: Protocol::REAL,
        lifetimes: LIFETIMES,
        exchanges: [6, if thief { 3 } else { 0 }],
        theft: thief,
        revokes: true,
        ends: true,
        late_answers: if thief { LateAnswers::Always } else { LateAnswers::Never },
        late_requests: thief,
        waits: &[1, 4, 12, 29, 30, 31, 70, 400, 899, 900, 901, 7_200, 86_400, 1_200_000],
        longest_page: 120,
        ..honest(6)
    }
}

/// Chooses a step: first its kind, so that many of one kind do not crowd out the others.
fn choose(steps: &[Step], random: &mut Random) -> Step {
    loop {
        let likely = |step: &Step| match step {
            Step::Send(Party::Owner, _) | Step::Arrive(_) | Step::Leave(_) | Step::Deliver(_) => 1.0,
            Step::Send(Party::Thief, _) | Step::Present(..) => 0.3,
            Step::Lose(_) => 0.1,
            Step::Crash(_) => 0.05,
            Step::Copy(_) => 0.02,
            Step::Revoke => 0.001,
            Step::Wait(by) if *by < 100 => 0.15,
            Step::Wait(by) if *by < 10_000 => 0.05,
            Step::Wait(by) if *by < 100_000 => 0.003,
            Step::Wait(_) => 0.000_3,
        };
        let step = steps[random.below(steps.len())];
        if random.happens(likely(&step)) {
            return step;
        }
    }
}

/// What became of the sign-ins of a walk.
#[derive(Debug, Default)]
struct Tally {
    sign_ins: u64,
    rotations: u64,
    caught: u64,
}

/// Goes one way; every sign-in that ends is followed by a new one.
fn walk(seed: u64) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::from_seed(seed);
    let nodes = two_nodes(&folder);
    let clock = ManualClock::at(moment(0));
    let mut tally = Tally::default();
    let mut rows =
        OnDisk { nodes, random: random.clone(), id: SessionId::from_bytes([0; 16]), secrets: HashMap::new() };
    let mut left = STEPS;
    while left > 0 {
        let setting = setting(random.happens(0.5));
        let now = seconds(clock.now());
        tally.sign_ins += 1;
        rows.begin(tally.sign_ins, &Row::begun(now, &LIFETIMES));
        let mut world = World::begun(rows, now, &LIFETIMES);
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
            if let Step::Wait(by) = step {
                clock.advance(Duration::seconds(by.into()));
            }
            assert_eq!(world.now, seconds(clock.now()));
            way.push(format!("{} s, {jar:?}: {step:?}", world.now));
            way.drain(..way.len().saturating_sub(60));
            for property in Property::PROMISED {
                let excused = property == Property::NobodyIsSignedOutEarly && setting.theft;
                assert!(excused || !broken.contains(property), "MODEL_SEED={seed}: {property:?}\n{way:#?}");
            }
            let row = world.rows.find();
            over += usize::from(row.session().ended(&LIFETIMES, clock.now()).is_some());
            if over == 1 {
                tally.caught += u64::from(row.revoked.is_some_and(|(_, because)| because == EndReason::Replayed));
            }
        }
        tally.rotations += u64::try_from(world.line.len()).unwrap() - 1;
        rows = world.rows;
    }
    tally
}

/// Reads a number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}

#[test]
fn long_walks_on_the_real_store_keep_the_promise() {
    let seeds = match number("MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODEL_WALKS").unwrap_or(WALKS),
    };
    let mut total = Tally::default();
    for seed in seeds {
        let tally = walk(seed);
        total.sign_ins += tally.sign_ins;
        total.rotations += tally.rotations;
        total.caught += tally.caught;
    }
    println!("{total:?}");
    assert!(total.rotations > total.sign_ins, "the walks lead nowhere: {total:?}");
}

/// The swap itself, under real concurrency: of two nodes that read the same row, one wins.
#[test]
fn of_two_nodes_one_wins_each_swap() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = two_nodes(&folder);
    let mut rows = OnDisk {
        nodes: nodes.clone(),
        random: Random::from_seed(1),
        id: SessionId::from_bytes([0; 16]),
        secrets: HashMap::new(),
    };
    let mut row = Row::begun(0, &LIFETIMES);
    rows.begin(1, &row);
    for round in 0..50 {
        let session = Session { id: rows.id, ..row.session() };
        let secrets = [Secret(round * 2 + 1), Secret(round * 2 + 2)];
        let start = Barrier::new(2);
        let won = std::thread::scope(|scope| {
            let swaps = [0, 1].map(|node: usize| {
                let (database, start, session, row) = (&nodes[node], &start, session.clone(), &row);
                let swap = as_stored(Replacement {
                    generation: row.generation + 1,
                    active: secrets[node],
                    previous: Some(row.active),
                    at: 0,
                });
                scope.spawn(move || {
                    start.wait();
                    database.write_blocking(move |connection| sessions::swap(connection, &session, &swap)).unwrap()
                })
            });
            swaps.map(|swap| swap.join().unwrap())
        });
        assert_ne!(won[0], won[1], "round {round}: {won:?}");
        secrets.into_iter().for_each(|secret| rows.name(secret));
        let next = rows.find();
        assert!(!stands(&next, &row));
        assert_eq!((next.generation, next.previous), (row.generation + 1, Some(row.active)));
        assert_eq!(next.active, secrets[usize::from(won[1])]);
        row = next;
    }
}
