//! What an operator meets on a bad day: `doctor` names what is wrong and what to do about it, settings that are odd are said
//! to be, and a start that cannot succeed ends.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::Rows;
use crate::support::cluster::KEY;
use crate::support::patience::{Stopwatch, until};
use crate::support::server::{Launch, empty_folder, files, free_port};
use crate::support::silent_postgres::SilentPostgres;
use crate::support::small_disk::SmallDisk;

/// How soon a start must say that the database does not answer.
const SOON: Duration = Duration::from_secs(10);

/// Runs `doctor`, and asserts that it finds the database to be mended and says so in these words.
fn assert_to_be_mended(launch: &Launch, words: &[&str]) {
    let found = launch.clone().argument("doctor").finish();
    assert_eq!(found.code(), Some(1), "{found:?}");
    let line = found.stdout.lines().find(|line| line.starts_with("mend  "));
    let line = line.unwrap_or_else(|| panic!("{found:?}"));
    assert!(words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    assert_eq!(found.stderr, "perennial: one thing is to be mended\n", "{found:?}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn doctor_names_what_cannot_be_written_and_what_to_do() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("DATABASE_URL", "sqlite://data/perennial.db").bound_by_modes();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let file = data.join("perennial.db");
    assert_to_be_mended(
        &launch.clone().set("DATABASE_URL", "sqlite://nowhere/a.db"),
        &["no folder nowhere", "make it"],
    );
    // Before there is a database, and once there is one.
    for _ in 0..2 {
        set_mode(&data, 0o500);
        assert_to_be_mended(&launch, &["-wal and -shm file in data", "chown the folder", "chmod u+rwx"]);
        set_mode(&data, 0o700);
        assert_eq!(launch.start().stop().code(), Some(0));
    }
    set_mode(&file, 0o400);
    assert_to_be_mended(&launch, &["data/perennial.db cannot be written", "chown it", "chmod 600"]);
    set_mode(&file, 0o600);

    launch.start().kill();
    let log = data.join("perennial.db-wal");
    set_mode(&log, 0o400);
    assert_to_be_mended(&launch, &["data/perennial.db-wal cannot be written"]);
    set_mode(&log, 0o600);
    assert_eq!(launch.clone().argument("doctor").finish().code(), Some(0));
    assert_eq!(files(&data), ["perennial.db", "perennial.db-shm", "perennial.db-wal"]);
}

#[test]
fn doctor_names_a_table_or_a_column_that_is_gone() {
    let broken = |statement: &str, words: &[&str]| {
        let folder = empty_folder();
        let launch = Launch::in_folder(folder.path());
        assert_eq!(launch.start().stop().code(), Some(0));
        let mut rows = Rows::of(folder.path());
        rows.execute(statement);
        drop(rows);
        assert_to_be_mended(&launch, words);
    };
    broken("DROP TABLE sign_in_forms", &["no such table: sign_in_forms", "restore a backup"]);
    broken("ALTER TABLE users RENAME COLUMN theft_told_at TO gone", &["no such column", "theft_told_at"]);
    broken("DROP TABLE perennial_migrations", &["no record of the migrations"]);
}

#[test]
fn doctor_names_a_hook_that_fails() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    assert_eq!(launch.start().stop().code(), Some(0));
    let said = || launch.clone().argument("doctor").finish().stdout;
    assert!(!said().contains("hooks"), "only applications have hooks");
    let mut rows = Rows::of(folder.path());
    let columns = "name, position, missing, lease, leased_until, failures, retry_at, used_at";
    for (name, failures) in [("search", 0), ("welcome", 5)] {
        rows.execute(&format!(
            "INSERT INTO event_cursors ({columns}) VALUES ('{name}', 0, '', 0, 0, {failures}, 0, 0)"
        ));
    }
    assert!(said().contains("ok    hooks: there are 2, and none fails"), "a few failures are tried again soon");
    rows.execute("UPDATE event_cursors SET failures = failures + 1");
    assert_to_be_mended(&launch, &["hooks: welcome failed 6 times in a row", "log of the application"]);
}

#[test]
fn doctor_does_not_advise_to_change_the_mode_of_a_folder_in_the_place_of_the_key() {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("perennial.key")).unwrap();
    let found = Launch::in_folder(folder.path()).argument("doctor").finish();
    assert_eq!(found.code(), Some(1), "{found:?}");
    let said = "mend  keys: perennial.key is a folder: move it away";
    assert!(found.stdout.contains(said) && !found.stdout.contains("chmod"), "{found:?}");
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn doctor_names_a_full_disk_and_a_file_system_that_is_mounted_for_reading() {
    let disk = SmallDisk::mount(8);
    let url = format!("sqlite://{}", disk.path().join("perennial.db").display());
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("DATABASE_URL", &url);
    assert_eq!(launch.start().stop().code(), Some(0));
    disk.fill();
    assert_to_be_mended(&launch, &["the disk of", "is full", "make room"]);
    disk.free();
    assert_eq!(launch.clone().argument("doctor").finish().code(), Some(0));
    disk.make_read_only();
    assert_to_be_mended(&launch, &["cannot be written", "mounted read-only", "mount it for writing"]);
}

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
    ];
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let launch = odd.iter().fold(launch, |launch, (name, value)| launch.set(name, value));
    let finished = launch.start().stop();
    let doctor = launch.clone().argument("doctor").finish();
    assert_eq!((finished.code(), doctor.code()), (Some(0), Some(0)), "{doctor:?}");
    for (name, value) in odd {
        let told: Vec<_> = finished.stderr.lines().filter(|line| line.contains(&format!(" {name}: "))).collect();
        assert!(told.len() == 1 && told[0].contains("WARN"), "{name}: {finished:?}");
        assert!(!told[0].contains(&format!("{value}/")), "{told:?}");
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
    let stopwatch = Stopwatch::start();
    assert_to_be_mended(&launch, &["it does not answer"]);
    assert!(stopwatch.elapsed() < SOON, "{:?}", stopwatch.elapsed());
}
