//! The first sign-in on a device that an account does not know is told by mail, with a link that ends it.

use actix_web::http::{Method, StatusCode};
use perennial::Email;
use time::Duration;

use crate::support::links::{END, assert_dead, last_link, open, press};
use crate::support::{Browser, EMAIL, TestApp};

const SUBJECT: &str = "You signed in on a new device";

fn notices(app: &TestApp) -> Vec<Email> {
    app.mail().into_iter().filter(|mail| mail.subject == SUBJECT).collect()
}

/// Makes an account, and signs a second device in to it.
async fn second_device(app: &TestApp) -> (Browser, Browser) {
    let owner = app.signed_in().await;
    let mut other = app.browser();
    other.address = "198.51.100.7:40000".parse().unwrap();
    other.sign_in().await;
    (owner, other)
}

#[actix_web::test]
async fn a_new_device_is_told_once_with_when_where_and_what() {
    let app = TestApp::start().await;
    let (owner, other) = second_device(&app).await;
    let [mail] = notices(&app).try_into().unwrap();
    assert_eq!(mail.to.as_str(), EMAIL);
    for said in [&mail.text, &mail.html] {
        for words in
            ["1 March 2060, 09:00 UTC", "Firefox on Linux", "198.51.100.7", "http://localhost:8080/password-reset"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains("Ada") && !said.contains("Gecko"), "{said}");
    }
    for browser in [&owner, &other] {
        browser.sign_out().await;
        browser.sign_in().await;
    }
    assert_eq!(notices(&app).len(), 1, "both are known by now");
    other.close();
    other.sign_out().await;
    other.forget("known_device");
    other.sign_in().await;
    assert_eq!(notices(&app).len(), 2, "a browser that forgot its name is a new one");
}

#[actix_web::test]
async fn a_device_of_one_account_is_new_to_another_and_a_failure_is_no_sign_in() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", "not the password")]).await;
    assert_eq!(app.mail().len(), 0);
    let grace = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", crate::support::PASSWORD)];
    grace.submit("/register", "/register", &fields).await;
    assert_eq!(app.mail().len(), 0);
    owner.sign_out().await;
    let fields = [("email", "grace@example.org"), ("password", crate::support::PASSWORD)];
    owner.submit("/login", "/login", &fields).await;
    let [mail] = notices(&app).try_into().unwrap();
    assert_eq!(mail.to.as_str(), "grace@example.org");
}

#[actix_web::test]
async fn a_form_that_is_sent_twice_is_told_once() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let other = app.browser();
    let token = other.token("/login", "/login").await;
    let again = other.clone();
    let fields = [("email", EMAIL), ("password", crate::support::PASSWORD), ("form_token", token.as_str())];
    for browser in [other, again] {
        assert_eq!(browser.post("/login", &fields).await.location(), "/dashboard");
    }
    assert_eq!((notices(&app).len(), app.rows().count("sessions")), (1, 2));
}

#[actix_web::test]
async fn the_link_ends_that_sign_in_alone_by_its_button_from_anywhere() {
    let app = TestApp::start().await;
    let (owner, other) = second_device(&app).await;
    let link = last_link(&app, EMAIL, END);
    for _ in 0..5 {
        for method in [Method::HEAD, Method::GET] {
            let scanner = app.browser();
            assert_eq!(scanner.ask(method.clone(), &link).await.status, StatusCode::SEE_OTHER);
            assert_eq!(scanner.ask(method, END).await.status, StatusCode::OK);
        }
    }
    assert!(other.is_signed_in().await);
    let reader = app.browser();
    let page = open(&reader, &link).await;
    assert!(page.says("Firefox on Linux, 198.51.100.7") && !page.says(EMAIL), "{}", page.body());
    let elsewhere = app.browser();
    open(&elsewhere, &link).await;
    let token = elsewhere.token(END, END).await;
    let done = press(&reader, END).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/password-reset"));
    assert!(reader.get("/password-reset").await.says("That sign-in was ended"));
    assert!(!other.is_signed_in().await && owner.is_signed_in().await);
    assert!(other.get("/login").await.says("ended from another device"));
    assert_dead(&elsewhere.post(END, &[("form_token", &token)]).await, "/password-reset");
    assert_dead(&open(&reader, &link).await, "/password-reset");
    let [event] = app.rows().events_of("session_revoked").try_into().unwrap();
    assert_eq!((event.user_id, event.detail("reason").as_str()), (Some(1), "mailed_link"));
    assert!(owner.get("/activity").await.says("A sign-in was ended by a mailed link"));
}

#[actix_web::test]
async fn a_link_is_dead_after_a_week_and_with_its_sign_in() {
    let app = TestApp::start().await;
    let (_owner, other) = second_device(&app).await;
    let link = last_link(&app, EMAIL, END);
    assert_eq!(open(&app.browser(), &link).await.status, StatusCode::OK);
    other.sign_out().await;
    assert_dead(&open(&app.browser(), &link).await, "/password-reset");
    let third = app.browser();
    third.sign_in().await;
    let link = last_link(&app, EMAIL, END);
    app.advance(Duration::days(7) - Duration::SECOND);
    assert_eq!(open(&app.browser(), &link).await.status, StatusCode::OK);
    app.advance(Duration::SECOND);
    assert_dead(&open(&app.browser(), &link).await, "/password-reset");
    assert!(third.is_signed_in().await);
    assert_dead(&app.browser().get("/devices/end/garbled").await, "/password-reset");
}
