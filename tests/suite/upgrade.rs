//! Two versions of the program on one database: expand, then contract.

use perennial::store::{Database, StoreError};
use time::Duration;

use crate::support::{TestApp, url_in};

/// What the release after this one would do at its start: it adds, and says that this one may go on.
const EXPANSION: &str = "\
    ALTER TABLE sessions ADD COLUMN label TEXT;
    ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT 'en';
    CREATE TABLE notes (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000001', '20261121000001');";

/// What the release after that would do: it takes away what only this release uses, and asks for the expansion.
const CONTRACTION: &str = "\
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000002');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000002', '20991231000001');";

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
