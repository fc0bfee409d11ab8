//! A button that is clicked twice: one form begins one sign-in, and both clicks end signed in.

use std::thread;
use std::time::Duration as StdDuration;

use actix_web::http::StatusCode;
use futures_util::future::join;
use time::Duration;

use crate::support::client::{self, Client, REFRESH};
use crate::support::patience::let_pass;
use crate::support::server::{Launch, empty_folder};
use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, Rows, TestApp};

/// The cookies of a sign-in: that of the device outlives it.
const ALL: [&str; 3] = ["known_device", "access_token", "keep_signed_in"];

/// Longer than a second click takes to come: the window of the sign-in that the first one began.
const PAST_WINDOW: Duration = Duration::seconds(121);

/// The two forms that sign somebody in.
const FORMS: [&str; 2] = ["/register", "/login"];

/// Starts an application in which the form at `path` can be sent, and fills it in.
async fn filled(path: &str) -> (TestApp, Browser, String) {
    let app = TestApp::start().await;
    if path == "/login" {
        app.signed_in().await.sign_out().await;
    }
    let browser = app.browser();
    let token = browser.token(path, path).await;
    (app, browser, token)
}

fn fields(token: &str) -> [(&str, &str); 5] {
    [("full_name", NAME), ("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on"), ("form_token", token)]
}

/// Returns the refresh cookie that an answer sets.
fn refresh(answer: &Answer) -> String {
    let found = answer.cookies().into_iter().find(|cookie| cookie.name == "keep_signed_in");
    found.unwrap_or_else(|| panic!("no refresh cookie: {answer:?}")).value
}

fn assert_signs_in(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{}", answer.body());
    assert_eq!(answer.set(), ALL);
}

/// Asserts that there is one account and one sign-in that lives.
fn assert_one(app: &TestApp, path: &str) {
    let mut rows = app.rows();
    assert_eq!(rows.count("users"), 1, "{path}");
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1, "{path}");
    assert_eq!(rows.count_events("registered"), 1, "{path}");
    assert_eq!(rows.count_events("signed_in"), rows.count("sessions"), "{path}");
}

#[actix_web::test]
async fn two_clicks_at_once_are_one_sign_in_and_both_end_signed_in() {
    for path in FORMS {
        for elsewhere in [false, true] {
            let (app, browser, token) = filled(path).await;
            let other = app.another_process().await;
            let mut second = browser.clone();
            if elsewhere {
                second.connect(&other);
            }
            let answers = join(browser.post(path, &fields(&token)), second.post(path, &fields(&token))).await;
            assert_signs_in(&answers.0);
            assert_signs_in(&answers.1);
            assert_eq!(refresh(&answers.0), refresh(&answers.1), "whichever is kept is the same");
            assert_one(&app, path);
            for _ in 0..3 {
                // Whichever answer the browser kept.
                assert!(browser.is_signed_in().await, "{path}");
                assert!(second.is_signed_in().await, "{path}");
                app.advance(Duration::SECOND);
                other.catch_up();
            }
            app.advance(Duration::hours(1));
            assert!(browser.is_signed_in().await);
        }
    }
}

#[actix_web::test]
async fn a_second_click_after_the_first_was_answered_is_the_same_sign_in() {
    for path in FORMS {
        let (app, browser, token) = filled(path).await;
        let second = browser.clone();
        let first = browser.post(path, &fields(&token)).await;
        app.advance(Duration::minutes(2));
        let again = second.post(path, &fields(&token)).await;
        assert_signs_in(&first);
        assert_signs_in(&again);
        assert_eq!(refresh(&first), refresh(&again));
        assert_one(&app, path);
        // With the cookies of the first answer there is nothing left to do.
        let late = browser.post(path, &fields(&token)).await;
        assert_eq!((late.location(), late.cookies()), ("/dashboard", Vec::new()));
    }
}

#[actix_web::test]
async fn a_form_is_good_for_the_person_and_the_password_it_began_with() {
    let (app, browser, token) = filled("/register").await;
    let (second, third) = (browser.clone(), browser.clone());
    assert_signs_in(&browser.post("/register", &fields(&token)).await);
    let mut other = fields(&token);
    other[2] = ("password", "another three words");
    let answer = second.post("/register", &other).await;
    assert_eq!((answer.status, answer.set()), (StatusCode::UNPROCESSABLE_ENTITY, Vec::new()));
    assert!(answer.says("There is an account with this email address already"));
    other[1] = ("email", "grace@example.org");
    assert_signs_in(&third.post("/register", &other).await);
    assert!(third.get("/devices").await.body().matches("This device").count() == 1);
    assert_ne!(third.session(), browser.session());
    assert_eq!(app.rows().count("users"), 2);
    assert!(browser.is_signed_in().await && third.is_signed_in().await);
}

#[actix_web::test]
async fn a_second_click_signs_nobody_in_whose_account_was_deactivated_meanwhile() {
    for path in FORMS {
        let (app, browser, token) = filled(path).await;
        let second = browser.clone();
        assert_signs_in(&browser.post(path, &fields(&token)).await);
        app.rows().execute("UPDATE users SET is_active = FALSE");
        app.catch_up();
        let again = second.post(path, &fields(&token)).await;
        assert!(again.status.is_client_error() && again.set().is_empty(), "{path}: {again:?}");
        assert!(!second.is_signed_in().await && !browser.is_signed_in().await, "{path}");
    }
}

#[actix_web::test]
async fn a_form_that_is_sent_again_later_begins_a_sign_in_of_its_own() {
    let (app, browser, token) = filled("/login").await;
    let second = browser.clone();
    let first = browser.post("/login", &fields(&token)).await;
    app.advance(PAST_WINDOW);
    let again = second.post("/login", &fields(&token)).await;
    assert_signs_in(&again);
    assert_ne!(refresh(&first), refresh(&again));
    let (app, browser, token) = filled("/register").await;
    let second = browser.clone();
    browser.post("/register", &fields(&token)).await;
    app.advance(PAST_WINDOW);
    let again = second.post("/register", &fields(&token)).await;
    assert_eq!((again.status, again.set()), (StatusCode::UNPROCESSABLE_ENTITY, Vec::new()));
}

#[actix_web::test]
async fn a_form_whose_sign_in_has_ended_does_not_revive_it() {
    let (app, browser, token) = filled("/login").await;
    let second = browser.clone();
    let first = browser.post("/login", &fields(&token)).await;
    browser.sign_out().await;
    let again = second.post("/login", &fields(&token)).await;
    assert_signs_in(&again);
    assert_ne!(refresh(&first), refresh(&again));
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
}

/// Clicks a button twice over the wire, the second time so much later.
fn click_twice(client: &Client, path: &str, apart: StdDuration) -> [client::Answer; 2] {
    let mut client = client.clone();
    let token = client.form_token(path);
    let fields = [
        ("full_name", NAME),
        ("email", "ada@example.org"),
        ("password", client::PASSWORD),
        ("keep_signed_in", "on"),
        ("form_token", token.as_str()),
    ];
    thread::scope(|scope| {
        let clicks = [StdDuration::ZERO, apart].map(|pause| {
            let mut client = client.clone();
            scope.spawn(move || {
                let_pass(pause);
                client.post(path, &fields).unwrap()
            })
        });
        clicks.map(|click| click.join().unwrap())
    })
}

#[test]
fn a_second_click_while_the_password_is_hashed_does_no_harm() {
    for apart in [60, 150, 300] {
        let folder = empty_folder();
        let server = Launch::in_folder(folder.path()).set("BCRYPT_COST", "12").start();
        let client = Client::of(&server);
        for (sign_ins, path) in [(1, "/register"), (2, "/login")] {
            let answers = click_twice(&client, path, StdDuration::from_millis(apart));
            let mut kept = Vec::new();
            for answer in &answers {
                assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{path} {answer:?}");
                let mut browser = client.clone();
                browser.jar.keep(answer);
                assert!(browser.is_signed_in(), "{path}, {apart} ms apart");
                kept.push(browser.jar.get(REFRESH).unwrap().to_owned());
            }
            assert_eq!(kept[0], kept[1], "{path}, {apart} ms apart");
            assert_eq!(Rows::of(folder.path()).count("sessions"), sign_ins, "{path}, {apart} ms apart");
        }
    }
}
