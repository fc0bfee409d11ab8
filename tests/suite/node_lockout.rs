//! Several processes on one PostgreSQL database count as one, however parallel the guesses.

use std::sync::Barrier;
use std::thread;

use crate::support::client::{Answer, Client};
use crate::support::cluster::Cluster;

/// Processes behind the load balancer.
const NODES: usize = 3;

/// Guesses at once.
const BURST: usize = 50;

/// Sends wrong passwords to all processes at the same moment; one that meets a full queue is sent again.
fn burst(cluster: &Cluster, email: impl Fn(usize) -> String + Sync) -> Vec<Answer> {
    let start = Barrier::new(BURST);
    thread::scope(|scope| {
        let guesses: Vec<_> = (0..BURST)
            .map(|number| {
                let (start, email) = (&start, email(number));
                scope.spawn(move || {
                    let mut client: Client = cluster.client(number % NODES);
                    let token = client.form_token("/login");
                    start.wait();
                    loop {
                        let fields = [("email", &*email), ("password", "a wrong one"), ("form_token", &token)];
                        let answer = client.post("/login", &fields).unwrap();
                        if answer.status != 503 {
                            return answer;
                        }
                    }
                })
            })
            .collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    })
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_burst_over_three_nodes_is_counted_to_the_last_guess() {
    let cluster = Cluster::start(NODES, |launch| launch);
    let mut owner = cluster.client(0);
    owner.register("ada");
    owner.sign_out();
    let mut rows = cluster.prompt();
    let one = burst(&cluster, |_| "ada@example.org".to_owned());
    assert_eq!((count(&one, 401), count(&one, 403)), (5, BURST - 5), "{one:?}");
    assert_eq!(rows.count_events("sign_in_failed"), 5);
    assert_eq!(rows.count_events("account_locked"), 1);
    // Fifty failures are what one address has; five of them are gone.
    let many = burst(&cluster, |number| format!("user{number}@example.org"));
    assert_eq!((count(&many, 401), count(&many, 429)), (BURST - 5, 5), "{many:?}");
    assert_eq!(rows.number("SELECT max(tries) FROM throttle_counters"), 50);
    assert_eq!(rows.count_events("sign_in_failed"), 50);
    // A stranger waits at every node, and the owner's own browser at none.
    for node in 0..NODES {
        assert_eq!(cluster.client(node).sign_in("ada").status, 429, "node {node}");
        owner.address = cluster.node(node).address;
        assert_eq!(owner.sign_in("ada").status, 303, "node {node}");
        owner.sign_out();
    }
}
