//! The real program under a clock that is set while it runs: nobody loses a sign-in, and nothing is deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{ACCESS, Client, REFRESH};
use crate::support::patience::let_pass;
use crate::support::server::{Launch, empty_folder};

/// The window, with the grace that [`under_a_clock`] sets, and some time for a busy machine.
const WINDOW: Duration = Duration::from_millis(4500);

/// The wall clock of a program that is told what it says; the time that passes is the machine's own.
struct FakeClock(PathBuf);

impl FakeClock {
    fn in_folder(folder: &Path) -> Self {
        let clock = Self(folder.join("clock"));
        clock.set("+0");
        clock
    }

    /// Sets it so far from the machine's: `-20d`, `+1y`.
    fn set(&self, offset: &str) {
        // In the place of the other at once: the program reads it at any moment.
        let next = self.0.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    /// Starts what follows under this clock; fails with one line where there is nothing to do that with.
    fn over(&self, launch: Launch) -> Launch {
        launch
            .set("LD_PRELOAD", library().to_str().unwrap())
            .set("FAKETIME_TIMESTAMP_FILE", self.0.to_str().unwrap())
            .set("FAKETIME_NO_CACHE", "1")
            .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .set("NO_FAKE_STAT", "1")
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).filter(|file| file.exists());
    found.next().expect("this test needs faketime: install the package faketime")
}

/// Prepares a program in a folder under a clock of its own.
fn under_a_clock(folder: &Path) -> (FakeClock, Launch) {
    let clock = FakeClock::in_folder(folder);
    let launch = clock.over(Launch::in_folder(folder).set("REUSE_GRACE", "1s"));
    (clock, launch)
}

/// Asserts that nobody was signed out, and nobody taken for a thief.
fn assert_no_end(rows: &mut Rows) {
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
}

#[test]
#[ignore = "needs faketime"]
fn visits_under_a_wrong_clock_cost_nobody_a_sign_in() {
    let folder = empty_folder();
    let (clock, launch) = under_a_clock(folder.path());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    let mut rows = Rows::of(folder.path());
    for (offset, opens) in [("-20d", true), ("-200d", true), ("+15d", false), ("+1y", false)] {
        clock.set(offset);
        for pause in [Duration::ZERO, WINDOW] {
            let_pass(pause);
            let held = client.jar.clone();
            assert_eq!(client.is_signed_in(), opens, "{offset}");
            assert!(opens || client.jar == held, "{offset}: no cookie is touched");
        }
        clock.set("+0");
        for pause in [Duration::ZERO, WINDOW] {
            let_pass(pause);
            client.jar.remove(ACCESS);
            assert!(client.is_signed_in(), "{offset}, and right again");
        }
        assert_no_end(&mut rows);
    }
    rows.age_rotations();
    let before = client.jar.get(REFRESH).map(str::to_owned);
    client.jar.remove(ACCESS);
    assert!(client.is_signed_in());
    assert_ne!(client.jar.get(REFRESH), before.as_deref(), "it renews as ever");
}

#[test]
#[ignore = "needs faketime"]
fn a_clean_up_under_a_clock_that_is_ahead_deletes_nothing() {
    let folder = empty_folder();
    let (clock, launch) = under_a_clock(folder.path());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    clock.set("+1y");
    let wrong = [("email", "ada@example.org"), ("password", "a wrong one"), ("keep_signed_in", "on")];
    assert_eq!(Client::of(&server).submit("/login", "/login", &wrong).status, 401);
    for _ in 0..2 {
        let cleanup = launch.clone().argument("cleanup").finish();
        assert_eq!(cleanup.code(), Some(0), "{cleanup:?}");
        assert!(cleanup.stdout.starts_with("Deleted 0 sign-ins that are over, 0 "), "{cleanup:?}");
    }
    clock.set("+0");
    let mut rows = Rows::of(folder.path());
    assert_eq!(rows.count("sessions"), 1);
    assert_eq!(rows.count("auth_events"), 3, "registered, signed in, and refused");
    assert!(client.is_signed_in());
}

#[test]
#[ignore = "needs faketime"]
fn what_is_ended_under_a_clock_that_is_ahead_stays_ended() {
    let folder = empty_folder();
    let (clock, launch) = under_a_clock(folder.path());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    assert!(client.is_signed_in());
    clock.set("+40d");
    let mut another = Client::of(&server);
    assert_eq!(another.sign_in("ada").status, 303);
    assert_eq!(another.submit("/dashboard", "/logout/everywhere", &[]).status, 303);
    clock.set("+0");
    for _ in 0..2 {
        assert!(!client.is_signed_in());
        assert!(client.get("/login").unwrap().body.contains("You have signed out everywhere"));
        let_pass(WINDOW);
    }
    drop(another);
}
