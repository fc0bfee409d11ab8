//! Everything that is kept about somebody, in a file for themselves.

use actix_web::http::StatusCode;
use serde_json::Value;
use time::Duration;

use crate::support::outbox_row::{SECRET, wait_in_outbox};
use crate::support::reset;
use crate::support::{EMAIL, NAME, PASSWORD, TestApp};

const DATA: &str = "/account/data";

#[actix_web::test]
async fn it_is_a_file_of_everything_and_of_nothing_that_signs_anybody_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.browser().sign_in().await;
    app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", "a wrong password")]).await;
    reset::ask(&app.browser(), EMAIL).await;
    let other = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "quiet brown teapot")];
    app.browser().submit("/register", "/register", &other).await;
    wait_in_outbox(&app, EMAIL);
    let page = browser.get("/account").await;
    assert!(page.says("href=\"/account/data\""));
    let answer = browser.get(DATA).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"account-data.json\"");
    assert_eq!(answer.header("cache-control"), "no-store");
    let data: Value = serde_json::from_slice(&answer.bytes).unwrap();
    let profile = &data["profile"];
    assert_eq!(
        (&profile["email"], &profile["full_name"], &profile["role"]),
        (&EMAIL.into(), &NAME.into(), &"admin".into())
    );
    assert_eq!(profile["created_at"], "2060-03-01T09:00:00Z");
    let count = |name: &str| data[name].as_array().unwrap().len();
    assert_eq!((count("sign_ins"), count("links")), (2, 1));
    let waiting = data["waiting_mail"].as_array().unwrap();
    assert!(waiting.iter().any(|mail| mail["subject"] == "A mail that waits"), "{waiting:?}");
    let own = data["sign_ins"].as_array().unwrap().iter().find(|sign_in| sign_in["id"] == browser.session()).unwrap();
    assert_eq!(own["address"], "192.0.2.1");
    let kinds: Vec<_> =
        data["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["registered", "signed_in", "signed_in", "sign_in_failed", "password_reset_requested"]);
    assert_eq!((&data["counters"]["wrong_passwords"], &data["counters"]["known_devices"]), (&1.into(), &2.into()));
    let text = answer.body();
    let hash = app.rows().text(&format!("SELECT password_hash FROM users WHERE email = '{EMAIL}'"));
    let link = reset::mailed_link(&app);
    for secret in [hash.as_str(), PASSWORD, SECRET, "hash", "grace", &link, &browser.cookie("keep_signed_in")] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[actix_web::test]
async fn it_takes_a_recent_password_of_somebody_who_is_still_here() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(11));
    assert_eq!(browser.get(DATA).await.location(), "/reauthenticate?next=%2Faccount%2Fdata");
    assert_eq!(app.browser().get(DATA).await.location(), "/login?next=%2Faccount%2Fdata");
    browser.submit("/reauthenticate", "/reauthenticate", &[("password", PASSWORD)]).await;
    assert_eq!(browser.get(DATA).await.status, StatusCode::OK);
    // By a hand on SQL: whether this process has heard of it, and names the page to return to, or the transaction finds it.
    app.rows().execute("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked'");
    let refused = browser.get(DATA).await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    let location = refused.location();
    assert!(["/login", "/login?next=%2Faccount%2Fdata"].contains(&location), "{location}");
}
