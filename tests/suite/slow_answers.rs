//! Pages that take long: authenticated when they are asked for, rotated when they answer.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::future::join;
use perennial::CurrentUser;
use time::Duration;
use tokio::sync::oneshot;

use crate::support::{START, TestApp, hex};

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

fn generation(app: &TestApp) -> i64 {
    app.rows().number("SELECT generation FROM sessions")
}

fn revoked_because(app: &TestApp) -> String {
    app.rows().text("SELECT coalesce(max(revoked_because), '') FROM sessions")
}

/// An application with a page that answers when it is told to, how to tell it, and news of the first request there.
async fn with_slow_page() -> (TestApp, oneshot::Sender<()>, oneshot::Receiver<()>) {
    let (answer, told) = oneshot::channel::<()>();
    let (enter, entered) = oneshot::channel::<()>();
    let told = Rc::new(RefCell::new(Some((enter, told))));
    let slow = move |config: &mut web::ServiceConfig| {
        let told = Rc::clone(&told);
        let page = move |user: CurrentUser| {
            let told = told.borrow_mut().take();
            async move {
                let (enter, told) = told.unwrap();
                // Not every test waits for it.
                enter.send(()).ok();
                told.await.unwrap();
                user.user().full_name.to_string()
            }
        };
        config.route("/slow", web::get().to(page));
    };
    (TestApp::embedded(|_| {}, slow).await, answer, entered)
}

#[actix_web::test]
async fn a_sign_out_during_a_slow_request_is_not_undone_by_its_answer() {
    let (app, answer, entered) = with_slow_page().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    let (slow, _) = join(tab.get("/slow"), async {
        entered.await.unwrap();
        browser.get("/dashboard").await;
        browser.sign_out().await;
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!((slow.status, slow.cookies()), (StatusCode::OK, Vec::new()));
    assert!(!tab.is_signed_in().await);
    assert_eq!(revoked_because(&app), "signed_out");
}

#[actix_web::test]
async fn a_rotation_under_way_never_touches_a_sign_in_that_was_ended() {
    let (app, answer, entered) = with_slow_page().await;
    let browser = app.signed_in().await;
    let tab = browser.clone();
    tab.forget("access_token");
    let row = format!("SELECT id || generation || {} || rotated_at FROM sessions", hex("token_hash"));
    let before = app.rows().text(&row);
    let (slow, _) = join(tab.get("/slow"), async {
        entered.await.unwrap();
        browser.sign_out().await;
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!((slow.status, slow.cookies()), (StatusCode::OK, Vec::new()));
    assert_eq!(app.rows().text(&row), before);
}

#[actix_web::test]
async fn a_slow_answer_does_not_kill_what_faster_ones_delivered() {
    let (app, answer, _) = with_slow_page().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let (slow, _) = join(browser.get("/slow"), async {
        app.advance(Duration::minutes(5));
        assert!(browser.is_signed_in().await);
        app.advance(Duration::minutes(5));
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!((slow.status, slow.set()), (StatusCode::OK, vec!["access_token".to_owned()]));
    app.advance(EXPIRED);
    assert!(browser.is_signed_in().await);
    assert_eq!(revoked_because(&app), "");
}

#[actix_web::test]
async fn a_slow_answer_rotates_when_it_goes_and_not_when_it_was_asked_for() {
    let (app, answer, _) = with_slow_page().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let (slow, _) = join(browser.get("/slow"), async {
        app.clock.advance(Duration::minutes(1));
        assert_eq!(generation(&app), 0);
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!(slow.set(), ["access_token", "keep_signed_in"]);
    let expected = (START + EXPIRED + Duration::minutes(1)).unix_timestamp();
    assert_eq!(app.rows().number("SELECT rotated_at FROM sessions"), expected);
}

/// Lets a page of a parallel tab take long, while its sign-in is ended and that is so long ago that nobody remembers it;
/// returns the tab, which must hold nothing that opens a page.
async fn overlap_that_outlasts_the_memory_of_a_revocation(ended_elsewhere: bool) {
    let (app, answer, _) = with_slow_page().await;
    let other = app.another_process().await;
    let (browser, mut phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    if ended_elsewhere {
        phone.connect(&other);
    }
    let somebody = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "three other words")];
    somebody.submit("/register", "/register", &fields).await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
    let (slow, _) = join(tab.get("/slow"), async {
        app.advance(Duration::SECOND);
        phone.submit("/devices", "/devices/others/revoke", &[]).await;
        // A revocation is remembered for an access life and a minute, so this one is forgotten.
        for _ in 0..20 {
            app.advance(Duration::MINUTE);
            app.sweep();
        }
        app.rows().execute("UPDATE users SET full_name = 'Grace Hopper' WHERE email = 'grace@example.org'");
        app.catch_up();
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!((slow.status, slow.cookies()), (StatusCode::OK, Vec::new()));
    for _ in 0..3 {
        assert!(!tab.is_signed_in().await && !browser.is_signed_in().await);
        app.advance(Duration::minutes(5));
        app.sweep();
    }
    assert_eq!(revoked_because(&app), "revoked");
}

#[actix_web::test]
async fn a_revocation_during_a_long_overlap_is_not_forgotten() {
    overlap_that_outlasts_the_memory_of_a_revocation(false).await;
    overlap_that_outlasts_the_memory_of_a_revocation(true).await;
}

#[actix_web::test]
async fn what_a_long_overlap_gives_out_is_looked_up_once_it_is_as_old_as_an_access_life() {
    let (app, answer, _) = with_slow_page().await;
    let (browser, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    browser.get("/dashboard").await;
    let (slow, _) = join(tab.get("/slow"), async {
        app.advance(Duration::minutes(14));
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!(slow.set(), ["access_token"]);
    // The rows behind that access token were read 14 minutes before it was issued.
    phone.submit("/devices", "/devices/others/revoke", &[]).await;
    for _ in 0..14 {
        assert!(!tab.is_signed_in().await);
        app.advance(Duration::MINUTE);
        app.sweep();
    }
}
