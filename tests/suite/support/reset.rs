//! The way of somebody who forgot a password: the page, the mail, the link, the form.

use actix_web::http::StatusCode;

use super::app::TestApp;
use super::{Answer, Browser};

/// The page that sends a link.
pub const ASK: &str = "/password-reset";

/// The page of the form for a new password.
pub const NEW: &str = "/password-reset/new";

/// What the page of a link that does not work says.
pub const DEAD: &str = "doesn't work any more";

/// A password that meets the policy, and no account has yet.
pub const NEW_PASSWORD: &str = "copper violin at dawn";

/// Asks for a link.
pub async fn ask(browser: &Browser, email: &str) -> Answer {
    let answer = browser.submit(ASK, ASK, &[("email", email)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/password-reset/check-mail"));
    answer
}

/// Returns the path of the link in the last mail that has one.
pub fn mailed_link(app: &TestApp) -> String {
    let mails = app.mail();
    let text = mails.iter().rev().map(|mail| &mail.text).find(|text| text.contains("/password-reset/")).unwrap();
    let url = text.lines().find(|line| line.contains("/password-reset/")).unwrap();
    url.strip_prefix(app.origin()).unwrap_or_else(|| panic!("a link to another origin: {url}")).to_owned()
}

/// Has a link sent, and returns its path.
pub async fn fresh_link(app: &TestApp, email: &str) -> String {
    ask(&app.browser(), email).await;
    mailed_link(app)
}

/// Opens a link, which leads to the form.
pub async fn open(browser: &Browser, link: &str) -> Answer {
    let answer = browser.get(link).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, NEW));
    browser.get(NEW).await
}

/// Sends the form for a new password.
pub async fn set_password(browser: &Browser, password: &str) -> Answer {
    browser.submit(NEW, NEW, &[("password", password)]).await
}

/// Tells whether a password opens an account.
pub async fn opens(app: &TestApp, email: &str, password: &str) -> bool {
    let fields = [("email", email), ("password", password)];
    app.browser().submit("/login", "/login", &fields).await.status == StatusCode::SEE_OTHER
}
