//! Wrong passwords, one after the other.

use actix_web::http::StatusCode;
use time::Duration;

use super::app::TestApp;
use super::{Answer, Browser};
use super::{NAME, PASSWORD};

/// What a locked account is told.
pub const LOCKED: &str = "Account temporarily locked. Please try again later.";

/// A browser that nobody has signed in with, at an address of its own, so that none reaches the limit of an address.
pub fn stranger(app: &TestApp, number: u8) -> Browser {
    let mut browser = app.browser();
    browser.address = ([198, 51, 100, number], 40000).into();
    browser
}

pub async fn try_to_sign_in(browser: &Browser, email: &str, password: &str) -> Answer {
    browser.submit("/login", "/login", &[("email", email), ("password", password)]).await
}

/// Enters a wrong password so often, each time from another address, and waits out each lock.
pub async fn fail(app: &TestApp, email: &str, times: usize) {
    for number in 0..times {
        let browser = stranger(app, u8::try_from(number % 250).unwrap());
        let mut answer = try_to_sign_in(&browser, email, "a wrong one").await;
        if answer.status == StatusCode::FORBIDDEN {
            app.advance(Duration::seconds(retry_after(&answer)));
            answer = try_to_sign_in(&browser, email, "a wrong one").await;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "try {number}");
    }
}

/// Returns after how many seconds an answer says to come back.
pub fn retry_after(answer: &Answer) -> i64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("{}", answer.body()))
}

/// Asserts that a try is refused because the account is locked; returns for how many seconds.
pub async fn is_locked(app: &TestApp, email: &str, password: &str) -> i64 {
    let answer = try_to_sign_in(&stranger(app, 251), email, password).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{email}");
    assert!(answer.says(LOCKED) && answer.says("When to try again"), "{}", answer.body());
    retry_after(&answer)
}

/// Has an account that was made on another device, and is signed out there.
pub async fn with_account() -> TestApp {
    let app = TestApp::start().await;
    app.signed_in().await.sign_out().await;
    app
}

/// Makes another account, at an address that no other test of this file uses.
pub async fn register(app: &TestApp, email: &str) -> Browser {
    let browser = stranger(app, 252);
    let fields = [("full_name", NAME), ("email", email), ("password", PASSWORD)];
    assert_eq!(browser.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    browser
}
