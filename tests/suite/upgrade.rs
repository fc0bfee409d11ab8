//! Two versions of the program on one database: expand, then contract.

use perennial::store::{Database, StoreError};
use time::Duration;

use crate::support::{Rows, TestApp, on_postgres, url_in};

/// What the release after this one would do at its start: it adds, and says that this one may go on.
const EXPANSION: &str = "\
    ALTER TABLE sessions ADD COLUMN label TEXT;
    ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT 'en';
    CREATE TABLE notes (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000001', '20261121000002');";

/// What the release after that would do: it takes away what only this release uses, and asks for the expansion.
const CONTRACTION: &str = "\
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000002');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000002', '20991231000001');";

/// The newest migration, by its number, and how to take it back.
const NEWEST: (&str, &str, &str) = (
    "20261121000002",
    include_str!("../../migrations/sqlite/2026-11-21-000002_theft_told/down.sql"),
    include_str!("../../migrations/postgres/2026-11-21-000002_theft_told/down.sql"),
);

/// What the version before the newest migration says to the tables that it changes.
const BEFORE: &str = "\
    INSERT INTO users (email, full_name, password_hash, role, is_active, created_at) \
        VALUES ('grace@example.org', 'Grace', 'none', 'user', TRUE, 1);
    UPDATE users SET theft_noticed_at = 2, last_login_at = 3 WHERE full_name = 'Grace'";

/// Makes the database what the version before left.
fn take_back(rows: &mut Rows) {
    let (version, sqlite, postgres) = NEWEST;
    rows.execute(if on_postgres() { postgres } else { sqlite });
    rows.execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
}

/// Tells which migration shuts this program out.
fn shut_out_by(app: &TestApp) -> Option<String> {
    match Database::refuse_unusable(&url_in(&app.folder()).parse().unwrap()) {
        Ok(()) => None,
        Err(StoreError::Newer { version }) => Some(version),
        Err(error) => panic!("{error}"),
    }
}

#[actix_web::test]
async fn this_version_goes_on_beside_the_next() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    app.rows().execute(EXPANSION);
    for _ in 0..3 {
        app.advance(Duration::hours(1));
        assert!(browser.is_signed_in().await);
    }
    // It may end and start again at any moment of the upgrade.
    let app = app.restart().await;
    browser.connect(&app);
    let another = app.browser();
    assert!(browser.is_signed_in().await);
    another.sign_in().await;
    browser.submit("/dashboard", "/logout/everywhere", &[]).await;
    assert!(!another.is_signed_in().await);
    let stranger = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "three other words")];
    stranger.submit("/register", "/register", &fields).await;
    assert!(stranger.is_signed_in().await);
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE locale = 'en'"), 2);
}

#[actix_web::test]
async fn the_version_before_goes_on_beside_this_one() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    take_back(&mut app.rows());
    // Nothing of this version's own was there; starting it expands, and the version before goes on with what it does.
    let app = app.restart().await;
    browser.connect(&app);
    app.rows().execute(BEFORE);
    let (newest, ..) = NEWEST;
    let known = format!("SELECT known FROM tolerated_migrations WHERE version = '{newest}'");
    assert_eq!(app.rows().text(&known), "20261121000001", "the version before may be started again");
    assert_eq!(app.rows().number("SELECT theft_noticed_at FROM users WHERE full_name = 'Grace'"), 2);
    app.advance(Duration::hours(1));
    assert!(browser.is_signed_in().await);
    // And back: the version before finds everything that it left.
    take_back(&mut app.rows());
    app.rows().execute("UPDATE users SET theft_noticed_at = NULL; DELETE FROM users WHERE full_name = 'Grace'");
    app.rows().execute(BEFORE);
}

#[actix_web::test]
async fn a_program_of_two_versions_before_is_shut_out() {
    let app = TestApp::start().await;
    assert_eq!(shut_out_by(&app), None);
    app.rows().execute(EXPANSION);
    assert_eq!(shut_out_by(&app), None);
    app.rows().execute(CONTRACTION);
    assert_eq!(shut_out_by(&app).as_deref(), Some("20991231000002"));
    // Whoever knows the expansion may go on without knowing the contraction.
    app.rows().execute("UPDATE tolerated_migrations SET known = '20261121000001' WHERE version = '20991231000002'");
    assert_eq!(shut_out_by(&app), None);
}

#[actix_web::test]
async fn a_migration_that_says_nothing_shuts_everybody_out_who_does_not_know_it() {
    let app = TestApp::start().await;
    app.rows().execute(EXPANSION);
    app.rows().execute("DELETE FROM tolerated_migrations");
    assert_eq!(shut_out_by(&app).as_deref(), Some("20991231000001"));
}
