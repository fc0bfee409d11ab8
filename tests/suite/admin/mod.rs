//! The administration: what an administrator sees of everybody, and does to accounts.

mod acts;
mod charts;
mod events;
mod lists;
mod users;

use actix_web::http::StatusCode;

use crate::support::{Answer, Browser, TestApp};

/// The password of everybody but the administrator.
const OTHER_PASSWORD: &str = "quiet brown teapot";

/// Makes another account, and returns the browser that is signed in to it.
async fn register(app: &TestApp, name: &str, email: &str) -> Browser {
    let browser = app.browser();
    let fields = [("full_name", name), ("email", email), ("password", OTHER_PASSWORD), ("keep_signed_in", "on")];
    let answer = browser.submit("/register", "/register", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{}", answer.body());
    browser
}

/// An administrator, and Grace, whose account has the number 2.
async fn two(app: &TestApp) -> (Browser, Browser) {
    (app.signed_in().await, register(app, "Grace Hopper", "grace@example.org").await)
}

/// Sends a form of the page of an account.
async fn act(admin: &Browser, user: i64, act: &str, fields: &[(&str, &str)]) -> Answer {
    // Any form of a page carries the token of the sign-in.
    let token = admin.token("/devices", "/logout").await;
    let fields = [fields, &[("form_token", token.as_str())]].concat();
    admin.post(&format!("/admin/users/{user}/{act}"), &fields).await
}

/// Asserts that an act leads back to the account, whose page says `words` once.
async fn assert_done(admin: &Browser, user: i64, answer: &Answer, words: &str) {
    let page = format!("/admin/users/{user}");
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, page.as_str()), "{}", answer.body());
    let shown = admin.get(&page).await;
    assert!(shown.says(words), "{words}: {}", shown.body());
    assert!(!admin.get(&page).await.says(words), "once");
}

/// Asserts that an act is refused, on a page that says why.
fn assert_refused(answer: &Answer, words: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body());
    assert!(answer.says("There is a problem") && answer.says(words), "{words}: {}", answer.body());
}
