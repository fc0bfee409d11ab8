//! `--config FILE` and `.env`: settings from files, as the program reads them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::client::Client;
use crate::support::server::{Finished, Launch, empty_folder, files};

/// Runs the program in a folder with nothing in its environment.
fn run(folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
    command.args(arguments).env_clear().current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn the_server_takes_its_settings_from_the_file_it_is_given() {
    let folder = empty_folder();
    let folder = folder.path();
    fs::write(folder.join("site.toml"), "# The site\nDATABASE_URL = \"sqlite://site.db\"\nREGISTRATION = \"closed\"\n")
        .unwrap();
    fs::write(folder.join(".env"), "DATABASE_URL=sqlite://env.db\nMAIL_DIR=letters\n").unwrap();
    let server = Launch::in_folder(folder).argument("--config").argument("site.toml").start();
    assert!(server.banner.contains("registration is closed"), "{}", server.banner);
    assert!(Client::of(&server).get("/register").unwrap().status != 200);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(files(folder), [".env", "perennial.key", "site.db", "site.toml"]);
    let server = Launch::in_folder(folder).argument("--config=site.toml").set("REGISTRATION", "open").start();
    assert!(server.banner.contains("Create the first account"), "{}", server.banner);
    assert_eq!(server.stop().code(), Some(0));
    let server = Launch::in_folder(folder).start();
    assert_eq!(server.stop().code(), Some(0));
    assert!(folder.join("env.db").exists(), ".env is read where nothing else is said");
    let server = Launch::in_folder(folder)
        .set("DATABASE_URL", "sqlite://variable.db")
        .argument("--database-url=sqlite://flag.db")
        .start();
    assert_eq!(server.stop().code(), Some(0));
    assert!(folder.join("flag.db").exists() && !folder.join("variable.db").exists(), "a flag comes before a variable");
}

#[test]
fn what_a_file_may_not_hold_ends_the_start_with_its_line() {
    let folder = empty_folder();
    let folder = folder.path();
    let file = folder.join("site.toml");
    for (text, line, words) in [
        ("IDLE_TTL = \"1d\"\nIDLE_TLT = \"hunter2\"\n", "site.toml, line 2: ", "did you mean IDLE_TTL?"),
        ("JWT_SECRET_KEY = \"hunter2\"\n", "site.toml, line 1: JWT_SECRET_KEY: takes", ""),
        ("\n\nBIND = \"hunter2\"\n", "site.toml, line 3: BIND: takes", ""),
        ("hunter2", "site.toml, line 1: ", "is no TOML"),
    ] {
        fs::write(&file, text).unwrap();
        let finished = run(folder, &["--config", "site.toml"]);
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        let said = finished.complaint();
        assert!(said.contains(line) && said.contains(words) && !said.contains("hunter2"), "{said}");
        let doctor = run(folder, &["doctor", "--config", "site.toml"]);
        assert_eq!(doctor.code(), Some(2), "{doctor:?}");
    }
    fs::write(folder.join(".env"), "IDLE_TTL=1d\nAPP_SECRET=hunter2\n").unwrap();
    let finished = run(folder, &[]);
    assert_eq!(finished.code(), Some(2), "{finished:?}");
    assert!(finished.complaint().contains(".env, line 2: \"APP_SECRET\" is no setting"), "{finished:?}");
    for missing in ["nowhere.toml", "."] {
        let finished = run(folder, &["--config", missing]);
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        assert!(finished.complaint().contains(&format!("cannot read {missing}")), "{finished:?}");
    }
    assert_eq!(files(folder), [".env", "site.toml"], "a start that was refused leaves nothing behind");
    // What takes no settings reads no file.
    assert_eq!(run(folder, &["secret"]).code(), Some(0));
    fs::remove_file(folder.join(".env")).unwrap();
    fs::create_dir(folder.join(".env")).unwrap();
    assert_eq!(run(folder, &["migrate"]).code(), Some(0), "a folder of this name is somebody's Python environment");
}

#[test]
fn a_secret_in_a_file_that_others_can_read_is_told() {
    let folder = empty_folder();
    let file = folder.path().join(".env");
    fs::write(&file, format!("JWT_SECRET_KEY={}\n", "k".repeat(40))).unwrap();
    for (mode, told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let doctor = run(folder.path(), &["doctor"]);
        assert_eq!(doctor.stdout.contains("warn  settings: .env: holds JWT_SECRET_KEY"), told, "{doctor:?}");
        assert!(!doctor.stdout.contains("kkkk"), "{doctor:?}");
    }
}
