//! What an operator meets on a bad day: settings that are odd are said to be, and a start that cannot succeed ends.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::cluster::KEY;
use crate::support::patience::{Stopwatch, until};
use crate::support::server::{Launch, empty_folder, files, free_port};
use crate::support::silent_postgres::SilentPostgres;

/// How soon a start must say that the database does not answer.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn odd_settings_are_said_at_the_start_and_by_doctor() {
    let folder = empty_folder();
    let sound = Launch::in_folder(folder.path()).argument("doctor").finish();
    assert!(!sound.stdout.contains("warn"), "{sound:?}");
    let odd = [
        ("REUSE_GRACE", "2h"),
        ("BCRYPT_COST", "16"),
        ("TRUSTED_PROXIES", "127.0.0.1,0.0.0.0/0"),
        ("PUBLIC_URL", "http://sign-in.example.org"),
        ("ACESS_TOKEN_TTL", "5m"),
        ("SITE_NAME", "Ours"),
    ];
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let launch = odd.iter().fold(launch, |launch, (name, value)| launch.set(name, value));
    let finished = launch.start().stop();
    let doctor = launch.clone().argument("doctor").finish();
    assert_eq!((finished.code(), doctor.code()), (Some(0), Some(0)), "{doctor:?}");
    for (name, value) in odd {
        let told: Vec<_> = finished.stderr.lines().filter(|line| line.contains(&format!(" {name}: "))).collect();
        assert!(told.len() == 1 && told[0].contains("WARN"), "{name}: {finished:?}");
        assert!(!told[0].contains("Ours") && !told[0].contains(&format!("{value}/")), "{told:?}");
        assert_eq!(doctor.stdout.matches(&format!("warn  settings: {name}: ")).count(), 1, "{name}: {doctor:?}");
    }
    // What is misspelt may be what is missed.
    let missed =
        Launch::in_folder(folder.path()).set("DATABASE_URL", "postgres://localhost/x").set("JWT_SECRET_KEYS", KEY);
    let doctor = missed.argument("doctor").finish();
    assert_eq!(doctor.code(), Some(2), "{doctor:?}");
    assert!(doctor.stdout.contains("warn  settings: JWT_SECRET_KEYS: ") && !doctor.stdout.contains(KEY), "{doctor:?}");
}

#[test]
fn a_database_in_memory_is_refused_and_leaves_no_file() {
    let folder = empty_folder();
    let refused = Launch::in_folder(folder.path()).set("DATABASE_URL", "sqlite://:memory:").finish();
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(
        refused.complaint().contains("DATABASE_URL: takes the path of a file: a database in memory"),
        "{refused:?}"
    );
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn a_start_on_a_database_that_hangs_is_said_soon_and_nobody_is_let_in_meanwhile() {
    let silent = SilentPostgres::start();
    let folder = empty_folder();
    let port = free_port();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", KEY).on_port(port);
    let launch = launch.set("DATABASE_URL", &format!("postgres://perennial@{}/perennial", silent.address));
    let stopwatch = Stopwatch::start();
    thread::scope(|scope| {
        let start = scope.spawn(|| launch.finish());
        until("the end of the start", || {
            assert!(
                TcpStream::connect(("127.0.0.1", port)).is_err(),
                "the listener opens before the database is there"
            );
            start.is_finished().then_some(())
        });
        let refused = start.join().unwrap();
        assert_eq!(refused.code(), Some(1), "{refused:?}");
        assert!(refused.complaint().contains("it does not answer"), "{refused:?}");
    });
    assert!(stopwatch.elapsed() < SOON, "{:?}", stopwatch.elapsed());
}
