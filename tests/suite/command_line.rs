//! The command line: help, settings, and the commands that do not serve; exit codes and lines as scripts see them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::server::{Finished, Launch, empty_folder, files};

const SECRET: &str = "the-secret-that-nobody-may-ever-see-printed";

fn run(folder: &Path, command: &str) -> Finished {
    Launch::in_folder(folder).argument(command).finish()
}

/// Makes a database and a key, and returns the bytes of the database.
fn make_database(folder: &Path) -> Vec<u8> {
    assert_eq!(Launch::in_folder(folder).start().stop().code(), Some(0));
    read_database(folder)
}

fn read_database(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("perennial.db")).unwrap()
}

#[test]
fn help_shows_every_setting_with_its_default_and_no_secret() {
    let folder = empty_folder();
    let finished = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", SECRET).argument("--help").finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert_eq!(finished.stderr, "");
    assert!(!finished.stdout.contains(SECRET));
    let help = finished.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, default) in [
        ("BIND", "[default: 127.0.0.1:8080]"),
        ("PUBLIC_URL", "[default: http://localhost:<port>]"),
        ("DATABASE_URL", "[default: sqlite://perennial.db]"),
        ("DATABASE_DIRECT_URL", "[default: none]"),
        ("DATABASE_SCHEMA", "[default: none, the first of the user's search_path]"),
        ("JWT_SECRET_KEY", "[default: made once, kept in perennial.key]"),
        ("ACCESS_TOKEN_TTL", "[default: 15m]"),
        ("TOKEN_EXPIRY_HOURS", ""),
        ("REFRESH_TOKEN_TTL", "[default: 30d]"),
        ("REFRESH_TOKEN_EXPIRY_DAYS", ""),
        ("IDLE_TTL", "[default: 14d]"),
        ("SESSION_TTL", "[default: 24h]"),
        ("REUSE_GRACE", "[default: 30s]"),
        ("PASSWORD_MIN_LENGTH", "[default: 15]"),
        ("BCRYPT_COST", "[default: 12]"),
        ("REGISTRATION", "[default: open]"),
        ("TRUSTED_PROXIES", "[default: none]"),
        ("CLIENT_ADDRESS_HEADER", "[default: x-forwarded-for]"),
        ("STATIC_DIR", "[default: none]"),
        ("EVENT_RETENTION", "[default: 180d]"),
        ("BACKUP_EVERY", "[default: none]"),
        ("BACKUP_KEEP", "[default: 28]"),
        ("BACKUP_DIR", "[default: backups]"),
        ("LOG_FORMAT", "[default: text]"),
        ("DEBUG_AUTH", "[default: false]"),
        ("LOG_REQUESTS", "[default: false]"),
    ] {
        let flag = format!("--{} ", name.to_lowercase().replace('_', "-"));
        let (_, after) = help.split_once(&flag).unwrap_or_else(|| panic!("{flag} is not in {help}"));
        let about = after.split(" --").next().unwrap();
        assert!(about.contains(&format!("[env: {name}]")), "{name}: {about}");
        assert!(about.contains(default), "{name}: {about}");
    }
    for command in ["serve", "migrate", "secret", "node", "doctor"] {
        assert!(help.contains(&format!(" {command} ")), "{command}");
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn the_version_is_the_packages() {
    let folder = empty_folder();
    let finished = run(folder.path(), "--version");
    assert_eq!(
        (finished.code(), finished.stdout.trim_end()),
        (Some(0), concat!("perennial ", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn a_bad_setting_ends_the_start_with_one_line_that_names_it() {
    let folder = empty_folder();
    for (name, value) in [
        ("BIND", "everywhere"),
        ("PUBLIC_URL", "example.org"),
        ("DATABASE_URL", "mysql://elsewhere"),
        ("DATABASE_URL", "postgres://ada:hunter2@localhost:abc/db"),
        ("DATABASE_URL", "postgres://ada:hunter2@localhost/db?sslmode=bogus"),
        ("DATABASE_URL", "postgres://ada:hunter2@localhost/db?hunter2=bar"),
        ("DATABASE_DIRECT_URL", "postgres://localhost/db"),
        ("DATABASE_DIRECT_URL", "sqlite://a.db"),
        ("DATABASE_SCHEMA", "perennial"),
        ("JWT_SECRET_KEY", "hunter2-hunter2"),
        ("JWT_SECRET_KEY", ""),
        ("ACCESS_TOKEN_TTL", "soon"),
        ("ACCESS_TOKEN_TTL", "0s"),
        ("TOKEN_EXPIRY_HOURS", "-1"),
        ("REFRESH_TOKEN_TTL", "30"),
        ("REFRESH_TOKEN_EXPIRY_DAYS", "x"),
        ("IDLE_TTL", "two weeks"),
        ("SESSION_TTL", ""),
        ("REUSE_GRACE", "-1s"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("BCRYPT_COST", "32"),
        ("REGISTRATION", "perhaps"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("STATIC_DIR", "nowhere"),
        ("EVENT_RETENTION", "ever"),
        ("BACKUP_EVERY", "daily"),
        ("BACKUP_KEEP", "0"),
        ("BACKUP_DIR", ""),
        ("LOG_FORMAT", "xml"),
        ("DEBUG_AUTH", "maybe"),
        ("LOG_REQUESTS", "perhaps"),
    ] {
        let finished = Launch::in_folder(folder.path()).set(name, value).finish();
        assert_eq!(finished.code(), Some(2), "{name}: {finished:?}");
        let line = finished.complaint();
        assert!(line.starts_with(&format!("perennial: {name}: takes ")), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
        let flag = format!("--{}={value}", name.to_lowercase().replace('_', "-"));
        let finished = Launch::in_folder(folder.path()).argument(&flag).finish();
        assert_eq!(finished.code(), Some(2), "{flag}: {finished:?}");
        assert_eq!(finished.complaint(), line);
    }
    let cheap = Launch::in_folder(folder.path()).set("PUBLIC_URL", "https://example.org").finish();
    assert_eq!(cheap.code(), Some(2), "{cheap:?}");
    assert!(cheap.complaint().starts_with("perennial: BCRYPT_COST: takes "), "{cheap:?}");
    assert_eq!(files(folder.path()), [""; 0], "a start that was refused leaves nothing behind");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let folder = empty_folder();
    for wrong in ["--no-such-flag", "no-such-command"] {
        let finished = run(folder.path(), wrong);
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        assert!(finished.stderr.contains(wrong) && finished.stdout.is_empty(), "{finished:?}");
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn a_busy_port_is_said_in_one_line_and_nothing_is_made() {
    let folder = empty_folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let finished = Launch::in_folder(folder.path()).on_port(port).finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    let line = finished.complaint();
    assert!(line.contains(&format!("127.0.0.1:{port}")) && line.contains("BIND"), "{line}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = empty_folder();
    make_database(folder.path());
    Rows::of(folder.path()).execute("INSERT INTO perennial_migrations (version) VALUES ('20991231000001')");
    let before = read_database(folder.path());
    for command in ["serve", "migrate"] {
        let finished = run(folder.path(), command);
        assert_eq!(finished.code(), Some(1), "{command}: {finished:?}");
        let line = finished.complaint();
        assert!(line.contains("newer version") && line.contains("20991231000001"), "{line}");
    }
    let finished = run(folder.path(), "doctor");
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.stdout.contains("mend  database: "), "{finished:?}");
    assert!(read_database(folder.path()) == before, "the file was touched");
    assert_eq!(files(folder.path()), ["perennial.db", "perennial.key"]);
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let folder = empty_folder();
    let content = "these are somebody's notes, and no database at all\n".repeat(100);
    fs::write(folder.path().join("perennial.db"), &content).unwrap();
    for command in ["serve", "migrate"] {
        let finished = run(folder.path(), command);
        assert_eq!(finished.code(), Some(1), "{command}: {finished:?}");
        assert!(finished.complaint().contains("perennial.db"), "{finished:?}");
        assert!(read_database(folder.path()) == content.as_bytes(), "the file was touched");
    }
    assert_eq!(files(folder.path()), ["perennial.db"]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = empty_folder();
    let finished = Launch::in_folder(folder.path()).set("DATABASE_URL", "sqlite://no/such/folder.db").finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.complaint().contains("no/such/folder.db"), "{finished:?}");
}

#[test]
fn a_key_file_without_a_key_is_named_and_left_alone() {
    let folder = empty_folder();
    let path = folder.path().join("perennial.key");
    for content in [&b""[..], b"\n", b"short\n", b"\xff\xfe\xfd"] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let finished = run(folder.path(), "serve");
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.lines().last().unwrap().contains("perennial.key"), "{finished:?}");
        assert!(!finished.stderr.contains("short"), "{finished:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
        let doctor = run(folder.path(), "doctor");
        assert_eq!(doctor.code(), Some(1), "{doctor:?}");
        assert!(doctor.stdout.contains("mend  keys: "), "{doctor:?}");
    }
    // Root may read everything, so what cannot be read at all is a folder.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let finished = run(folder.path(), "serve");
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("cannot read the key file perennial.key"), "{finished:?}");
}

#[test]
fn migrate_says_what_it_did_and_the_second_time_that_it_did_nothing() {
    let folder = empty_folder();
    let first = run(folder.path(), "migrate");
    assert_eq!((first.code(), first.stderr.as_str()), (Some(0), ""), "{first:?}");
    assert!(first.stdout.starts_with("Applied "), "{first:?}");
    let before = read_database(folder.path());
    let second = run(folder.path(), "migrate");
    assert_eq!((second.code(), second.stdout.trim_end()), (Some(0), "The database is up to date."), "{second:?}");
    assert!(read_database(folder.path()) == before, "the file was touched");
}

#[test]
fn a_secret_is_long_and_never_the_same_twice() {
    let folder = empty_folder();
    let secrets: Vec<String> = (0..2).map(|_| run(folder.path(), "secret").stdout).collect();
    for secret in &secrets {
        assert!(secret.trim_end().len() >= 32 && secret.lines().count() == 1, "{secret}");
    }
    assert_ne!(secrets[0], secrets[1]);
    assert_eq!(files(folder.path()), [""; 0]);
    let server = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", secrets[0].trim_end()).start();
    Client::of(&server).register("ada");
    drop(server);
    assert!(!files(folder.path()).contains(&"perennial.key".to_owned()), "a given key needs no file");
}

#[test]
fn doctor_finds_what_is_to_be_mended_and_changes_nothing() {
    let folder = empty_folder();
    let empty = run(folder.path(), "doctor");
    assert_eq!((empty.code(), empty.stderr.as_str()), (Some(0), ""), "{empty:?}");
    assert!(empty.stdout.lines().all(|line| line.starts_with("ok    ")), "{empty:?}");
    assert_eq!(files(folder.path()), [""; 0]);

    let before = make_database(folder.path());
    let sound = run(folder.path(), "doctor");
    assert_eq!((sound.code(), sound.stderr.as_str()), (Some(0), ""), "{sound:?}");
    for subject in ["settings", "keys", "database", "nodes", "devices", "mail", "clock"] {
        assert!(sound.stdout.contains(&format!("ok    {subject}: ")), "{sound:?}");
    }
    let key = fs::read_to_string(folder.path().join("perennial.key")).unwrap();
    assert!(!sound.stdout.contains(key.trim_end()), "{sound:?}");
    assert!(read_database(folder.path()) == before, "the file was touched");
    assert_eq!(files(folder.path()), ["perennial.db", "perennial.key"]);

    let bad = Launch::in_folder(folder.path()).set("IDLE_TTL", "x").argument("doctor").finish();
    assert_eq!(bad.code(), Some(2), "{bad:?}");
    assert!(bad.stdout.contains("mend  settings: IDLE_TTL: takes "), "{bad:?}");

    let path = folder.path().join("perennial.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = run(folder.path(), "doctor");
    assert_eq!(exposed.code(), Some(1), "{exposed:?}");
    assert!(exposed.stdout.contains("mend  keys: ") && exposed.stdout.contains("chmod 600"), "{exposed:?}");
    assert_eq!(exposed.stderr, "perennial: one thing is to be mended\n");
    let refused = run(folder.path(), "serve");
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let complaint = refused.complaint();
    assert!(complaint.contains("mode 644") && complaint.contains("run chmod 600 perennial.key"), "{complaint}");
    assert_eq!(fs::read_to_string(&path).unwrap(), key, "the file was touched");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn doctor_leaves_what_a_killed_server_left() {
    let folder = empty_folder();
    Launch::in_folder(folder.path()).start().kill();
    let wal = || fs::read(folder.path().join("perennial.db-wal")).unwrap();
    let before = (read_database(folder.path()), wal());
    assert!(!before.1.is_empty(), "nothing is left to be moved");
    let sound = run(folder.path(), "doctor");
    assert_eq!(sound.code(), Some(0), "{sound:?}");
    assert!((read_database(folder.path()), wal()) == before, "the files were touched");
}

#[test]
fn doctor_sees_a_damaged_database() {
    let folder = empty_folder();
    let sound = make_database(folder.path());
    let page = 4096;
    // The head of a page in the middle, then the head of the file.
    for place in [page * 3, 0] {
        let mut damaged = sound.clone();
        damaged[place..place + 64].fill(0xa5);
        fs::write(folder.path().join("perennial.db"), &damaged).unwrap();
        let finished = run(folder.path(), "doctor");
        assert_eq!(finished.code(), Some(1), "{place}: {finished:?}");
        assert!(finished.stdout.contains("mend  database: "), "{place}: {finished:?}");
        assert!(read_database(folder.path()) == damaged, "the file was touched");
    }
}
