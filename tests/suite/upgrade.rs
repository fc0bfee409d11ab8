//! Two versions of the program on one database: expand, then contract.

use actix_web::http::StatusCode;
use perennial::store::{Database, StoreError};
use time::Duration;

use crate::support::server::Launch;
use crate::support::{Browser, Judgement, Rows, TestApp, VersionBefore, on_postgres, url_in};

/// What the release after this one would do at its start: it adds, and says that this one may go on.
const EXPANSION: &str = "\
    ALTER TABLE sessions ADD COLUMN label TEXT;
    ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT 'en';
    CREATE TABLE notes (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    INSERT INTO perennial_migrations (version) VALUES ('20991231000001');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000001', '20261121000003');";

/// What the release after that would do: it takes away what only this release uses, and asks for the expansion.
const CONTRACTION: &str = "\
    INSERT INTO perennial_migrations (version) VALUES ('20991231000002');
    INSERT INTO tolerated_migrations (version, known) VALUES ('20991231000002', '20991231000001');";

/// The migrations that the version before lacks, by their numbers, the newest first, and how to take each back.
const LACKING: [(&str, &str, &str); 9] = [
    (
        "20261121000013",
        include_str!("../../migrations/sqlite/2026-11-21-000013_event_cursors/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000013_event_cursors/down.sql"),
    ),
    (
        "20261121000011",
        include_str!("../../migrations/sqlite/2026-11-21-000011_device_binding/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000011_device_binding/down.sql"),
    ),
    (
        "20261121000009",
        include_str!("../../migrations/sqlite/2026-11-21-000009_shared_computer/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000009_shared_computer/down.sql"),
    ),
    (
        "20261121000008",
        include_str!("../../migrations/sqlite/2026-11-21-000008_kept_forms/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000008_kept_forms/down.sql"),
    ),
    (
        "20261121000007",
        include_str!("../../migrations/sqlite/2026-11-21-000007_addresses/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000007_addresses/down.sql"),
    ),
    (
        "20261121000006",
        include_str!("../../migrations/sqlite/2026-11-21-000006_time_zone/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000006_time_zone/down.sql"),
    ),
    (
        "20261121000005",
        include_str!("../../migrations/sqlite/2026-11-21-000005_throttle/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000005_throttle/down.sql"),
    ),
    (
        "20261121000004",
        include_str!("../../migrations/sqlite/2026-11-21-000004_limits_and_notices/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000004_limits_and_notices/down.sql"),
    ),
    (
        PROTOCOL,
        include_str!("../../migrations/sqlite/2026-11-21-000003_second_protocol/down.sql"),
        include_str!("../../migrations/postgres/2026-11-21-000003_second_protocol/down.sql"),
    ),
];

/// The first of them: with it ends what the version before can do.
const PROTOCOL: &str = "20261121000003";

/// What the version before says to the tables that they change.
const BEFORE: &str = "\
    INSERT INTO users (email, full_name, password_hash, role, is_active, created_at) \
        VALUES ('grace@example.org', 'Grace', 'none', 'user', TRUE, 1);
    UPDATE users SET theft_noticed_at = 2, last_login_at = 3 WHERE full_name = 'Grace'";

/// Makes the database what the version before left.
fn take_back(rows: &mut Rows) {
    noted_in_diesels_table(rows);
    for (version, sqlite, postgres) in LACKING {
        rows.execute(if on_postgres() { postgres } else { sqlite });
        rows.execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
    }
}

/// Leaves the record of the migrations as releases up to 0.1 did: in Diesel's table, which may be there already.
fn noted_in_diesels_table(rows: &mut Rows) {
    rows.execute(
        "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\
         version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
         INSERT INTO __diesel_schema_migrations (version, run_on) SELECT version, run_on FROM perennial_migrations \
         WHERE version NOT IN (SELECT version FROM __diesel_schema_migrations); \
         DROP TABLE perennial_migrations",
    );
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
    for (version, ..) in LACKING {
        let known = format!("SELECT known FROM tolerated_migrations WHERE version = '{version}'");
        assert_eq!(app.rows().text(&known), "20261121000002", "the version before may be started again");
    }
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
    app.rows().execute("UPDATE tolerated_migrations SET known = '20261121000002' WHERE version = '20991231000002'");
    assert_eq!(shut_out_by(&app), None);
}

#[actix_web::test]
async fn a_migration_that_says_nothing_shuts_everybody_out_who_does_not_know_it() {
    let app = TestApp::start().await;
    app.rows().execute(EXPANSION);
    app.rows().execute("DELETE FROM tolerated_migrations");
    assert_eq!(shut_out_by(&app).as_deref(), Some("20991231000001"));
}

/// Makes an account, and the database what the version before would have made of it; nobody is signed in.
async fn of_the_version_before() -> TestApp {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.rows().execute("DELETE FROM sessions; DELETE FROM auth_events");
    take_back(&mut app.rows());
    app
}

/// Draws numbers that are the same each time the test is run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// Somebody's browser that is sent to processes of either version.
struct Visitor {
    browser: Browser,
    /// Answers in a row that brought a new refresh token and got lost.
    lost: u32,
}

impl Visitor {
    fn of(browser: Browser) -> Self {
        Self { browser, lost: 0 }
    }

    /// Tells whether an answer may get lost: eight in a row are a limit of this version.
    fn arrives(&mut self, lost: bool) -> bool {
        self.lost = if lost { self.lost + 1 } else { 0 };
        self.lost < 6
    }

    /// Is answered by this version; returns whether the answer brought a new refresh token.
    async fn visit(&self, arrives: bool) -> bool {
        let before = self.browser.clone();
        let answer = self.browser.get("/dashboard").await;
        assert_eq!(answer.status, StatusCode::OK, "signed out");
        if !arrives {
            self.browser.restore(&before);
        }
        answer.set().contains(&"keep_signed_in".to_owned())
    }

    /// Is answered by the version before; returns whether the answer brought a new refresh token.
    fn visit_before(&self, before: &mut VersionBefore, arrives: bool) -> bool {
        match before.visit(&self.browser, arrives) {
            Judgement::Rotate | Judgement::Reissue => true,
            Judgement::Overlap => false,
            judgement => panic!("signed out: {judgement:?}"),
        }
    }

    /// Opens two tabs at once, one at each version.
    async fn visit_both(&self, before: &mut VersionBefore, older_first: bool) {
        let other_tab = Self::of(self.browser.clone());
        let renewed = if older_first {
            [self.visit_before(before, true), other_tab.visit(true).await]
        } else {
            let renewed = other_tab.visit(true).await;
            [self.visit_before(before, true), renewed]
        };
        assert_ne!(renewed, [true; 2], "each kills what the other brings");
        if renewed[1] {
            self.browser.restore(&other_tab.browser);
        }
    }
}

/// How much time passes between two visits, in seconds.
const PAUSES: [i64; 10] = [0, 1, 5, 29, 31, 60, 119, 121, 400, 1000];

/// Lets browsers go to processes of both versions in turn.
async fn browse(app: &TestApp, before: &mut VersionBefore, visitors: &mut [Visitor], random: &mut Random) {
    for _ in 0..150 {
        app.advance(Duration::seconds(PAUSES[random.below(PAUSES.len())]));
        let visitor = &mut visitors[random.below(6)];
        if random.below(4) > 0 {
            visitor.browser.forget("access_token");
        }
        let arrives = visitor.arrives(random.below(3) == 0);
        match random.below(4) {
            0 | 1 => drop(visitor.visit_before(before, arrives)),
            2 => drop(visitor.visit(arrives).await),
            _ => visitor.visit_both(before, random.below(2) == 0).await,
        }
    }
}

#[actix_web::test]
async fn both_versions_serve_one_database_side_by_side() {
    for seed in 1..=12 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let app = of_the_version_before().await;
        let mut before = VersionBefore::beside(&app);
        let browsers = [(); 6].map(|()| app.browser());
        // Two were there before the upgrade; two sign in to this version beside it, and two to the version before.
        browsers[..2].iter().for_each(|browser| before.sign_in(browser));
        let app = app.restart().await;
        let mut visitors = browsers.map(Visitor::of);
        visitors.iter_mut().for_each(|visitor| visitor.browser.connect(&app));
        for visitor in &visitors[2..4] {
            visitor.browser.sign_in().await;
        }
        visitors[4..].iter().for_each(|visitor| before.sign_in(&visitor.browser));
        assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE length(id) = 22"), 6);

        browse(&app, &mut before, &mut visitors, &mut random).await;
        // Either may end and be started again at any moment, in any order.
        let app = app.restart().await;
        visitors.iter_mut().for_each(|visitor| visitor.browser.connect(&app));
        browse(&app, &mut before, &mut visitors, &mut random).await;
        for visitor in &visitors {
            app.advance(Duration::minutes(16));
            assert!(visitor.browser.is_signed_in().await);
        }
        let mut rows = app.rows();
        assert_eq!(rows.count_events("refresh_token_replayed") + rows.count_events("session_revoked"), 0);
        assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 6);
    }
}

#[actix_web::test]
async fn what_either_version_ends_is_over_for_the_other() {
    let app = of_the_version_before().await;
    let mut before = VersionBefore::beside(&app);
    let (mut first, mut second) = (app.browser(), app.browser());
    before.sign_in(&first);
    before.sign_in(&second);
    let app = app.restart().await;
    first.connect(&app);
    second.connect(&app);
    assert!(first.is_signed_in().await && second.is_signed_in().await);
    before.revoke(&first.session());
    app.catch_up();
    assert!(!first.is_signed_in().await);
    assert!(first.get("/login").await.says("This sign-in was ended from another device"));
    let held = second.clone();
    second.sign_out().await;
    assert_eq!(before.visit(&held, true), Judgement::Ended("signed_out".to_owned()));
}

#[actix_web::test]
async fn once_the_upgrade_is_over_names_are_uuids_and_a_reissue_has_a_generation_of_its_own() {
    let app = of_the_version_before().await.restart().await;
    let (mut early, mut late) = (app.browser(), app.browser());
    early.sign_in().await;
    let reissue = async |app: &TestApp, browser: &Browser| {
        app.advance(Duration::minutes(16));
        let kept = browser.clone();
        browser.get("/dashboard").await;
        browser.restore(&kept);
        app.advance(Duration::minutes(16));
        assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
        app.rows().number(&format!("SELECT generation FROM sessions WHERE id = '{}'", browser.session()))
    };
    assert_eq!((early.session().len(), reissue(&app, &early).await), (22, 1), "as the version before did it");

    let finish = Launch::in_folder(&app.folder()).argument("migrate").argument("--finish");
    let finished = finish.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let said = "The version before is not let in any more.\nThe database is up to date.\n";
    assert_eq!(finished.stdout, said);
    assert_eq!(finish.finish().stdout, "The database is up to date.\n");
    let tolerated = format!("SELECT count(*) FROM tolerated_migrations WHERE version = '{PROTOCOL}'");
    assert_eq!(app.rows().number(&tolerated), 0, "the version before refuses to start");

    let app = app.restart().await;
    early.connect(&app);
    late.connect(&app);
    late.sign_in().await;
    assert_eq!((late.session().len(), reissue(&app, &late).await), (36, 2));
    assert_eq!((early.session().len(), reissue(&app, &early).await), (22, 3), "names stay as they were");
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}
