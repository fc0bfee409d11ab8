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

/// An application with a page that answers when it is told to, and how to tell it.
async fn with_slow_page() -> (TestApp, oneshot::Sender<()>) {
    let (answer, told) = oneshot::channel::<()>();
    let told = Rc::new(RefCell::new(Some(told)));
    let slow = move |config: &mut web::ServiceConfig| {
        let told = Rc::clone(&told);
        let page = move |user: CurrentUser| {
            let told = told.borrow_mut().take();
            async move {
                told.unwrap().await.unwrap();
                user.user().full_name.clone()
            }
        };
        config.route("/slow", web::get().to(page));
    };
    (TestApp::embedded(|_| {}, slow).await, answer)
}

#[actix_web::test]
async fn a_sign_out_during_a_slow_request_is_not_undone_by_its_answer() {
    let (app, answer) = with_slow_page().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    let (slow, _) = join(tab.get("/slow"), async {
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
    let (app, answer) = with_slow_page().await;
    let browser = app.signed_in().await;
    let tab = browser.clone();
    tab.forget("access_token");
    let row = format!("SELECT id || generation || {} || rotated_at FROM sessions", hex("token_hash"));
    let before = app.rows().text(&row);
    let (slow, _) = join(tab.get("/slow"), async {
        browser.sign_out().await;
        answer.send(()).unwrap();
    })
    .await;
    assert_eq!((slow.status, slow.cookies()), (StatusCode::OK, Vec::new()));
    assert_eq!(app.rows().text(&row), before);
}

#[actix_web::test]
async fn a_slow_answer_does_not_kill_what_faster_ones_delivered() {
    let (app, answer) = with_slow_page().await;
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
    let (app, answer) = with_slow_page().await;
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
