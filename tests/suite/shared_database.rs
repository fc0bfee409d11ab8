//! One database that another program has its tables in, and the record of the migrations that both would keep in one place.

use std::thread;

use perennial::Arguments;
use perennial::store::{Database, Exclusive, StoreError};

use crate::support::postgres::Postgres;
use crate::support::server::empty_folder;
use crate::support::{Rows, TestApp};

/// What Diesel does for an application that has its migrations in the same database.
const DIESELS: &str = "\
    CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\
    version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// Notes what ran in Diesel's table alone, as releases up to 0.1 did.
fn note_as_before(rows: &mut Rows) {
    rows.execute(DIESELS);
    rows.execute(
        "INSERT INTO __diesel_schema_migrations SELECT version, run_on FROM perennial_migrations; \
         DROP TABLE perennial_migrations",
    );
}

/// Returns the versions in a record, in order.
fn versions(rows: &mut Rows, table: &str) -> Vec<String> {
    let count = rows.count(table);
    let version = |n| format!("SELECT version FROM {table} ORDER BY version LIMIT 1 OFFSET {n}");
    (0..count).map(|n| rows.text(&version(n))).collect()
}

#[actix_web::test]
async fn an_applications_own_diesel_migrations_are_none_of_a_newer_version() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    assert_eq!(app.rows().count("perennial_migrations"), migrations());
    app.rows().execute(DIESELS);
    app.rows().execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20300101120000')");
    let app = app.restart().await;
    browser.connect(&app);
    assert!(browser.is_signed_in().await);
    assert_eq!(versions(&mut app.rows(), "__diesel_schema_migrations"), ["20300101120000"], "theirs alone");
    app.rows().execute("INSERT INTO perennial_migrations (version) VALUES ('20991231000001')");
    let refused = Database::refuse_unusable(&app.database_url().parse().unwrap());
    assert!(matches!(refused, Err(StoreError::Newer { version }) if version == "20991231000001"));
}

/// Counts the migrations of this version.
fn migrations() -> i64 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count().try_into().unwrap()
}

#[actix_web::test]
async fn an_application_may_have_had_its_migrations_there_first() {
    let folder = empty_folder();
    let url = format!("sqlite://{}", folder.path().join("perennial.db").display());
    let mut rows = Rows::at(&url);
    rows.execute(DIESELS);
    // Of the second in which Perennial's first was made, too.
    rows.execute(
        "CREATE TABLE notes (id BIGINT PRIMARY KEY); \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20261121000001'), ('20300101120000')",
    );
    let (_database, report) = Database::open(&url.parse().unwrap()).unwrap();
    assert_eq!(i64::try_from(report.applied.len()).unwrap(), migrations());
    assert_eq!(versions(&mut rows, "perennial_migrations"), report.applied);
}

#[actix_web::test]
async fn what_releases_up_to_0_1_noted_is_carried_over_and_stays_for_them() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let before = versions(&mut app.rows(), "perennial_migrations");
    note_as_before(&mut app.rows());
    // An application's, which such a release took for a newer version's.
    app.rows().execute(
        "UPDATE __diesel_schema_migrations SET run_on = '2026-11-20 10:00:00' WHERE version = '20261121000003'; \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20300101120000')",
    );
    let app = app.restart().await;
    browser.connect(&app);
    assert!(browser.is_signed_in().await);
    assert_eq!(versions(&mut app.rows(), "perennial_migrations"), before);
    let when = "SELECT CAST(run_on AS CHAR(19)) FROM perennial_migrations WHERE version = '20261121000003'";
    assert_eq!(app.rows().text(when), "2026-11-20 10:00:00", "an upgrade goes on where it was");
    assert_eq!(versions(&mut app.rows(), "__diesel_schema_migrations").len(), before.len() + 1);
    // And once more, as after such a release was put back for good and taken away again.
    app.rows().execute("DROP TABLE perennial_migrations");
    let app = app.restart().await;
    assert_eq!(versions(&mut app.rows(), "perennial_migrations"), before);
}

#[actix_web::test]
async fn what_runs_from_then_on_is_noted_where_such_a_release_looks_too() {
    let app = TestApp::start().await;
    let all = versions(&mut app.rows(), "perennial_migrations");
    note_as_before(&mut app.rows());
    app.rows().execute(
        "DROP TABLE throttle_counters; DELETE FROM tolerated_migrations WHERE version = '20261121000005'; \
         DELETE FROM __diesel_schema_migrations WHERE version = '20261121000005'",
    );
    let app = app.restart().await;
    assert_eq!(versions(&mut app.rows(), "perennial_migrations"), all);
    assert_eq!(versions(&mut app.rows(), "__diesel_schema_migrations"), all, "or it would run it once more");
}

#[actix_web::test]
async fn several_processes_carry_over_at_once() {
    let app = TestApp::start().await;
    let before = versions(&mut app.rows(), "perennial_migrations");
    note_as_before(&mut app.rows());
    let url = app.database_url();
    let openings = [(); 6].map(|()| {
        let url = url.clone();
        thread::spawn(move || Database::open(&url.parse().unwrap()).map(|(_, report)| report.applied))
    });
    for opening in openings {
        assert_eq!(opening.join().unwrap().unwrap(), [""; 0]);
    }
    assert_eq!(versions(&mut app.rows(), "perennial_migrations"), before);
}

#[actix_web::test]
async fn a_table_of_another_program_is_named_and_left_alone() {
    let folder = empty_folder();
    let url = format!("sqlite://{}", folder.path().join("perennial.db").display());
    let mut rows = Rows::at(&url);
    rows.execute("CREATE TABLE users (id BIGINT PRIMARY KEY); CREATE TABLE sessions (id BIGINT PRIMARY KEY)");
    for _ in 0..2 {
        let refused = Database::open(&url.parse().unwrap()).unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("(sessions, users)") && words.contains("DATABASE_SCHEMA"), "{words}");
    }
    assert_eq!(rows.count("users"), 0);
}

#[actix_web::test]
async fn two_builders_in_one_process_share_a_database() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let mut browser = app.signed_in().await;
    browser.connect(&other);
    assert!(browser.is_signed_in().await);
    browser.sign_out().await;
    app.catch_up();
    browser.connect(&app);
    assert!(!browser.is_signed_in().await);
}

#[test]
fn a_schema_that_cannot_be_is_refused_before_anything_is_opened() {
    for (url, schema, words) in [
        ("postgres://localhost/x", "Perennial", "takes a name"),
        ("postgres://localhost/x", "pg_mine", "takes a name"),
        ("postgres://localhost/x", "a; DROP TABLE users", "takes a name"),
        ("postgres://localhost/x?options=-cwork_mem%3D4MB", "perennial", "options"),
        ("sqlite://a.db", "perennial", "SQLite file has none"),
    ] {
        let arguments = Arguments {
            database_url: Some(url.to_owned()),
            database_schema: Some(schema.to_owned()),
            jwt_secret_key: Some("k".repeat(32)),
            ..Arguments::default()
        };
        let refused = arguments.settings().unwrap_err();
        assert!(refused.name == "DATABASE_SCHEMA" && refused.problem.contains(words), "{refused}");
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_schema_of_its_own_keeps_out_of_the_way_of_everybody() {
    let server = Postgres::start();
    let url = server.database("shared");
    let mut rows = server.prompt("shared");
    rows.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, nickname TEXT)");
    let open = |schema: &str| {
        let arguments = Arguments {
            database_url: Some(url.clone()),
            database_schema: Some(schema.to_owned()),
            jwt_secret_key: Some("k".repeat(32)),
            ..Arguments::default()
        };
        Database::open(&arguments.settings().unwrap().database).unwrap()
    };
    assert!(Database::open(&url.parse().unwrap()).unwrap_err().to_string().contains("(users)"));
    let (first, report) = open("perennial");
    assert_eq!(i64::try_from(report.applied.len()).unwrap(), migrations());
    assert!(open("perennial").1.applied.is_empty());
    let (second, _) = open("perennial_of_others");
    // Each does what is done once for all processes on one database.
    let locks = [&first, &second].map(|database| database.try_exclusive(Exclusive::Background).unwrap());
    assert!(locks.iter().all(Option::is_some), "{locks:?}");
    assert!(first.try_exclusive(Exclusive::Background).unwrap().is_none());
    // The application refers to its users, and a person changes one, with other tables in mind.
    rows.execute(
        "INSERT INTO perennial.users (email, full_name, password_hash, role, is_active, created_at) \
         VALUES ('Ada@Example.org', 'Ada', 'none', 'user', TRUE, 1); \
         CREATE TABLE notes (id BIGINT PRIMARY KEY, user_id BIGINT REFERENCES perennial.users (id)); \
         INSERT INTO notes VALUES (1, 1); \
         UPDATE perennial.users SET full_name = 'Ada Lovelace'",
    );
    assert_eq!(rows.count("perennial.changes"), 1);
    assert_eq!(rows.count("perennial_of_others.changes"), 0);
    assert_eq!(rows.count("public.users"), 0);
}
