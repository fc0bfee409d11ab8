//! What happened to an account, as its owner reads it: a timeline, and the answer to "am I safe?" on the dashboard.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Browser, EMAIL, TestApp};

const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

/// Signs a second device in: a telephone at another address.
async fn telephone(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.user_agent = SAFARI.to_owned();
    browser.address = "198.51.100.7:5000".parse().unwrap();
    browser.sign_in().await;
    browser
}

/// Counts the entries of a timeline.
fn entries(page: &str) -> usize {
    page.matches("class=\"event\"").count()
}

/// Tries wrong passwords until the account is locked.
async fn lock(app: &TestApp) {
    let stranger = app.browser();
    for _ in 0..6 {
        stranger.submit("/login", "/login", &[("email", EMAIL), ("password", "not at all the one")]).await;
    }
}

#[actix_web::test]
async fn activity_tells_in_plain_words_newest_first_and_in_pages() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    for _ in 0..30 {
        app.advance(Duration::minutes(1));
        telephone(&app).await.sign_out().await;
    }
    let first = desk.get("/activity").await;
    assert_eq!(first.body().matches("class=\"event\"").count(), 25);
    assert!(first.body().find("You signed out").unwrap() < first.body().find("You signed in").unwrap());
    assert!(first.says("Safari on iPhone, 198.51.100.7") && !first.says("rel=\"prev\""));
    let next = |page: &str, rel: &str| {
        let link = page.split('<').find(|tag| tag.starts_with("a ") && tag.contains(&format!("rel=\"{rel}\"")));
        link.map(|tag| tag.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&"))
    };
    let (mut page, mut pages) = (first.body(), 1);
    while let Some(older) = next(&page, "next") {
        page = desk.get(&older).await.body();
        pages += 1;
    }
    assert_eq!(pages, 3, "30 sign-ins and sign-outs, one sign-in and one registration");
    assert!(page.contains("You made this account"));
    let newer = desk.get(&next(&page, "prev").unwrap()).await.body();
    assert_eq!(newer.matches("class=\"event\"").count(), 25);
    assert!(next(&newer, "prev").is_some() && next(&newer, "next").is_some());
}

#[actix_web::test]
async fn days_have_headings_and_a_run_of_kept_sign_ins_is_one_entry() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    // The test begins at nine in the morning.
    for _ in 0..4 {
        app.advance(Duration::hours(1));
        desk.get("/dashboard").await;
    }
    let page = desk.get("/activity").await.body();
    assert!(page.contains(">Today</h2>") && page.contains("You were kept signed in 4 times"), "{page}");
    let (_, run) = page.split_once("<ul class=\"run\">").unwrap();
    assert_eq!(run.split("</ul>").next().unwrap().matches("<li>").count(), 4);
    assert_eq!(entries(&page), 3, "the run, the sign-in and the registration: {page}");
    app.advance(Duration::days(1));
    let page = desk.get("/activity").await.body();
    assert!(page.contains(">Yesterday</h2>"), "{page}");
    app.advance(Duration::days(1));
    desk.get("/activity").await;
    assert!(desk.get("/activity").await.says(">Monday, 1 March</h2>"));
}

#[actix_web::test]
async fn links_show_some_kinds_of_events_alone_and_keep_them_on_the_next_page() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    for _ in 0..15 {
        app.advance(Duration::minutes(1));
        telephone(&app).await.sign_out().await;
    }
    lock(&app).await;
    let warnings = desk.get("/activity?show=warnings").await.body();
    assert!(warnings.contains("A sign-in failed: wrong password") && warnings.contains("The account was locked"));
    assert!(!warnings.contains("You signed in") && !warnings.contains("You made this account"));
    assert!(warnings.contains("href=\"/activity?show=warnings\" aria-current=\"true\""));
    let changes = desk.get("/activity?show=changes").await.body();
    assert!(changes.contains("You made this account") && entries(&changes) == 1, "{changes}");
    let sign_ins = desk.get("/activity?show=sign-ins").await.body();
    assert_eq!(entries(&sign_ins), 25);
    assert!(sign_ins.contains("href=\"/activity?show=sign-ins&#38;before="), "{sign_ins}");
    assert_eq!(desk.get("/activity?show=nonsense&before=x").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_rare_kind_is_looked_for_in_a_bounded_part_of_a_long_trail() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    app.rows().execute(
        "INSERT INTO auth_events (user_id, event_type, details, created_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500) \
         SELECT users.id, 'auto_signed_in', '{}', users.created_at + n FROM users, numbers",
    );
    let page = desk.get("/activity?show=changes").await.body();
    assert_eq!(entries(&page), 0, "the registration lies behind two thousand others: {page}");
    let older = page.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    assert!(desk.get(&older).await.says("You made this account"), "{older}");
}

#[actix_web::test]
async fn the_dashboard_says_that_all_is_quiet_and_what_happened_last() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    let page = desk.get("/dashboard").await;
    assert!(page.says("All quiet.") && page.says("One device, since 1 March."), "{}", page.body());
    app.advance(Duration::hours(48));
    assert!(desk.is_signed_in().await);
    telephone(&app).await;
    let page = desk.get("/dashboard").await;
    assert!(page.says("Two devices, the last new one on 3 March."), "{}", page.body());
    assert_eq!(entries(&page.body()), 3);
    assert!(page.says("Safari on iPhone, 198.51.100.7"));
}

#[actix_web::test]
async fn a_lock_of_the_account_needs_its_owner_until_the_password_is_another() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    lock(&app).await;
    let page = desk.get("/dashboard").await;
    assert!(page.says("Somebody tried many passwords.") && page.says("href=\"/account\">Change your password"));
    assert!(page.says("safety--warning") && !page.says("All quiet."));
    app.advance(Duration::days(8));
    desk.get("/dashboard").await;
    assert!(desk.get("/dashboard").await.says("All quiet."), "a week later it is history");
}

#[actix_web::test]
async fn what_another_process_writes_is_on_the_dashboard_a_second_later() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    desk.get("/dashboard").await;
    app.rows().execute("UPDATE auth_events SET event_type = 'account_locked' WHERE event_type = 'signed_in'");
    assert!(desk.get("/dashboard").await.says("All quiet."), "within the second nothing is read again");
    app.advance(Duration::seconds(1));
    assert!(desk.get("/dashboard").await.says("Somebody tried many passwords."));
}
