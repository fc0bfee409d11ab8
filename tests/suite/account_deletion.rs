//! Leaving: the account goes, every sign-in with it, and what stays names nobody.

use actix_web::http::StatusCode;
use futures_util::future::join;
use time::Duration;

use crate::support::guesses::fail;
use crate::support::outbox_row::wait_in_outbox;
use crate::support::reset::{self, DEAD};
use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

const PAGE: &str = "/account/delete";

/// The other person here, who is no administrator.
const GRACE: &str = "grace@example.org";

/// Where something about a person is kept.
const PLACES: [(&str, &str); 9] = [
    ("users", "full_name"),
    ("users", "email"),
    ("users", "time_zone"),
    ("sessions", "id"),
    ("sessions", "user_agent"),
    ("sessions", "address"),
    ("auth_events", "details"),
    ("auth_tokens", "email"),
    ("sign_in_forms", "session_id"),
];

async fn grace(app: &TestApp) -> Browser {
    let browser = app.browser();
    let fields = [("full_name", "Grace"), ("email", GRACE), ("password", PASSWORD), ("keep_signed_in", "on")];
    assert_eq!(browser.submit("/register", "/register", &fields).await.location(), "/dashboard");
    browser
}

async fn delete(browser: &Browser) -> Answer {
    browser.submit(PAGE, PAGE, &[("confirm", "yes")]).await
}

fn assert_gone(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"), "{}", answer.body());
}

#[actix_web::test]
async fn whoever_leaves_is_signed_out_everywhere_and_told_so() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (browser, other) = (grace(&app).await, app.another_process().await);
    let mut phone = app.browser();
    phone.connect(&other);
    let fields = [("email", GRACE), ("password", PASSWORD), ("keep_signed_in", "on")];
    phone.submit("/login", "/login", &fields).await;
    assert!(phone.is_signed_in().await);
    let copy = browser.clone();
    assert!(browser.get("/account").await.says("href=\"/account/delete\""));
    assert!(browser.get(PAGE).await.says("cannot be brought back"));
    let answer = delete(&browser).await;
    assert_gone(&answer);
    assert_eq!(answer.cleared(), ["access_token", "keep_signed_in"]);
    assert_eq!(answer.header("clear-site-data"), "\"cache\"");
    let page = browser.get("/login").await;
    assert!(page.says("Your account was deleted.") && !browser.get("/login").await.says("Your account was deleted."));
    other.catch_up();
    for held in [&browser, &copy, &phone] {
        assert!(!held.is_signed_in().await);
    }
    assert_eq!(app.browser().submit("/login", "/login", &fields).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!((app.rows().count("users"), app.rows().count("sessions")), (1, 1));
}

#[actix_web::test]
async fn what_stays_says_nothing_of_who_was_here() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut browser = app.browser();
    (browser.address, browser.user_agent) = (([203, 0, 113, 77], 40000).into(), "Gracefox/7".to_owned());
    let fields = [("full_name", "Grace Brewster"), ("email", GRACE), ("password", PASSWORD), ("keep_signed_in", "on")];
    browser.submit("/register", "/register", &fields).await;
    let link = reset::fresh_link(&app, GRACE).await;
    fail(&app, GRACE, 1).await;
    browser.submit("/account", "/account/time-zone", &[("time_zone", "Asia/Kathmandu")]).await;
    let session = browser.session();
    wait_in_outbox(&app, GRACE);
    let events = app.rows().number("SELECT count(*) FROM auth_events WHERE user_id = 2");
    assert!(events > 3);
    assert_gone(&delete(&browser).await);
    for trace in ["Grace Brewster", "203.0.113.77", "Gracefox", "Kathmandu", GRACE, session.as_str()] {
        for (table, column) in PLACES {
            let found = format!("SELECT count(*) FROM {table} WHERE {column} LIKE '%{trace}%'");
            assert_eq!(app.rows().number(&found), 0, "{trace} in {table}.{column}");
        }
    }
    let mut rows = app.rows();
    let waiting = "SELECT count(*) FROM outbox WHERE subject <> 'Your account was deleted'";
    assert_eq!(rows.number(waiting), 0, "no mail but the last one");
    assert_eq!(rows.number("SELECT count(*) FROM auth_events WHERE user_id = 2"), 0);
    assert_eq!(rows.number("SELECT count(*) FROM auth_events WHERE user_id IS NULL"), events + 1);
    assert_eq!(rows.count("auth_tokens"), 0);
    let [event] = <[_; 1]>::try_from(rows.events_of("user_deleted")).ok().unwrap();
    assert_eq!(
        (event.user_id, event.detail("address"), event.detail("user_agent")),
        (None, String::new(), String::new())
    );
    let failed = rows.events_of("sign_in_failed");
    assert_eq!((failed.len(), failed[0].detail("reason")), (1, "wrong_password".to_owned()), "what happened stays");
    // Nothing is counted against whoever takes the address next, and no device is known.
    let known = "SELECT count(*) FROM throttle_counters WHERE account_hash IS NOT NULL";
    assert_eq!(rows.number(known), 1, "the device of the one who stays");
    assert!(reset::open(&app.browser(), &link).await.says(DEAD));
    let mails = app.mail();
    let last = mails.last().unwrap();
    assert_eq!((last.to.as_str(), last.subject.as_str()), (GRACE, "Your account was deleted"));
    assert!(last.text.contains("203.0.113.77") && last.html.contains("cannot be brought back"), "{last:?}");
    assert_eq!(app.rows().count("outbox"), 0, "a mail that was sent leaves nothing");
    assert!(grace(&app).await.is_signed_in().await, "the address is free");
}

#[actix_web::test]
async fn without_the_box_nothing_happens() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for confirm in ["", "off", "no", "false"] {
        let answer = browser.submit(PAGE, PAGE, &[("confirm", confirm)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.says("There is a problem") && answer.says("<a href=\"#confirm\">Check the box"));
        assert!(answer.says("id=\"confirm-error\""), "{}", answer.body());
    }
    assert!(browser.is_signed_in().await);
    assert_eq!(app.rows().count("users"), 1);
}

#[actix_web::test]
async fn the_last_administrator_stays_as_long_as_others_need_one() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let other = grace(&app).await;
    let answer = delete(&ada).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.says("You are the only administrator"), "{}", answer.body());
    assert!(ada.is_signed_in().await);
    // One who may not sign in runs nothing.
    app.rows().execute(&format!("UPDATE users SET role = 'admin', is_active = FALSE WHERE email = '{GRACE}'"));
    app.catch_up();
    assert_eq!(delete(&ada).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    app.rows().execute(&format!("UPDATE users SET is_active = TRUE WHERE email = '{GRACE}'"));
    app.catch_up();
    assert_gone(&delete(&ada).await);
    other.submit("/login", "/login", &[("email", GRACE), ("password", PASSWORD)]).await;
    assert_gone(&delete(&other).await);
    assert_eq!(app.rows().count("users"), 0, "whoever is alone may leave");
    assert_eq!(app.rows().count_events("user_deleted"), 2);
}

#[actix_web::test]
async fn of_two_administrators_who_leave_at_once_one_stays() {
    let app = TestApp::start().await;
    let (ada, other) = (app.signed_in().await, app.another_process().await);
    let mut second = grace(&app).await;
    let third = app.browser();
    let fields = [("full_name", "Third"), ("email", "third@example.org"), ("password", PASSWORD)];
    third.submit("/register", "/register", &fields).await;
    app.rows().execute(&format!("UPDATE users SET role = 'admin' WHERE email = '{GRACE}'"));
    app.catch_up();
    other.catch_up();
    second.connect(&other);
    let tokens = [ada.token(PAGE, PAGE).await, second.token(PAGE, PAGE).await];
    let fields = tokens.each_ref().map(|token| [("confirm", "yes"), ("form_token", token.as_str())]);
    let answers = join(ada.post(PAGE, &fields[0]), second.post(PAGE, &fields[1])).await;
    let gone = [answers.0.location(), answers.1.location()].iter().filter(|place| **place == "/login").count();
    assert_eq!((gone, app.rows().number("SELECT count(*) FROM users WHERE role = 'admin'")), (1, 1));
}

#[actix_web::test]
async fn a_button_clicked_twice_deletes_one_account_and_fails_nobody() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = grace(&app).await;
    let second = browser.clone();
    let token = browser.token(PAGE, PAGE).await;
    let fields = [("confirm", "yes"), ("form_token", token.as_str())];
    let answers = join(browser.post(PAGE, &fields), second.post(PAGE, &fields)).await;
    assert_gone(&answers.0);
    assert_gone(&answers.1);
    assert_eq!((app.rows().count("users"), app.rows().count_events("user_deleted")), (1, 1));
}

#[actix_web::test]
async fn nobody_deletes_for_somebody_else() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let other = grace(&app).await;
    let foreign = ada.token(PAGE, PAGE).await;
    let fields = [("confirm", "yes"), ("form_token", foreign.as_str()), ("user_id", "1"), ("email", EMAIL)];
    assert_eq!(other.post(PAGE, &fields).await.status, StatusCode::FORBIDDEN);
    let cross = ada.with_header("sec-fetch-site", "cross-site");
    assert_eq!(cross.post(PAGE, &fields).await.status, StatusCode::FORBIDDEN);
    assert_gone(&other.submit(PAGE, PAGE, &[("confirm", "yes"), ("user_id", "1"), ("email", EMAIL)]).await);
    assert_eq!(app.rows().text("SELECT full_name FROM users"), NAME);
    // With a password that was entered too long ago, or in the name of who was thrown out meanwhile.
    let token = ada.token(PAGE, PAGE).await;
    let (mut rows, id) = (app.rows(), ada.session());
    let meanwhile = async move {
        rows.execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
    };
    let fields = [("confirm", "yes"), ("form_token", token.as_str())];
    let answer = ada.post_while(PAGE, &fields, meanwhile).await;
    assert!(answer.status == StatusCode::SEE_OTHER && answer.location().starts_with("/login?next="), "{answer:?}");
    assert_eq!(app.rows().count("users"), 1);
    ada.sign_in().await;
    let token = ada.token("/devices", "/logout").await;
    app.advance(Duration::minutes(11));
    let answer = ada.post(PAGE, &[("confirm", "yes"), ("form_token", token.as_str())]).await;
    assert!(answer.location().starts_with("/reauthenticate"), "{answer:?}");
    assert_eq!(app.rows().count("users"), 1);
}
