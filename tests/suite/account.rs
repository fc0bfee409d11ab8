//! The account page: what somebody changes about themselves.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, NAME, TestApp};

/// The page, and what each of its forms goes to with good fields.
const PAGE: &str = "/account";

async fn change(browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    browser.submit(PAGE, &format!("/account/{what}"), fields).await
}

fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, PAGE), "{}", answer.body());
}

/// Asserts that a form came back with a problem beside its field.
fn assert_comes_back(answer: &Answer, field: &str, words: &str) {
    let body = answer.body();
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    assert!(body.contains("<title>Error: ") && body.contains("There is a problem"), "{body}");
    assert!(body.contains(&format!("<a href=\"#{field}\">{words}</a>")), "{body}");
    assert!(body.contains(&format!("id=\"{field}-error\"")) && body.contains(&format!("id=\"{field}\"")), "{body}");
}

#[actix_web::test]
async fn a_name_is_changed_in_every_process_and_the_next_page_says_so_once() {
    let app = TestApp::start().await;
    let (browser, other) = (app.signed_in().await, app.another_process().await);
    let mut elsewhere = browser.clone();
    elsewhere.connect(&other);
    assert!(elsewhere.get("/dashboard").await.says(NAME));
    assert_done(&change(&browser, "name", &[("full_name", "  Ada King ")]).await);
    let page = browser.get(PAGE).await;
    assert!(page.says("Your name was changed.") && page.says("value=\"Ada King\""), "{}", page.body());
    assert!(!browser.get(PAGE).await.says("Your name was changed."));
    other.catch_up();
    assert!(elsewhere.get("/dashboard").await.says("Welcome, Ada King"));
}

#[actix_web::test]
async fn a_name_that_is_none_comes_back() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for (name, words) in [("  ", "Enter your name"), ("a\u{202e}b", "Your name must not contain control characters")] {
        assert_comes_back(&change(&browser, "name", &[("full_name", name)]).await, "full_name", words);
    }
    let typed = "<script>".repeat(30);
    let answer = change(&browser, "name", &[("full_name", &typed)]).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && !answer.says("<script>"));
    assert!(answer.says("value=\"&#60;script&#62;"), "what was typed is there again: {}", answer.body());
    assert_eq!(app.rows().text("SELECT full_name FROM users"), NAME);
}

#[actix_web::test]
async fn a_time_zone_is_chosen_from_a_list_and_taken_back() {
    let app = TestApp::start().await;
    let (browser, other) = (app.signed_in().await, app.another_process().await);
    let page = browser.get(PAGE).await;
    assert!(page.says("1 March 2060, 09:00 UTC") && page.says("<option>Europe/Berlin</option>"));
    assert_done(&change(&browser, "time-zone", &[("time_zone", "Europe/Berlin")]).await);
    let page = browser.get(PAGE).await;
    assert!(page.says("<option selected>Europe/Berlin</option>") && page.says("1 March 2060, 10:00 CET"));
    assert!(page.says("datetime=\"2060-03-01T09:00:00Z\"") && page.says("Your time zone was changed."));
    let mut elsewhere = browser.clone();
    elsewhere.connect(&other);
    other.catch_up();
    assert!(elsewhere.get(PAGE).await.says("<option selected>Europe/Berlin</option>"));
    for zone in ["Europe/Atlantis", "europe/berlin", "../UTC", "UTC\0"] {
        let answer = change(&browser, "time-zone", &[("time_zone", zone)]).await;
        assert_comes_back(&answer, "time_zone", "Choose a time zone from the list");
    }
    assert_eq!(app.rows().text("SELECT time_zone FROM users"), "Europe/Berlin");
    assert_done(&change(&browser, "time-zone", &[("time_zone", "")]).await);
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE time_zone IS NULL"), 1);
}

#[actix_web::test]
async fn a_time_zone_that_a_hand_put_into_the_database_is_shown_or_is_utc() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for (stored, shown) in [("US/Pacific", "<option selected>US/Pacific</option>"), ("Nowhere/Else", "09:00 UTC")] {
        app.rows().execute(&format!("UPDATE users SET time_zone = '{stored}'"));
        app.catch_up();
        let page = browser.get(PAGE).await;
        assert!(page.status == StatusCode::OK && page.says(shown), "{stored}: {}", page.body());
    }
}

#[actix_web::test]
async fn a_form_changes_its_own_field_of_its_own_account_and_nothing_else() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let other = app.browser();
    let grace = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "quiet brown teapot")];
    other.submit("/register", "/register", &grace).await;
    let extra = [("role", "admin"), ("user_id", "1"), ("id", "1"), ("is_active", "0"), ("email", "ada@example.org")];
    assert_done(&change(&other, "name", &[&[("full_name", "Grace Hopper")][..], &extra].concat()).await);
    assert_done(&change(&other, "time-zone", &[&[("time_zone", "UTC")][..], &extra].concat()).await);
    let row = |id| format!("SELECT full_name || ' ' || role || ' ' || email FROM users WHERE id = {id}");
    assert_eq!(app.rows().text(&row(1)), "Ada Lovelace admin ada@example.org");
    assert_eq!(app.rows().text(&row(2)), "Grace Hopper user grace@example.org");
    // With the token of another session, or with that of one that is over.
    let foreign = browser.token(PAGE, "/account/name").await;
    let sent = other.post("/account/name", &[("full_name", "Mallory"), ("form_token", &foreign)]).await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
    let cross = browser.with_header("sec-fetch-site", "cross-site");
    let sent = cross.post("/account/name", &[("full_name", "Mallory"), ("form_token", &foreign)]).await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE full_name = 'Mallory'"), 0);
}

#[actix_web::test]
async fn a_form_whose_sender_is_thrown_out_while_it_is_under_way_changes_nothing() {
    let app = TestApp::start().await;
    for (path, field) in [("/account/name", ("full_name", "Mallory")), ("/account/time-zone", ("time_zone", "UTC"))] {
        let browser = app.browser();
        if app.rows().count("users") == 0 {
            browser.register().await;
        } else {
            browser.sign_in().await;
        }
        let token = browser.token(PAGE, path).await;
        let (mut rows, id) = (app.rows(), browser.session());
        let meanwhile = async move {
            rows.execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
        };
        let answer = browser.post_while(path, &[field, ("form_token", &token)], meanwhile).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("/login?next=%2Frescue%2F"), "{path}: {answer:?}");
    }
    let changed = "SELECT count(*) FROM users WHERE full_name = 'Mallory' OR time_zone IS NOT NULL";
    assert_eq!(app.rows().number(changed), 0);
}

#[actix_web::test]
async fn the_page_is_not_stored_and_shows_nobody_without_a_recent_password_anything() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    assert_eq!(browser.get(PAGE).await.header("cache-control"), "no-store");
    app.advance(Duration::minutes(11));
    let token = browser.token("/devices", "/logout").await;
    for (path, field) in [("/account/name", ("full_name", "Mallory")), ("/account/time-zone", ("time_zone", "UTC"))] {
        let answer = browser.post(path, &[field, ("form_token", &token)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("/reauthenticate?next=%2Frescue%2F"), "{path}: {answer:?}");
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE full_name = 'Mallory'"), 0);
}
