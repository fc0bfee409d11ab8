//! Another password, by whoever knows the one that stands.

use actix_web::http::StatusCode;
use futures_util::future::{join, join_all};
use time::Duration;

use crate::support::reset::{self, DEAD, NEW_PASSWORD, opens};
use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

const PAGE: &str = "/account";
const FORM: &str = "/account/password";

/// Past the window in which nothing rotates again.
const PAST_WINDOW: Duration = Duration::seconds(121);

async fn change(browser: &Browser, current: &str, password: &str) -> Answer {
    browser.submit(PAGE, FORM, &[("current_password", current), ("password", password)]).await
}

fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, PAGE), "{}", answer.body());
}

#[actix_web::test]
async fn a_new_password_ends_every_other_sign_in_and_this_one_goes_on_with_new_tokens() {
    let app = TestApp::start().await;
    let (browser, phone, other) = (app.signed_in().await, app.browser(), app.another_process().await);
    phone.sign_in().await;
    let mut thief = phone.clone();
    thief.connect(&other);
    assert!(thief.is_signed_in().await);
    app.advance(PAST_WINDOW);
    let (session, before) = (browser.session(), browser.cookie("keep_signed_in"));
    let answer = change(&browser, PASSWORD, NEW_PASSWORD).await;
    assert_done(&answer);
    assert_eq!(answer.set(), ["known_device", "access_token", "keep_signed_in", "form"]);
    assert_eq!(browser.session(), session);
    assert_ne!(browser.cookie("keep_signed_in"), before);
    let page = browser.get(PAGE).await;
    assert!(page.says("Your password was changed. Every other device was signed out"), "{}", page.body());
    assert!(!phone.is_signed_in().await && phone.get("/login").await.says("Your password was changed"));
    other.catch_up();
    assert!(!thief.is_signed_in().await);
    assert!(opens(&app, EMAIL, NEW_PASSWORD).await && !opens(&app, EMAIL, PASSWORD).await);
    app.advance(Duration::hours(1));
    assert!(browser.is_signed_in().await);

    let mut rows = app.rows();
    let [event] = <[_; 1]>::try_from(rows.events_of("password_changed")).ok().unwrap();
    assert_eq!((event.user_id, event.detail("session"), event.detail("reason")), (Some(1), session, String::new()));
    let ended = rows.events_of("session_revoked");
    assert_eq!((ended.len(), ended[0].detail("reason")), (1, "password_changed".to_owned()));
}

#[actix_web::test]
async fn its_owner_is_told_by_mail_and_links_that_were_under_way_are_dead() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let link = reset::fresh_link(&app, EMAIL).await;
    assert_done(&change(&browser, PASSWORD, NEW_PASSWORD).await);
    let mails = app.mail();
    let mail = mails.iter().find(|mail| mail.subject == "Your password was changed").unwrap();
    for body in [&mail.text, &mail.html] {
        assert!(body.contains("every other device") && body.contains("192.0.2.1"), "{body}");
        assert!(body.contains("somebody else knew your password") && !body.contains(NEW_PASSWORD), "{body}");
    }
    assert!(reset::open(&app.browser(), &link).await.says(DEAD));
    // One that a link sets says what it does.
    let link = reset::fresh_link(&app, EMAIL).await;
    let stranger = app.browser();
    reset::open(&stranger, &link).await;
    assert_eq!(reset::set_password(&stranger, "quiet brown teapot").await.location(), "/login");
    let mails = app.mail();
    let told = mails.iter().rfind(|mail| mail.subject == "Your password was changed");
    assert!(told.unwrap().text.contains("every device that was"), "{mails:?}");
}

#[actix_web::test]
async fn a_form_that_cannot_be_accepted_comes_back_without_any_password() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let long = "x".repeat(1025);
    for (current, password, field, words) in [
        ("", NEW_PASSWORD, "current_password", "Enter your password"),
        (PASSWORD, "", "password", ""),
        (PASSWORD, "short", "password", "15"),
        (PASSWORD, long.as_str(), "password", "1,024"),
        (PASSWORD, "passwordpassword", "password", ""),
        (PASSWORD, "ada lovelace ada lovelace", "password", ""),
        ("a wrong password", NEW_PASSWORD, "current_password", "That is not your current password"),
    ] {
        let answer = change(&browser, current, password).await;
        let body = answer.body();
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{current} {password}: {body}");
        assert!(body.contains("There is a problem") && body.contains(words), "{body}");
        assert!(
            body.contains(&format!("href=\"#{field}\"")) && body.contains(&format!("id=\"{field}-error\"")),
            "{body}"
        );
        for typed in [current, password].iter().filter(|typed| !typed.is_empty()) {
            assert!(!body.contains(&format!("value=\"{typed}\"")), "{typed}: {body}");
        }
    }
    assert!(opens(&app, EMAIL, PASSWORD).await);
    let mut rows = app.rows();
    assert_eq!((rows.count_events("password_changed"), rows.count_events("sign_in_failed")), (0, 1));
    let counted =
        "SELECT CAST(coalesce(sum(tries), 0) AS BIGINT) FROM throttle_counters WHERE account_hash IS NOT NULL";
    assert_eq!(rows.number(counted), 1, "the wrong one, and none of the right ones before it");
}

#[actix_web::test]
async fn wrong_current_passwords_are_counted_and_throttled() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.forget("known_device");
    let mut refused = 0;
    let locked = loop {
        let answer = change(&browser, "a wrong password", NEW_PASSWORD).await;
        if answer.status != StatusCode::UNPROCESSABLE_ENTITY {
            break answer;
        }
        refused += 1;
        assert!(refused < 10);
    };
    assert_eq!(locked.status, StatusCode::FORBIDDEN);
    assert_eq!(refused, 5);
    assert!(locked.says("Account temporarily locked. Please try again later.") && locked.says("You can try again"));
    assert_eq!(locked.header("retry-after"), "30");
    let work = app.password_work();
    assert_eq!(change(&browser, PASSWORD, NEW_PASSWORD).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.password_work(), work);
    app.advance(Duration::seconds(30));
    assert_done(&change(&browser, PASSWORD, NEW_PASSWORD).await);
}

#[actix_web::test]
async fn a_button_clicked_twenty_times_changes_the_password_once() {
    let app = TestApp::start().await;
    let (browser, other) = (app.signed_in().await, app.another_process().await);
    let mut elsewhere = browser.clone();
    elsewhere.connect(&other);
    app.advance(PAST_WINDOW);
    let token = browser.token(PAGE, FORM).await;
    let fields = [("current_password", PASSWORD), ("password", NEW_PASSWORD), ("form_token", token.as_str())];
    let clicks = (0..20).map(|click| if click % 2 == 0 { &browser } else { &elsewhere }.post(FORM, &fields));
    let answers = join_all(clicks).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::SEE_OTHER), "{answers:?}");
    let mut rows = app.rows();
    assert_eq!(rows.count_events("password_changed"), 1);
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
    assert!(browser.is_signed_in().await && opens(&app, EMAIL, NEW_PASSWORD).await);
    app.advance(Duration::hours(1));
    assert!(browser.is_signed_in().await);
    // Either process may have sent it.
    let told = [app.mail(), other.mail()].concat();
    assert_eq!(told.iter().filter(|mail| mail.subject == "Your password was changed").count(), 1);
}

#[actix_web::test]
async fn of_two_people_who_change_it_at_once_one_does() {
    let app = TestApp::start().await;
    let (owner, thief, other) = (app.signed_in().await, app.browser(), app.another_process().await);
    thief.sign_in().await;
    let mut thief = thief.clone();
    thief.connect(&other);
    let tokens = [owner.token(PAGE, FORM).await, thief.token(PAGE, FORM).await];
    let choices = ["copper violin at dawn", "quiet brown teapot"];
    let fields = [0, 1].map(|index| {
        [("current_password", PASSWORD), ("password", choices[index]), ("form_token", tokens[index].as_str())]
    });
    let answers = join(owner.post(FORM, &fields[0]), thief.post(FORM, &fields[1])).await;
    let answers = [answers.0, answers.1];
    let done: Vec<_> = answers.iter().map(|answer| answer.location() == PAGE).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{answers:?}");
    app.catch_up();
    other.catch_up();
    assert_eq!([owner.is_signed_in().await, thief.is_signed_in().await], [done[0], done[1]]);
    assert_eq!(app.rows().count_events("password_changed"), 1);
}

#[actix_web::test]
async fn a_sender_who_is_thrown_out_while_the_form_is_under_way_changes_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token(PAGE, FORM).await;
    let (mut rows, id) = (app.rows(), browser.session());
    let meanwhile = async move {
        rows.execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
    };
    let fields = [("current_password", PASSWORD), ("password", NEW_PASSWORD), ("form_token", token.as_str())];
    let answer = browser.post_while(FORM, &fields, meanwhile).await;
    assert!(answer.status == StatusCode::SEE_OTHER && answer.location().starts_with("/login?next="), "{answer:?}");
    assert!(opens(&app, EMAIL, PASSWORD).await);
    assert_eq!(app.rows().count_events("password_changed"), 0);
}
