//! How long a sign-in lasts, and what it leaves in the browser.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, SetCookie, TestApp};

const DAY: i64 = 86_400;

/// The attributes of every cookie over plain HTTP.
const PLAIN: [&str; 3] = ["HttpOnly", "Path=/", "SameSite=Lax"];

fn cookie(answer: &Answer, name: &str) -> SetCookie {
    let found: Vec<_> = answer.cookies().into_iter().filter(|cookie| cookie.name == name).collect();
    assert_eq!(found.len(), 1, "{name} among {:?}", answer.cookies());
    found[0].clone()
}

#[actix_web::test]
async fn a_kept_sign_in_outlives_the_browser_session_by_its_cookies_lives() {
    let app = TestApp::start().await;
    let answer = app.browser().register().await;
    let (access, refresh) = (cookie(&answer, "access_token"), cookie(&answer, "keep_signed_in"));
    assert_eq!((access.max_age, refresh.max_age), (Some(900), Some(30 * DAY)));
    assert_eq!(
        (access.attributes, refresh.attributes),
        (PLAIN.map(String::from).to_vec(), PLAIN.map(String::from).to_vec())
    );
}
#[actix_web::test]
async fn a_browser_that_was_closed_is_still_signed_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.close();
    app.advance(Duration::hours(1));
    let answer = browser.get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.set(), ["access_token", "keep_signed_in"]);
}
