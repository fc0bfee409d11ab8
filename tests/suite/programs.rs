//! Scripts and other programs among pages: what they are told, they can read.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use perennial::testing::Answer;
use perennial::{CurrentUser, RecentUser, SubmittedForm, WebError};
use serde_json::Value;
use time::Duration;

use crate::support::{Browser, TestApp};

async fn notes(user: CurrentUser) -> String {
    user.user().full_name.to_string()
}

async fn save(user: CurrentUser, _: SubmittedForm) -> Result<HttpResponse, WebError> {
    user.confirm().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn confirmed(user: CurrentUser) -> Result<HttpResponse, WebError> {
    user.confirm().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn secrets(_: RecentUser) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn fails() -> Result<HttpResponse, WebError> {
    Err(WebError::Internal("a detail that nobody is told".into()))
}

async fn own_words() -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain").body("no such note")
}

async fn start() -> TestApp {
    TestApp::embedded(
        |_| {},
        |config| {
            config
                .route("/notes", web::get().to(notes))
                .route("/notes", web::post().to(save))
                .route("/confirmed", web::get().to(confirmed))
                .route("/secrets", web::get().to(secrets))
                .route("/fails", web::get().to(fails))
                .route("/own-words", web::get().to(own_words));
        },
    )
    .await
}

/// The ways in which a client says that it is no person who looks at a page.
fn programs(browser: &Browser) -> Vec<Browser> {
    [
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-mode", "same-origin"),
        ("accept", "application/json"),
        ("accept", "application/vnd.api+json, */*"),
        ("accept", "text/event-stream"),
    ]
    .map(|(name, value)| browser.with_header(name, value))
    .into()
}

/// Returns what a refusal says in JSON.
fn error(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "application/json", "{}", answer.body());
    assert!(answer.header("location").is_empty());
    let told: Value = answer.json();
    assert!(told["message"].as_str().is_some_and(|message| !message.is_empty()), "{told}");
    told["error"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_program_that_is_signed_out_gets_401_and_a_person_the_sign_in_page() {
    let app = start().await;
    let stranger = app.browser();
    for path in ["/notes", "/dashboard", "/secrets"] {
        for program in programs(&stranger) {
            let answer = program.get(path).await;
            assert_eq!((answer.status, error(&answer).as_str()), (StatusCode::UNAUTHORIZED, "Authentication required"));
            assert!(answer.header("www-authenticate").starts_with("Cookie "), "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
        assert_eq!(stranger.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
}

#[actix_web::test]
async fn a_program_is_told_of_an_old_password_and_of_an_end_in_the_middle() {
    let app = start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(20));
    let answer = browser.fetch(Method::GET, "/secrets").await;
    assert_eq!((answer.status, error(&answer).as_str()), (StatusCode::UNAUTHORIZED, "Reauthentication required"));
    assert_eq!(browser.get("/secrets").await.location(), "/reauthenticate?next=%2Fsecrets");
    // Signed out by another process that this one has not heard of: the handler finds it.
    let other = app.another_process().await;
    let mut leaving = browser.clone();
    leaving.connect(&other);
    leaving.sign_out().await;
    let answer = browser.clone().fetch(Method::GET, "/confirmed").await;
    assert_eq!((answer.status, error(&answer).as_str()), (StatusCode::UNAUTHORIZED, "Authentication required"));
    assert_eq!(browser.get("/confirmed").await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn every_error_is_told_in_the_language_of_its_reader() {
    let app = start().await;
    let browser = app.signed_in().await;
    for program in programs(&browser) {
        for (answer, status) in [
            (program.get("/nothing-here").await, StatusCode::NOT_FOUND),
            (program.post("/notes", &[]).await, StatusCode::FORBIDDEN),
            (program.with_header("sec-fetch-site", "cross-site").post("/notes", &[]).await, StatusCode::FORBIDDEN),
            (program.ask(Method::DELETE, "/dashboard").await, StatusCode::METHOD_NOT_ALLOWED),
            (program.get("/fails").await, StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(answer.status, status);
            assert!(!error(&answer).is_empty());
            assert!(!answer.says("<html") && !answer.says("nobody is told"), "{}", answer.body());
            assert_eq!(answer.json::<Value>().get("reference").is_some(), status.is_server_error());
        }
        assert_eq!(program.get("/own-words").await.body(), "no such note", "an application's own words stay");
    }
    for path in ["/nothing-here", "/fails"] {
        assert_eq!(browser.get(path).await.header("content-type"), "text/html; charset=utf-8", "{path}");
    }
}
