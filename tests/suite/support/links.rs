//! Mailed links, as their readers find and open them.

use actix_web::http::StatusCode;
use perennial::Email;

use super::app::TestApp;
use super::{Answer, Browser};

/// A mail server that no test talks to: mail goes into the memory of the application.
pub const SMTP: &str = "smtp://mail.example.org";

/// The page behind a link that confirms an address.
pub const CONFIRM: &str = "/verify-email";

/// The page behind a link that undoes a change of address.
pub const UNDO: &str = "/email-undo";

/// The page behind a link that ends a sign-in.
pub const END: &str = "/devices/end";

/// Returns the path of the first link in a mail that leads below `page`.
pub fn link_in(app: &TestApp, mail: &Email, page: &str) -> String {
    let beginning = format!("{}{page}/", app.origin());
    let line = mail.text.lines().find(|line| line.starts_with(&beginning));
    let url = line.unwrap_or_else(|| panic!("no link to {page}: {}", mail.text));
    assert!(mail.html.contains(&format!("<a href=\"{url}\">{url}</a>")), "both forms hold the same: {}", mail.html);
    url.strip_prefix(app.origin()).unwrap().to_owned()
}

/// Returns the path of the link below `page` in the last mail to somebody.
pub fn last_link(app: &TestApp, to: &str, page: &str) -> String {
    let mails = app.mail();
    let to_them: Vec<_> = mails.iter().filter(|mail| mail.to.as_str() == to).collect();
    let mail = to_them.last().unwrap_or_else(|| panic!("no mail to {to}"));
    link_in(app, mail, page)
}

/// Opens a link, which leads to its page.
pub async fn open(browser: &Browser, link: &str) -> Answer {
    let (page, _) = link.rsplit_once('/').unwrap();
    let answer = browser.get(link).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, page));
    assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
    browser.get(page).await
}

/// Presses the button of the page behind a link; the page must be there.
pub async fn press(browser: &Browser, page: &str) -> Answer {
    browser.submit(page, page, &[]).await
}

/// Asserts that an answer says that a link does not work, and tells of nobody.
pub fn assert_dead(answer: &Answer, other_way: &str) {
    assert_eq!(answer.status, StatusCode::GONE, "{}", answer.body());
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    for words in ["This link doesn't work any more".replace('\'', "&#39;"), format!("href=\"{other_way}\"")] {
        let plain = words.replace("&#39;", "'");
        assert!(answer.says(&words) || answer.says(&plain), "{words}: {}", answer.body());
    }
    assert!(!answer.says("@") && !answer.says("<form class"), "{}", answer.body());
}
