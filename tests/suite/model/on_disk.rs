//! The walks on the real store: one database, which two processes share.

use std::collections::HashMap;
use std::sync::Barrier;

use perennial::domain::client::Client;
use perennial::domain::event::{Event, EventType};
use perennial::domain::id::{SessionId, UserId};
use perennial::domain::rotation::{Circumstances, decide};
use perennial::domain::session::{EndReason, Session};
use perennial::domain::user::{Email, FullName};
use perennial::store::sessions::{self, Which};
use perennial::store::users::{self, Inserted};
use perennial::store::{Database, StoreError};

use super::protocol::{Row, Rows, Seconds, Secret, Token, moment};
use super::random::Random;
use super::walks::{LIFETIMES, SignIns, walk_all};
use crate::support::url_in;

/// The row in a database that two processes share; each call goes to either.
struct OnDisk {
    _folder: Option<tempfile::TempDir>,
    nodes: [Database; 2],
    random: Random,
    id: SessionId,
    /// Restores so far: each goes on under a name of its own.
    restores: u64,
    secrets: HashMap<[u8; 32], Secret>,
}

impl OnDisk {
    fn new(folder: Option<tempfile::TempDir>, nodes: [Database; 2], seed: u64) -> Self {
        let (random, id) = (Random::from_seed(seed), SessionId::from_bytes([0; 16]));
        Self { _folder: folder, nodes, random, id, restores: 0, secrets: HashMap::new() }
    }

    fn node(&mut self) -> &Database {
        let node = self.random.below(2);
        &self.nodes[node]
    }

    fn name(&mut self, secret: Secret) {
        self.secrets.insert(*secret.hash().as_bytes(), secret);
    }

    /// Returns the row as the store knows it.
    fn session(&self, row: &Row) -> Session {
        Session { id: self.id, ..row.session() }
    }

    /// Ends a session of the user that [`two_nodes`] added; returns whether it did.
    fn end(&mut self, which: Which, because: EndReason, now: Seconds) -> bool {
        let client = Client { address: None, user_agent: String::new() };
        let event = Event::new(EventType::SessionRevoked, Some(UserId(1)), &client, moment(now));
        let ended =
            self.node().write_blocking(move |connection| sessions::end(connection, &which, because, &event)).unwrap();
        !ended.is_empty()
    }

    fn insert(&mut self, row: &Row) {
        let session = self.session(row);
        self.node().write_blocking(move |connection| sessions::insert(connection, &session)).unwrap();
    }
}

impl SignIns for OnDisk {
    fn begin(&mut self, number: u64, row: &Row) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        self.id = SessionId::from_bytes(id);
        self.secrets.clear();
        self.name(row.active);
        self.insert(row);
    }
}

impl Rows for OnDisk {
    fn find(&mut self) -> Row {
        let id = self.id;
        let found = self.node().read_blocking(move |connection| sessions::find(connection, id)).unwrap().unwrap();
        Row::of(&found, |hash| self.secrets[hash.as_bytes()])
    }

    fn swap(&mut self, before: &Row, after: &Row) -> bool {
        self.name(after.active);
        let (before, after) = (self.session(before), self.session(after));
        self.node().write_blocking(move |connection| sessions::swap(connection, &before, &after, None)).unwrap()
    }

    fn end_unmoved(&mut self, before: &Row, because: EndReason, now: Seconds) -> bool {
        let which = Which::Unmoved(Box::new(self.session(before)));
        self.end(which, because, now)
    }

    fn revoke(&mut self, because: EndReason, now: Seconds) {
        self.end(Which::These(vec![self.id]), because, now);
    }

    fn touch(&mut self, seen: Seconds) {
        let used = [(self.id, moment(seen))];
        self.node().write_blocking(move |connection| sessions::touch(connection, &used)).unwrap();
    }

    /// The store has no way to put one row back, so the older row goes on under another name.
    fn restore(&mut self, row: &Row) {
        self.restores += 1;
        let mut id = [0xFF; 16];
        id[..8].copy_from_slice(&self.restores.to_le_bytes());
        self.id = SessionId::from_bytes(id);
        self.insert(row);
    }
}

/// Opens two processes' handles on one new database, which has one user.
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

#[test]
fn long_walks_on_the_real_store_keep_the_promise() {
    walk_all(|seed| {
        let folder = tempfile::tempdir().unwrap();
        let nodes = two_nodes(&folder);
        OnDisk::new(Some(folder), nodes, seed)
    });
}

/// The swap itself, under real concurrency: of two processes that read the same row, one wins.
#[test]
fn of_two_nodes_one_wins_each_swap() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = two_nodes(&folder);
    let mut rows = OnDisk::new(None, nodes.clone(), 1);
    let mut before = Row::begun(0, &LIFETIMES);
    rows.begin(1, &before);
    for round in 0..50_i32 {
        let session = rows.session(&before);
        let now = moment(200 * (round + 1));
        let circumstances =
            Circumstances { lifetimes: LIFETIMES, now, steady: true, reissue_in_place: false, binds: true };
        let token = Token { generation: before.generation, secret: before.active };
        let transition = decide(Some(&session), &token.plain(), &circumstances);
        let secrets = [Secret(round.unsigned_abs() * 2 + 1), Secret(round.unsigned_abs() * 2 + 2)];
        let start = Barrier::new(2);
        let won = std::thread::scope(|scope| {
            let swaps = [0, 1].map(|node: usize| {
                let (database, start, session) = (&nodes[node], &start, session.clone());
                let after = transition.row(&session, secrets[node].hash(), now).unwrap();
                scope.spawn(move || {
                    start.wait();
                    database
                        .write_blocking(move |connection| sessions::swap(connection, &session, &after, None))
                        .unwrap()
                })
            });
            swaps.map(|swap| swap.join().unwrap())
        });
        assert_ne!(won[0], won[1], "round {round}: {won:?}");
        secrets.into_iter().for_each(|secret| rows.name(secret));
        let after = rows.find();
        assert!(!after.stands(&before));
        assert_eq!((after.generation, after.previous), (before.generation + 1, Some(before.active)));
        assert_eq!(after.active, secrets[usize::from(won[1])]);
        before = after;
    }
}
