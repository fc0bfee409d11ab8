//! The same suite on PostgreSQL, on a server of its own.

use std::process::Command;

use perennial::store::Database;

use crate::support::POSTGRES;
use crate::support::postgres::Postgres;

/// The subjects that say nothing of where the data are; what they leave out is about a file, or about no data at all.
const SUBJECTS: [&str; 24] = [
    "access_coverage::",
    "attacks_cookies::",
    "attacks_forms::",
    "attacks_input::",
    "attacks_next::",
    "attacks_tokens::",
    "audit::",
    "devices::",
    "fields::",
    "json::",
    "keep::",
    "keys::",
    "kill::",
    "model::walks::",
    "outages::",
    "pages::",
    "promise_http::",
    "retention::",
    "revocation::",
    "rotation::",
    "rough_requests::",
    "slow_answers::",
    "theft::",
    "upgrade::",
];

/// Runs the suite's own program again, with every database on the server.
#[test]
#[ignore = "needs PostgreSQL"]
fn the_suite_passes_on_postgresql() {
    let server = Postgres::start();
    let template = server.database("template");
    drop(Database::open(&template.parse().unwrap()).unwrap());
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(SUBJECTS).env(POSTGRES, &template).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for subject in SUBJECTS {
        assert!(said.contains(&format!("test {subject}")), "nothing of {subject} was run");
    }
}
