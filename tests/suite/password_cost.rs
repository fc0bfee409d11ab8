//! The work of a refused password tells nobody which accounts exist, whatever their stored hashes cost.

use actix_web::http::StatusCode;
use perennial::Arguments;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

/// The work of a hash of the current cost in these tests.
const CURRENT: u64 = 1 << 6;

/// Raises the cost to that of [`CURRENT`].
fn raised(arguments: &mut Arguments) {
    arguments.bcrypt_cost = Some("6".to_owned());
}

async fn try_to_sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    app.browser().submit("/login", "/login", &[("email", email), ("password", password)]).await
}

/// Returns the work of a refused try.
async fn refused(app: &TestApp, email: &str, password: &str) -> u64 {
    // Whatever is locked by the tries before.
    app.advance(Duration::HOUR);
    let before = app.password_work();
    let answer = try_to_sign_in(app, email, password).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{email}");
    app.password_work() - before
}

/// Gives the only account another hash, as an import does.
fn store(app: &TestApp, hash: &str) {
    app.rows().execute(&format!("UPDATE users SET password_hash = '{hash}'"));
}

fn stored(app: &TestApp) -> String {
    app.rows().text("SELECT password_hash FROM users")
}

async fn signs_in(app: &TestApp, password: &str) -> Option<Browser> {
    let browser = app.browser();
    let answer = browser.submit("/login", "/login", &[("email", EMAIL), ("password", password)]).await;
    (answer.status == StatusCode::SEE_OTHER).then_some(browser)
}

#[actix_web::test]
async fn every_refusal_is_the_same_work() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let app = app.restart_with(raised).await;
    let old = stored(&app);
    assert!(old.contains(":$2b$04$"), "{old}");
    assert_eq!(refused(&app, "nobody@example.org", "wrong").await, CURRENT, "an unknown address");
    assert_eq!(refused(&app, "no address", "wrong").await, CURRENT, "no address at all");
    assert_eq!(refused(&app, EMAIL, "wrong").await, CURRENT, "a hash of the cost before");
    let imported = [4, 5, 6].map(|cost| bcrypt::hash(PASSWORD, cost).unwrap());
    for hash in &imported {
        store(&app, hash);
        assert_eq!(refused(&app, EMAIL, "wrong").await, CURRENT, "{hash}");
    }
    app.rows().execute("UPDATE users SET is_active = FALSE");
    for hash in imported.iter().chain([&old]) {
        store(&app, hash);
        assert_eq!(refused(&app, EMAIL, PASSWORD).await, CURRENT, "not active, {hash}");
        assert_eq!(refused(&app, EMAIL, "wrong").await, CURRENT, "not active, {hash}");
        assert_eq!(stored(&app), *hash, "no hash is made for an account that may not sign in");
    }
}

#[actix_web::test]
async fn an_imported_hash_is_replaced_by_the_password_and_not_by_what_bcrypt_takes_for_it() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let long = "x".repeat(72);
    for (original, typed) in [
        (format!("{long}original"), format!("{long}typo")),
        (format!("{long}original"), long),
        ("pass".to_owned(), "pass\0pass".to_owned()),
    ] {
        let hash = bcrypt::hash(&original, 4).unwrap();
        store(&app, &hash);
        assert!(signs_in(&app, &typed).await.is_some(), "as where the hash comes from");
        assert_eq!(stored(&app), hash, "{typed:?}");
        assert!(signs_in(&app, &original).await.is_some(), "the owner's password is still the right one");
    }
    store(&app, &bcrypt::hash("pass", 4).unwrap());
    assert!(signs_in(&app, "pass").await.is_some());
    assert!(stored(&app).starts_with("hmac-sha384:"), "{}", stored(&app));
    assert!(signs_in(&app, "pass\0pass").await.is_none());
    assert!(signs_in(&app, "pass").await.is_some());
}
