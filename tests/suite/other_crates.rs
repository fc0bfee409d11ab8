//! Crates outside the workspace, as an application is one: what they have beside Perennial resolves with it and compiles.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, setpriority_process};

use crate::support::server::empty_folder;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An application with nothing but pages.
const ALONE: &str = r#"
use actix_web::{App, middleware::from_fn, web};

fn main() -> Result<(), perennial::StartError> {
    let perennial = perennial::Application::builder().environment("PERENNIAL_").build()?;
    let hello = async |user: perennial::CurrentUser| user.user().full_name.to_string();
    let _ = App::new()
        .route("/", web::get().to(hello))
        .configure(|config| perennial.configure(config))
        .wrap(from_fn(perennial::authenticate));
    Ok(())
}
"#;

/// The same beside migrations by Diesel.
const DIESEL: &str = r#"
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const OWN: EmbeddedMigrations = embed_migrations!("migrations");

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let start = || {
        perennial::Application::builder()
            .settings(|set| set.database_url = Some("sqlite://both.db".to_owned()))
            .build()
    };
    drop(start()?);
    let mut connection = SqliteConnection::establish("both.db")?;
    assert_eq!(connection.run_pending_migrations(OWN)?.len(), 1);
    drop(start()?);
    assert_eq!(connection.run_pending_migrations(OWN)?.len(), 0);
    println!("both have their tables");
    Ok(())
}
"#;

/// Runs cargo in a folder, with what this was built with as the registry, and returns what the program printed.
fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let target = Path::new(ROOT).join("target/other-crates");
    let mut command = Command::new(env!("CARGO"));
    let command = command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Many compilers at once: tests beside it that look at times get the processors first.
    setpriority_process(Some(Pid::from_child(&child)), 19).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn make(folder: &Path, dependencies: &str, main: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let package =
        "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n";
    fs::write(folder.join("Cargo.toml"), format!("{package}{dependencies}")).unwrap();
    fs::write(folder.join("src/main.rs"), main).unwrap();
    // The versions that this was built with, as far as they are the same crates.
    fs::copy(Path::new(ROOT).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}

fn perennial(features: &str) -> String {
    format!("actix-web = \"4\"\nperennial = {{ path = {ROOT:?}, default-features = false, features = [{features}] }}\n")
}

#[test]
#[ignore = "needs the registry of crates"]
fn a_library_without_the_program_compiles_none_of_its_crates() {
    let folder = empty_folder();
    make(folder.path(), &perennial("\"sqlite\""), ALONE);
    let tree = cargo(folder.path(), &["tree", "--edges", "normal", "--prefix", "none"]);
    for name in ["clap", "lettre", "pq-sys", "mimalloc", "tracing-subscriber", "csv", "indicatif"] {
        assert!(!tree.lines().any(|line| line.starts_with(&format!("{name} v"))), "{name} in {tree}");
    }
    assert!(tree.contains("libsqlite3-sys v"));
    cargo(folder.path(), &["check"]);
}

#[test]
#[ignore = "needs the registry of crates"]
fn an_application_has_migrations_by_diesel_in_the_same_file() {
    let folder = empty_folder();
    let diesel = "diesel = { version = \"2.3\", features = [\"sqlite\"] }\ndiesel_migrations = \"2.3\"\n";
    make(folder.path(), &format!("{}{diesel}", perennial("\"sqlite\"")), DIESEL);
    let migration = folder.path().join("migrations/2026-01-01-000000_notes");
    fs::create_dir_all(&migration).unwrap();
    fs::write(migration.join("up.sql"), "CREATE TABLE notes (id BIGINT PRIMARY KEY REFERENCES users (id));").unwrap();
    fs::write(migration.join("down.sql"), "DROP TABLE notes;").unwrap();
    assert_eq!(cargo(folder.path(), &["run", "--quiet"]), "both have their tables\n");
}

#[test]
#[ignore = "needs the registry of crates"]
fn other_ways_to_sqlite_resolve_beside_it_and_the_example_with_sqlx_passes_its_tests() {
    for other in [
        "sqlx = { version = \"0.8\", default-features = false, features = [\"runtime-tokio\", \"sqlite\"] }\n",
        "sea-orm = { version = \"1\", default-features = false, features = [\"runtime-tokio\", \"sqlx-sqlite\"] }\n",
        "rusqlite = \"0.37\"\n",
    ] {
        let folder = empty_folder();
        make(folder.path(), &format!("{}{other}", perennial("\"sqlite\"")), ALONE);
        fs::remove_file(folder.path().join("Cargo.lock")).unwrap();
        let tree = cargo(folder.path(), &["tree", "--edges", "normal", "--prefix", "none"]);
        let versions: std::collections::BTreeSet<_> =
            tree.lines().filter_map(|line| line.strip_prefix("libsqlite3-sys v")?.split(' ').next()).collect();
        assert_eq!(versions.len(), 1, "{other}");
    }
    let example = Path::new(ROOT).join("examples/sqlx");
    let folder = empty_folder();
    for name in ["Cargo.toml", "src/main.rs", "migrations/1_notes.sql"] {
        let copy = folder.path().join(name);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let text = fs::read_to_string(example.join(name)).unwrap();
        fs::write(copy, text.replace("path = \"../..\"", &format!("path = {ROOT:?}"))).unwrap();
    }
    let said = cargo(folder.path(), &["test"]);
    assert!(said.contains("1 passed; 0 failed"), "{said}");
}

#[test]
fn the_package_holds_what_a_user_needs_and_no_more() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let top: std::collections::BTreeSet<_> = listed.lines().filter_map(|path| path.split('/').next()).collect();
    let expected = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
        "docs",
        "examples",
        "migrations",
        "src",
        "static",
        "templates",
    ];
    let unexpected: Vec<_> =
        top.iter().filter(|name| !expected.contains(name) && **name != ".cargo_vcs_info.json").collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    for name in expected {
        assert!(top.contains(name), "{name} is missing");
    }
}
