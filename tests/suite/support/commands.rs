//! Commands of whoever runs the site, beside a server that runs.

use std::path::Path;

use serde_json::Value;

use super::Rows;
use super::client::Client;
use super::patience::{Stopwatch, until};
use super::server::{Finished, Launch, Server};

/// How long a running server may take to follow.
const FOLLOWS: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, line: &str) -> Finished {
    Launch::in_folder(folder).words(line).finish()
}

/// Runs a command that does what it is asked for, and returns what it said.
pub(crate) fn done(folder: &Path, line: &str) -> String {
    let finished = run(folder, line);
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{line}: {finished:?}");
    finished.stdout
}

/// Runs a command that prints one document, and returns that.
pub(crate) fn json(folder: &Path, line: &str) -> Value {
    let said = done(folder, line);
    assert_eq!(said.lines().count(), 1, "{line}: {said}");
    serde_json::from_str(&said).unwrap()
}

/// Runs a command that fails with one line, and returns that.
pub(crate) fn refused(folder: &Path, line: &str, code: i32) -> String {
    let finished = run(folder, line);
    assert_eq!(finished.code(), Some(code), "{line}: {finished:?}");
    finished.complaint().to_owned()
}

/// Adds an account with a password on standard input.
pub(crate) fn add(folder: &Path, line: &str, password: &str) -> Finished {
    Launch::in_folder(folder).words(&format!("user add {line} --password-stdin")).input(password).finish()
}

/// Starts a server with an administrator, `root@example.org`, and returns the browser they are signed in with.
pub(crate) fn server_with_admin(folder: &Path) -> (Server, Client) {
    let server = Launch::in_folder(folder).start();
    let mut root = Client::of(&server);
    root.register("root");
    (server, root)
}

/// Opens another browser and signs in.
pub(crate) fn signed_in_again(server: &Server, name: &str) -> Client {
    let mut browser = Client::of(server);
    assert_eq!(browser.sign_in(name).status, 303);
    browser
}

/// Waits until a browser is signed out, which a running server has to notice within a second.
pub(crate) fn is_signed_out_soon(browser: &mut Client) {
    let stopwatch = Stopwatch::start();
    until("the end of the sign-in", || (!browser.is_signed_in()).then_some(()));
    assert!(stopwatch.elapsed() < FOLLOWS, "{:?}", stopwatch.elapsed());
}

/// Counts the events of a kind that name the command line.
pub(crate) fn by_command(folder: &Path, kind: &str) -> usize {
    Rows::of(folder).events_of(kind).iter().filter(|event| event.detail("by") == "command line").count()
}
