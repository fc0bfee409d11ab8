//! The promise, over HTTP: never signed out by accident, never kept in by theft.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorImATeapot;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, web};
use futures_util::future::join_all;
use time::Duration;

use crate::support::{Browser, TestApp, hex};

const BOTH: [&str; 2] = ["access_token", "keep_signed_in"];

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

/// The window in which nothing rotates again and the token just replaced still signs in: four times the grace.
const WINDOW: Duration = Duration::minutes(2);

/// Just longer than that.
const PAST_WINDOW: Duration = Duration::seconds(121);

fn generation(app: &TestApp) -> i64 {
    app.rows().number("SELECT generation FROM sessions ORDER BY created_at LIMIT 1")
}

fn revoked_because(app: &TestApp) -> String {
    app.rows().text("SELECT coalesce(max(revoked_because), '') FROM sessions")
}

/// Presents the refresh token alone, as whoever waits for the access token to expire.
fn by_refresh_alone(browser: &Browser) -> Browser {
    let copy = browser.clone();
    copy.forget("access_token");
    copy
}

#[actix_web::test]
async fn the_active_token_is_replaced_by_the_next_generation() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let (access, refresh) = (browser.cookie("access_token"), browser.cookie("keep_signed_in"));
    app.advance(EXPIRED);
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.set()), (StatusCode::OK, BOTH.map(String::from).into()));
    assert_ne!((browser.cookie("access_token"), browser.cookie("keep_signed_in")), (access, refresh));
    assert_eq!(generation(&app), 1);
}

#[actix_web::test]
async fn a_rotation_adds_no_row() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..20 {
        app.advance(EXPIRED);
        assert!(browser.is_signed_in().await);
    }
    assert_eq!((generation(&app), app.rows().number("SELECT count(*) FROM sessions")), (20, 1));
}

#[actix_web::test]
async fn the_token_just_replaced_signs_a_parallel_tab_in_without_another_refresh_cookie() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let tab = browser.clone();
    browser.get("/dashboard").await;
    app.advance(WINDOW);
    let answer = tab.get("/dashboard").await;
    assert_eq!((answer.status, answer.set()), (StatusCode::OK, vec!["access_token".to_owned()]));
    assert!(tab.is_signed_in().await && browser.is_signed_in().await);
    assert_eq!(generation(&app), 1);
}

#[actix_web::test]
async fn nobody_rotates_twice_within_the_window() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    browser.get("/dashboard").await;
    let refresh = browser.cookie("keep_signed_in");
    for _ in 0..4 {
        app.advance(WINDOW / 4);
        browser.forget("access_token");
        let answer = browser.get("/dashboard").await;
        assert_eq!((answer.status, answer.set()), (StatusCode::OK, vec!["access_token".to_owned()]));
    }
    assert_eq!((generation(&app), browser.cookie("keep_signed_in")), (1, refresh));
    app.advance(PAST_WINDOW - WINDOW);
    browser.forget("access_token");
    assert_eq!((browser.get("/dashboard").await.set(), generation(&app)), (BOTH.map(String::from).into(), 2));
}

#[actix_web::test]
async fn a_lost_answer_is_made_up_for_by_a_new_secret_of_the_next_generation() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let previous = format!("SELECT {} FROM sessions", hex("previous_hash"));
    app.advance(EXPIRED);
    let before = browser.clone();
    browser.get("/dashboard").await;
    let (lost, predecessor) = (browser.clone(), app.rows().text(&previous));
    browser.restore(&before);
    app.advance(PAST_WINDOW);
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.set()), (StatusCode::OK, BOTH.map(String::from).into()));
    assert_eq!((generation(&app), app.rows().text(&previous)), (2, predecessor), "the predecessor stays");
    app.advance(EXPIRED);
    assert!(browser.is_signed_in().await);
    assert_eq!(generation(&app), 3);
    assert!(!by_refresh_alone(&lost).is_signed_in().await, "the lost secret is dead");
}

#[actix_web::test]
async fn answers_may_be_lost_again_and_again() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    for _ in 0..5 {
        let before = browser.clone();
        assert_eq!(browser.get("/dashboard").await.set(), BOTH);
        browser.restore(&before);
        app.advance(PAST_WINDOW);
    }
    assert!(browser.is_signed_in().await);
    assert_eq!(generation(&app), 6);
    assert!(app.rows().events_of("refresh_token_replayed").is_empty());
}

#[actix_web::test]
async fn an_answer_lost_within_the_window_is_made_up_for_later() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let before = browser.clone();
    browser.get("/dashboard").await;
    browser.restore(&before);
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token"]);
    app.advance(EXPIRED);
    assert_eq!(browser.get("/dashboard").await.set(), BOTH);
    app.advance(EXPIRED);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn the_branch_that_was_not_presented_is_dead() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    app.advance(EXPIRED);
    let thief = owner.clone();
    owner.get("/dashboard").await;
    app.advance(PAST_WINDOW);
    assert_eq!(thief.get("/dashboard").await.set(), BOTH);
    assert!(!by_refresh_alone(&owner).is_signed_in().await);
    assert_eq!(revoked_because(&app), "replayed");
}

#[actix_web::test]
async fn a_copied_jar_is_caught_and_then_both_are_out() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let thief = owner.clone();
    app.advance(EXPIRED);
    assert!(owner.is_signed_in().await);
    app.advance(EXPIRED);
    assert!(owner.is_signed_in().await);
    assert!(!thief.is_signed_in().await);
    assert!(!owner.is_signed_in().await);
    let notice = owner.get("/login").await;
    assert!(notice.says("This sign-in was ended to keep you safe") && notice.says("role=\"alert\""));
}

#[actix_web::test]
async fn a_thief_who_is_first_is_caught_by_the_owner() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let thief = owner.clone();
    for _ in 0..2 {
        app.advance(EXPIRED);
        assert!(thief.is_signed_in().await);
    }
    assert!(!owner.is_signed_in().await);
    assert!(!thief.is_signed_in().await);
}

#[actix_web::test]
async fn both_parties_never_rotate_twice_after_a_copy() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let thief = owner.clone();
    let mut rotations = [0, 0];
    for _ in 0..6 {
        app.advance(EXPIRED);
        for (party, count) in [&owner, &thief].into_iter().zip(&mut rotations) {
            app.advance(PAST_WINDOW);
            *count += usize::from(party.get("/dashboard").await.set().contains(&"keep_signed_in".to_owned()));
        }
    }
    assert!(rotations.iter().any(|count| *count < 2), "{rotations:?}");
    assert_eq!(revoked_because(&app), "replayed");
}

#[actix_web::test]
async fn a_replay_leaves_the_other_devices_alone() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let (phone, thief) = (app.browser(), owner.clone());
    phone.sign_in().await;
    for _ in 0..2 {
        app.advance(EXPIRED);
        owner.get("/dashboard").await;
    }
    assert!(!thief.is_signed_in().await);
    assert!(!owner.is_signed_in().await);
    assert!(phone.is_signed_in().await);
}

#[actix_web::test]
async fn every_older_refresh_token_is_a_replay() {
    for age in 2..6 {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        let mut copies = vec![by_refresh_alone(&browser)];
        for _ in 0..5 {
            app.advance(EXPIRED);
            browser.get("/dashboard").await;
            copies.push(by_refresh_alone(&browser));
        }
        copies.reverse();
        assert!(!copies[age].is_signed_in().await, "{age} generations old");
        assert_eq!(revoked_because(&app), "replayed", "{age} generations old");
        assert!(!browser.is_signed_in().await, "{age} generations old");
    }
}

#[actix_web::test]
async fn a_replay_is_written_down_once_however_often_it_is_tried() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let thief = owner.clone();
    for _ in 0..2 {
        app.advance(EXPIRED);
        owner.get("/dashboard").await;
    }
    let tries: Vec<_> = (0..5).map(|_| thief.clone()).collect();
    for answer in join_all(tries.iter().map(|copy| copy.get("/dashboard"))).await {
        assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()));
    }
    assert_eq!(app.rows().events_of("refresh_token_replayed").len(), 1);
}

#[actix_web::test]
async fn a_cookie_from_the_future_of_a_restored_database_ends_the_sign_in_without_an_alarm() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().back_up_sessions();
    app.advance(EXPIRED);
    browser.get("/dashboard").await;
    app.rows().restore_sessions();
    let answer = by_refresh_alone(&browser).get("/dashboard").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()));
    assert_eq!(revoked_because(&app), "restored");
    assert!(app.rows().events_of("refresh_token_replayed").is_empty());
    assert_eq!(app.rows().events_of("session_revoked")[0].detail("reason"), "restored");
    assert!(browser.get("/login").await.says("restored from a backup"));
}

#[actix_web::test]
async fn a_sign_in_that_is_not_in_the_database_leads_to_the_sign_in_page_and_keeps_its_cookies() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    app.rows().execute("DELETE FROM sessions");
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"));
    assert_eq!(answer.cookies(), []);
    assert!(!browser.get("/login").await.says("class=\"notice"));
    assert!(app.rows().events_of("refresh_token_replayed").is_empty());
}

#[actix_web::test]
async fn fifty_requests_at_once_are_all_answered_and_leave_one_lineage() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let answers = join_all((0..50).map(|_| browser.get("/dashboard"))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert!(answers.iter().all(|answer| answer.set().contains(&"access_token".to_owned())));
    let renewals = answers.iter().filter(|answer| answer.set().contains(&"keep_signed_in".to_owned()));
    assert_eq!(renewals.count(), 1);
    assert_eq!(generation(&app), 1);
    app.advance(EXPIRED);
    assert!(browser.is_signed_in().await);
    assert!(app.rows().events_of("refresh_token_replayed").is_empty());
}

#[actix_web::test]
async fn two_processes_that_rotate_one_token_leave_one_lineage() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let mut copy = browser.clone();
    copy.connect(&other);
    let answers: Vec<_> =
        join_all((0..20).map(|n| if n % 2 == 0 { browser.get("/dashboard") } else { copy.get("/dashboard") })).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    let renewals = answers.iter().filter(|answer| answer.set().contains(&"keep_signed_in".to_owned()));
    assert_eq!((renewals.count(), generation(&app)), (1, 1));
}

#[actix_web::test]
async fn the_cookies_of_a_rotation_travel_on_every_answer() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let cases = [
        (Method::GET, "/", StatusCode::SEE_OTHER),
        (Method::GET, "/login", StatusCode::SEE_OTHER),
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        (Method::PUT, "/dashboard", StatusCode::METHOD_NOT_ALLOWED),
        (Method::HEAD, "/dashboard", StatusCode::OK),
        (Method::POST, "/logout", StatusCode::BAD_REQUEST),
        (Method::GET, "/.well-known/change-password", StatusCode::SEE_OTHER),
    ];
    for (method, path, status) in cases {
        app.advance(EXPIRED);
        let answer = browser.ask(method.clone(), path).await;
        assert_eq!((answer.status, answer.set()), (status, BOTH.map(String::from).into()), "{method} {path}");
    }
}

#[actix_web::test]
async fn they_travel_on_the_error_of_a_middleware_further_in() {
    async fn fail(_: ServiceRequest, _: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
        Err(ErrorImATeapot("no coffee here"))
    }
    let routes = |config: &mut web::ServiceConfig| {
        let page = web::get().to(|| async { "never reached" });
        config.service(web::scope("/inner").wrap(from_fn(fail)).route("/page", page));
    };
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    for generations in 1..4 {
        app.advance(EXPIRED);
        let answer = browser.get("/inner/page").await;
        assert_eq!((answer.status, answer.set()), (StatusCode::IM_A_TEAPOT, BOTH.map(String::from).into()));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(generation(&app), generations);
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_refused_form_rotates_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(EXPIRED);
    let answer = browser.with_header("sec-fetch-site", "cross-site").ask(Method::POST, "/logout").await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::FORBIDDEN, Vec::new()));
    assert_eq!(generation(&app), 0);
    assert!(browser.is_signed_in().await);
}
