//! After an act, a banner on the next page says once what happened.

use actix_web::http::{Method, StatusCode};
use time::Duration;

use crate::support::{Answer, Browser, TestApp};

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// What stands where a banner is.
const BANNER: &str = "<p class=\"notice\" role=\"status\">";

/// Returns the banner of a page.
fn banner(page: &Answer) -> Option<String> {
    let body = page.body();
    let text = body.split_once(BANNER)?.1.split("</p>").next()?;
    Some(text.to_owned())
}

/// Signs so many other browsers in.
async fn others(app: &TestApp, count: usize) -> Vec<Browser> {
    let mut browsers: Vec<_> = (0..count).map(|_| app.browser()).collect();
    for browser in &mut browsers {
        browser.user_agent = CHROME.to_owned();
        browser.sign_in().await;
    }
    browsers
}

async fn end(desk: &Browser, path: &str) -> Answer {
    let token = desk.token("/devices", "/logout").await;
    let answer = desk.post(path, &[("form_token", &token)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
    answer
}

#[actix_web::test]
async fn ending_a_sign_in_is_confirmed_once_by_its_name() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    let other = &others(&app, 1).await[0];
    let path = format!("/devices/{}/revoke", other.session());
    let answer = end(&desk, &path).await;
    assert_eq!(answer.set(), ["form"]);
    let page = desk.get("/devices").await;
    assert_eq!(banner(&page).as_deref(), Some("Chrome on Linux is signed out."));
    assert_eq!((page.cleared(), page.set()), (vec!["form".to_owned()], vec![]));
    assert!(!desk.holds("form"), "nothing is left of it");
    for path in ["/devices", "/dashboard"] {
        let page = desk.get(path).await;
        assert_eq!((banner(&page), page.cookies()), (None, vec![]), "{path}");
    }
    end(&desk, &path).await;
    assert_eq!(
        banner(&desk.get("/devices").await).as_deref(),
        Some("Chrome on Linux is signed out."),
        "a second click"
    );
}

#[actix_web::test]
async fn only_a_page_that_shows_it_takes_it_away() {
    let app = TestApp::start().await;
    let mut desk = app.signed_in().await;
    let other = &others(&app, 1).await[0];
    end(&desk, &format!("/devices/{}/revoke", other.session())).await;
    for path in ["/", "/healthz", "/dashboard/", "/.well-known/change-password"] {
        assert_eq!(desk.get(path).await.cookies(), [], "{path}");
    }
    assert_eq!(desk.ask(Method::HEAD, "/devices").await.cookies(), []);
    // Any page, of any process, and also one whose answer brings new tokens.
    let elsewhere = app.another_process().await;
    desk.connect(&elsewhere);
    elsewhere.advance(Duration::minutes(16));
    let page = desk.get("/token-details").await;
    assert_eq!(banner(&page).as_deref(), Some("Chrome on Linux is signed out."));
    assert_eq!(
        (page.cleared(), page.set()),
        (vec!["form".to_owned()], vec!["access_token".into(), "keep_signed_in".into()])
    );
    assert_eq!(banner(&desk.get("/devices").await), None);
}

#[actix_web::test]
async fn ending_all_others_says_how_many_there_were() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    for (count, words) in [
        (2, "Your 2 other devices are signed out."),
        (1, "Your other device is signed out."),
        (0, "No other device was signed in."),
    ] {
        others(&app, count).await;
        end(&desk, "/devices/others/revoke").await;
        assert_eq!(banner(&desk.get("/devices").await).as_deref(), Some(words));
    }
}

#[actix_web::test]
async fn signing_out_says_so_on_the_sign_in_page_and_nothing_else() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    let other = &others(&app, 1).await[0];
    end(&desk, &format!("/devices/{}/revoke", other.session())).await;
    let token = desk.token("/nothing-is-here", "/logout").await;
    desk.post("/logout/everywhere", &[("form_token", &token)]).await;
    other.sign_in().await;
    let login = desk.get("/login").await;
    assert!(login.says("You have signed out everywhere") && banner(&login).is_none());
    assert!(login.says("Every device that was signed in then was signed out."), "which stays true: another is again");
    let again = desk.get("/login").await;
    assert!(!again.says("You have signed out everywhere"), "once");
    desk.sign_in().await;
    assert_eq!(banner(&desk.get("/dashboard").await), None);
}

#[actix_web::test]
async fn nobody_else_writes_a_banner() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    for forged in ["AAAAAAAAAAAAAAAAAAAAAA..device-ZXZpbA", "x", ""] {
        desk.put("form", forged);
        let page = desk.get("/dashboard").await;
        assert_eq!((page.status, banner(&page)), (StatusCode::OK, None), "{forged}");
    }
}
