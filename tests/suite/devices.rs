//! A user sees where they are signed in, and ends it; and reads what happened to the account.

use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::COOKIE;
use actix_web::test::TestRequest;
use time::Duration;

use crate::support::{Browser, NAME, TestApp};

const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

/// Signs a second device in: a telephone at another address.
async fn telephone(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.user_agent = SAFARI.to_owned();
    browser.address = "198.51.100.7:5000".parse().unwrap();
    browser.sign_in().await;
    browser
}

/// Returns the ids of the sign-ins that the page offers to end.
async fn offered(browser: &Browser) -> Vec<String> {
    let page = browser.get("/devices").await.body();
    let actions = page.split("action=\"/devices/").skip(1);
    actions.map(|rest| rest.split('/').next().unwrap().to_owned()).filter(|id| id != "others").collect()
}

async fn end(browser: &Browser, id: &str) -> StatusCode {
    let token = browser.token("/devices", "/logout").await;
    browser.post(&format!("/devices/{id}/revoke"), &[("form_token", &token)]).await.status
}

#[actix_web::test]
async fn every_live_sign_in_is_shown_in_words() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    app.advance(Duration::hours(2));
    telephone(&app).await;
    let page = desk.get("/devices").await;
    assert_eq!(page.status, StatusCode::OK);
    for words in ["Firefox on Linux", "192.0.2.1", "Safari on iPhone", "198.51.100.7", "This device", "2 hours ago"] {
        assert!(page.says(words), "{words}");
    }
    assert_eq!(page.body().matches("This device").count(), 1);
    assert_eq!(offered(&desk).await.len(), 1);
}

/// Returns the rows of the page, from the name of each device on.
async fn rows(browser: &Browser) -> Vec<String> {
    let page = browser.get("/devices").await.body();
    page.split("class=\"row__name\">").skip(1).map(str::to_owned).collect()
}

#[actix_web::test]
async fn this_device_comes_first_and_what_is_new_says_so() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    app.advance(Duration::days(7));
    assert!(desk.is_signed_in().await);
    let phone = telephone(&app).await;
    app.advance(Duration::hours(3));
    // The telephone was used after the desk, and still the desk is first on its own page.
    assert!(phone.is_signed_in().await);
    let [own, other] = &rows(&desk).await[..] else { panic!("two devices are signed in") };
    assert!(own.starts_with("Firefox on Linux <span class=\"badge\">This device</span>"), "{own}");
    assert!(
        own.contains("Active now") && own.contains(">this network<") && own.contains("kept for 23 more days"),
        "{own}"
    );
    assert!(own.contains("value=\"76\""), "of 30 days, 22 days and 21 hours are left: {own}");
    assert!(other.starts_with("Safari on iPhone <span class=\"badge badge--warning\">New</span>"), "{other}");
    assert!(other.contains("kept for 30 more days") && other.contains(">198.51.100.7<"), "{other}");
    app.advance(Duration::days(7));
    assert!(!rows(&desk).await[1].contains(">New<"), "after a week it is new no more");
}

#[actix_web::test]
async fn a_text_browser_gets_a_link_and_no_dialog_that_it_would_show_unasked() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    telephone(&app).await;
    let page = desk.get("/devices").await;
    assert!(page.says("<dialog ") && page.says("command=\"show-modal\"") && page.says("asks-there"), "{}", page.body());
    // Without what browsers with dialogs send.
    let request = TestRequest::with_uri("/devices").insert_header((COOKIE, desk.cookie_header()));
    let page = to_bytes(app.serve()(request, None).await.into_body()).await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.contains("Safari on iPhone") && page.contains("/revoke\">End…"), "{page}");
    assert!(!page.contains("dialog") && !page.contains("asks-") && !page.contains("Keep it"), "{page}");
}

#[actix_web::test]
async fn a_page_asks_before_a_sign_in_is_ended() {
    let app = TestApp::start().await;
    let (desk, phone) = (app.signed_in().await, telephone(&app).await);
    let [id] = &offered(&desk).await[..] else { panic!("one other device is offered") };
    let path = format!("/devices/{id}/revoke");
    assert!(desk.get("/devices").await.says(&format!("href=\"{path}\"")));
    let page = desk.get(&path).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.says("End the sign-in on Safari on iPhone?") && page.says("198.51.100.7"), "{}", page.body());
    assert!(phone.is_signed_in().await, "asking ends nothing");
    let answer = desk.submit(&path, &path, &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert!(desk.get("/devices").await.says("Safari on iPhone is signed out."));
    assert!(!phone.is_signed_in().await);
    assert_eq!(desk.get(&path).await.status, StatusCode::NOT_FOUND, "it is over");
}

#[actix_web::test]
async fn nobody_is_asked_about_a_sign_in_of_somebody_else() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let id = app.rows().text("SELECT id FROM sessions");
    let path = format!("/devices/{id}/revoke");
    assert!(ada.get(&path).await.says("Sign out on this device?"));
    let mallory = app.browser();
    let fields = [("full_name", "Mallory"), ("email", "mallory@example.org"), ("password", "quite another password")];
    assert_eq!(mallory.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    for path in [path.as_str(), "/devices/AAAAAAAAAAAAAAAAAAAAAA/revoke", "/devices/x/revoke"] {
        let answer = mallory.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.says("Firefox on Linux"), "{path}");
    }
}

#[actix_web::test]
async fn ending_another_sign_in_ends_it_at_once_and_it_says_why() {
    let app = TestApp::start().await;
    let (desk, phone) = (app.signed_in().await, telephone(&app).await);
    let [id] = &offered(&desk).await[..] else { panic!("one other device is offered") };
    assert_eq!(end(&desk, id).await, StatusCode::SEE_OTHER);
    assert!(!phone.is_signed_in().await);
    let login = phone.get("/login").await;
    assert!(login.says("This sign-in was ended from another device"), "{}", login.body());
    assert_eq!(login.set(), ["form"], "no cookie of the sign-in is touched");
    assert!(phone.get("/login").await.says("ended from another device"), "it is said as long as the browser brings it");
    phone.sign_in().await;
    phone.sign_out().await;
    assert!(!phone.get("/login").await.says("ended from another device"), "and no longer");
    assert!(desk.is_signed_in().await);
    assert!(offered(&desk).await.is_empty());
    assert_eq!(app.rows().events_of("session_revoked")[0].detail("session"), *id);
    assert_eq!(end(&desk, id).await, StatusCode::SEE_OTHER, "a second click does no harm");
    assert_eq!(app.rows().events_of("session_revoked").len(), 1);
}

#[actix_web::test]
async fn all_others_end_together() {
    let app = TestApp::start().await;
    let (desk, phone, tablet) = (app.signed_in().await, telephone(&app).await, telephone(&app).await);
    let answer = desk.submit("/devices", "/devices/others/revoke", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert!(desk.is_signed_in().await);
    assert!(!phone.is_signed_in().await && !tablet.is_signed_in().await);
    assert_eq!(app.rows().events_of("session_revoked").len(), 2);
}

#[actix_web::test]
async fn ending_this_sign_in_is_signing_out() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    let id = app.rows().text("SELECT id FROM sessions");
    let token = desk.token("/devices", "/logout").await;
    let answer = desk.post(&format!("/devices/{id}/revoke"), &[("form_token", &token)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(answer.header("clear-site-data"), "\"cache\"", "Back must not show what was signed in");
    assert!(!desk.holds("keep_signed_in") && !desk.is_signed_in().await);
    assert!(desk.get("/login").await.says("You have signed out"));
}

#[actix_web::test]
async fn another_users_sign_in_is_not_found_and_goes_on() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let id = app.rows().text("SELECT id FROM sessions");
    let mallory = app.browser();
    let fields = [("full_name", "Mallory"), ("email", "mallory@example.org"), ("password", "quite another password")];
    assert_eq!(mallory.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(end(&mallory, &id).await, StatusCode::NOT_FOUND);
    assert_eq!(end(&mallory, "AAAAAAAAAAAAAAAAAAAAAA").await, StatusCode::NOT_FOUND);
    assert_eq!(end(&mallory, "%27%20OR%201=1%20--").await, StatusCode::NOT_FOUND);
    assert!(ada.is_signed_in().await);
    assert!(!mallory.get("/devices").await.says("192.0.2.9") && !mallory.get("/activity").await.says(NAME));
}

#[actix_web::test]
async fn sign_ins_that_are_over_are_not_shown() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    telephone(&app).await;
    app.advance(Duration::days(10));
    assert!(desk.is_signed_in().await);
    app.advance(Duration::days(5));
    assert_eq!(rows(&desk).await.len(), 1, "the telephone has idled away");
}
