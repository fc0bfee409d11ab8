//! An application that embeds Perennial protects handlers of its own with bearer tokens.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use perennial::{ApiUser, CurrentUser, MaybeUser, WebError};

use crate::support::TestApp;
use crate::support::api::{ApiClient, problem, read, refusal, refused};

async fn things(user: ApiUser) -> String {
    format!("things of {}", user.user().full_name)
}

async fn change(user: ApiUser) -> Result<HttpResponse, WebError> {
    user.confirm().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn page(user: CurrentUser) -> String {
    format!("page of {}", user.user().full_name)
}

async fn perhaps(MaybeUser(user): MaybeUser) -> String {
    format!("somebody: {}", user.is_some())
}

async fn fails() -> Result<HttpResponse, WebError> {
    Err(WebError::Internal("a detail that nobody is told".into()))
}

async fn start() -> TestApp {
    let routes = |config: &mut web::ServiceConfig| {
        for scope in ["/v1", "/api/v1"] {
            let handlers = web::scope(scope)
                .route("/things", web::get().to(things))
                .route("/things", web::post().to(change))
                .route("/page", web::get().to(page))
                .route("/perhaps", web::get().to(perhaps))
                .route("/fails", web::get().to(fails));
            config.service(handlers);
        }
    };
    TestApp::embedded(|_| {}, routes).await
}

#[actix_web::test]
async fn a_handler_says_by_its_argument_whom_it_serves() {
    let app = start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    for path in ["/v1/things", "/api/v1/things"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.body().as_str()), (StatusCode::OK, "things of Ada Lovelace"), "{path}");
        assert_eq!(client.ask(Method::POST, path).await.status, StatusCode::NO_CONTENT, "{path}");
        let answer = browser.get(path).await;
        assert_eq!(refusal(&answer), refused(401, "cookie-not-accepted"), "{path}");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{path}");
        let answer = ApiClient::new(&app).send(Method::GET, path, &[], "").await;
        assert_eq!(refusal(&answer), refused(401, "token-missing"), "{path}");
        let answer = client.with_token(Method::GET, path, &browser.cookie("access_token")).await;
        assert_eq!(refusal(&answer), refused(401, "token-invalid"), "{path}");
    }
    assert_eq!(client.get("/v1/page").await.status, StatusCode::SEE_OTHER, "a page takes no bearer token");
    assert_eq!(browser.get("/v1/page").await.body(), "page of Ada Lovelace");
}

#[actix_web::test]
async fn no_cookie_counts_below_api_whatever_the_handler_asks_for() {
    let app = start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    app.advance(time::Duration::minutes(20));
    let answer = browser.get("/api/v1/page").await;
    assert_eq!(refusal(&answer), refused(401, "cookie-not-accepted"));
    assert!(answer.cookies().is_empty(), "and none is renewed");
    assert_eq!(refusal(&client.get("/api/v1/page").await), refused(401, "token-missing"));
    for visitor in [browser.get("/api/v1/perhaps").await, client.get("/api/v1/perhaps").await] {
        assert_eq!(visitor.body(), "somebody: false");
    }
}

#[actix_web::test]
async fn whoever_was_signed_out_meanwhile_changes_nothing() {
    let app = start().await;
    app.signed_in().await;
    let elsewhere = app.another_process().await;
    let client = ApiClient::signed_in(&app).await;
    let mut leaving = client.clone();
    leaving.connect(&elsewhere);
    assert_eq!(leaving.ask(Method::POST, "/api/logout").await.status, StatusCode::NO_CONTENT);
    for path in ["/v1/things", "/api/v1/things"] {
        assert_eq!(refusal(&client.ask(Method::POST, path).await), refused(401, "token-revoked"), "{path}");
    }
}

#[actix_web::test]
async fn a_fault_is_told_in_json_below_api_and_names_only_the_line_of_the_log() {
    let app = start().await;
    let client = ApiClient::new(&app);
    let answer = client.send(Method::GET, "/api/v1/fails", &[], "").await;
    assert_eq!(refusal(&answer), refused(500, "internal"));
    assert!(!answer.says("nobody is told"));
    assert!(read(&answer)["reference"].as_str().is_some_and(|reference| !reference.is_empty()));
    assert_eq!(client.send(Method::GET, "/v1/fails", &[], "").await.header("content-type"), "text/html; charset=utf-8");
}

#[actix_web::test]
async fn an_outage_is_told_in_json_wherever_a_token_was_asked_for() {
    let app = start().await;
    app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    let other = app.another_process().await;
    client.connect(&other);
    other.set_stopped(true);
    for path in ["/v1/things", "/api/v1/things"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, problem(&answer)),
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable".into()),
            "{path}"
        );
        assert_eq!(answer.header("retry-after"), "5", "{path}");
    }
    other.set_stopped(false);
}
