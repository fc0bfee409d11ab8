//! `perennial secret rotate`: a new signing key, and nobody is signed out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::client::Client;
use crate::support::commands::{by_command, done, json, refused};
use crate::support::server::{Launch, empty_folder, files};
use crate::support::{Rows, on_postgres};

#[test]
fn a_new_key_signs_from_the_next_start_on_and_nobody_is_signed_out() {
    let folder = empty_folder();
    let folder = folder.path();
    assert!(refused(folder, "secret rotate", 1).contains("there is no perennial.key yet"));
    assert_eq!(files(folder), [""; 0]);
    let launch = Launch::in_folder(folder);
    let server = launch.start();
    let mut ada = Client::of(&server);
    ada.register("ada");
    let key_file = folder.join("perennial.key");
    let old = fs::read_to_string(&key_file).unwrap();
    let said = done(folder, "secret rotate");
    let new = said.split_whitespace().nth(3).unwrap();
    assert!(said.contains(&format!("Restart perennial, and {new} signs")), "{said}");
    let content = fs::read_to_string(&key_file).unwrap();
    assert!(content.ends_with(&old) && content.lines().count() == 2, "the old key goes on verifying");
    assert!(content.lines().all(|secret| !said.contains(secret)), "no secret is printed");
    assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(ada.is_signed_in());
    assert_eq!(server.stop().code(), Some(0));
    let server = launch.start();
    ada.address = server.address;
    assert!(ada.is_signed_in());
    assert_eq!(json(folder, "node list --json")[0]["signing_key"], new);
    assert_eq!(by_command(folder, "signing_key_added"), 1);
    // With the new key, as by then every sign-in is that lives.
    let mut ada = Client::of(&server);
    assert_eq!(ada.sign_in("ada").status, 303);
    // Not a day before the last sign-in that the old key may have signed has ended.
    let moved = |seconds: i64| {
        Rows::of(folder).execute(&format!("UPDATE signing_key SET moved_at = moved_at - {seconds}"));
    };
    moved(14 * 86_400);
    let said = done(folder, "secret rotate");
    assert!(!said.contains("Taken away"), "{said}");
    moved(86_400);
    let said = done(folder, "secret rotate");
    assert!(said.contains("Taken away") && !said.contains(&format!("Taken away: {new}")), "{said}");
    let content = fs::read_to_string(&key_file).unwrap();
    assert!(content.lines().count() == 2 && !content.contains(old.trim_end()), "the key that signs stays");
    assert_eq!(server.stop().code(), Some(0));
    let server = launch.start();
    ada.address = server.address;
    assert!(ada.is_signed_in());
}

#[test]
fn keys_in_the_environment_are_changed_by_hand() {
    let folder = empty_folder();
    if on_postgres() {
        return;
    }
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(40));
    let finished = launch.words("secret rotate").finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    let line = finished.complaint();
    assert!(line.contains("JWT_SECRET_KEY") && line.contains("perennial node list"), "{line}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn several_processes_are_restarted_one_after_the_other() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    let servers = [launch.start(), launch.start()];
    let said = done(folder.path(), "secret rotate");
    assert!(said.contains("2 processes run on this database: restart one after the other"), "{said}");
    drop(servers);
}
