//! Transactions that lock the rows of several sign-ins lock them in one order, so that none waits for another that waits for it.

use std::thread;

use perennial::domain::clock::{Clock, SystemClock};
use perennial::domain::event::{Event, EventType};
use perennial::domain::session::EndReason;
use perennial::session::EndAll;
use perennial::store::Database;

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::patience::{next_second, until};

/// The sign-ins in the order in which they began, which is that of their ids.
const IN_ORDER: &str = "SELECT id FROM sessions ORDER BY created_at LIMIT 1 OFFSET";

/// An administrator with the sign-ins 0 and 2, and Grace with the sign-in 1.
struct Household {
    cluster: Cluster,
    acting: Client,
}

impl Household {
    fn at_home() -> Self {
        let cluster = Cluster::start(1, |launch| launch);
        for name in ["ada", "grace"] {
            cluster.client(0).register(name);
            next_second();
        }
        let [acting] = cluster.signed_in("ada", cluster.node(0).address);
        Self { cluster, acting }
    }

    /// Asserts that a form does what it says while another transaction, which has run the statement `first`, runs `then` as
    /// soon as the form waits for it.
    fn assert_done_beside(mut self, path: &str, first: &str, then: &str) {
        let path = path.replace("SIGN-IN", &self.cluster.prompt().text(&format!("{IN_ORDER} 0")));
        let token = self.acting.form_token("/devices");
        let rows = self.cluster.prompt();
        let answer =
            beside(rows, &self.cluster, first, then, || self.acting.post(&path, &[("form_token", &token)]).unwrap());
        let location = answer.header("location").unwrap_or_default();
        let done = answer.status == 303 && !location.contains("next=");
        assert!(done, "{path} beside {first}: {answer:?}");
    }
}

/// Does something while another transaction holds what the statement `first` has locked; that runs `then` once something
/// waits.
fn beside<T: Send>(mut rows: Rows, cluster: &Cluster, first: &str, then: &str, act: impl FnOnce() -> T + Send) -> T {
    let mut watcher = cluster.prompt();
    rows.execute(&format!("BEGIN; {first}"));
    thread::scope(|scope| {
        let acted = scope.spawn(act);
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until("an act that waits", || (watcher.number(waiting) > 0).then_some(()));
        rows.execute(&format!("{then}; COMMIT"));
        acted.join().unwrap()
    })
}

/// Writes down a use, as a process does for many sign-ins in the order of their ids.
fn used(number: usize) -> String {
    format!("UPDATE sessions SET last_seen_at = last_seen_at + 1 WHERE id = ({IN_ORDER} {number})")
}

#[test]
#[ignore = "needs PostgreSQL"]
fn an_act_on_other_sign_ins_beside_the_writing_of_their_last_uses_is_done() {
    for (path, earlier) in [
        ("/devices/others/revoke", 0),
        ("/devices/SIGN-IN/revoke", 0),
        ("/logout/everywhere", 0),
        ("/admin/users/2/revoke", 1),
        ("/admin/users/2/deactivate", 1),
    ] {
        Household::at_home().assert_done_beside(path, &used(earlier), &used(2));
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn an_act_of_an_administrator_locks_both_users_before_any_sign_in() {
    let of_grace = "SELECT id FROM users WHERE email = 'grace@example.org' FOR NO KEY UPDATE";
    let sign_ins = "SELECT id FROM sessions ORDER BY id FOR NO KEY UPDATE";
    for path in ["/admin/users/2/revoke", "/admin/users/2/deactivate", "/admin/users/2/reset-link"] {
        Household::at_home().assert_done_beside(path, of_grace, sign_ins);
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn the_end_of_every_sign_in_beside_the_writing_of_their_last_uses_is_done() {
    let home = Household::at_home();
    let url = home.cluster.postgres.url("perennial");
    let (database, _) = Database::open(&url.parse().unwrap()).unwrap();
    let now = SystemClock::start().now();
    let event = move |user| Event::of_command(EventType::SessionRevoked, Some(user), now);
    let ended = beside(home.cluster.prompt(), &home.cluster, &used(1), &used(2), || {
        database.write_blocking(move |rows| EndAll::begin().step(rows, EndReason::RevokedByOperator, event)).unwrap()
    });
    assert_eq!(ended.map(|done| done.ended), Some(3));
}
