//! Several processes on one database serve one client.

use actix_web::http::StatusCode;
use futures_util::future::join;
use time::Duration;

use crate::support::TestApp;
use crate::support::api::{ApiClient, read, refusal, refused};

#[actix_web::test]
async fn any_process_takes_and_exchanges_what_another_issued() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let other = app.another_process().await;
    let mut client = ApiClient::signed_in(&app).await;
    for process in [&other, &app, &other] {
        client.connect(process);
        assert!(client.is_signed_in().await);
        app.advance(Duration::minutes(20));
        other.catch_up();
        let before = client.refresh.clone();
        assert_eq!(client.exchange().await.status, StatusCode::OK);
        assert_ne!(client.refresh, before);
    }
}

#[actix_web::test]
async fn a_parallel_exchange_at_two_processes_has_one_winner() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let other = app.another_process().await;
    let mut here = ApiClient::signed_in(&app).await;
    app.advance(Duration::minutes(20));
    other.catch_up();
    let (before, mut there) = (here.refresh.clone(), here.clone());
    there.connect(&other);
    let (first, second) = join(here.exchange(), there.exchange()).await;
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!([&here, &there].iter().filter(|client| client.refresh != before).count(), 1);
    assert!(here.is_signed_in().await && there.is_signed_in().await);
}

#[actix_web::test]
async fn an_end_at_one_process_is_known_to_the_other() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let other = app.another_process().await;
    let mut client = ApiClient::signed_in(&app).await;
    client.connect(&other);
    assert!(client.is_signed_in().await);
    assert_eq!(browser.submit("/dashboard", "/logout/everywhere", &[]).await.status, StatusCode::SEE_OTHER);
    other.catch_up();
    let answer = client.get("/api/protected").await;
    assert_eq!(refusal(&answer), refused(401, "token-revoked"));
    assert_eq!(read(&answer)["reason"], "signed_out_everywhere");
}

#[actix_web::test]
async fn keys_rotate_without_a_sign_out_and_a_key_that_is_gone_opens_nothing() {
    let key = |letter: &str| letter.repeat(40);
    let app = TestApp::with(|arguments| arguments.jwt_secret_key = Some(key("a"))).await;
    app.signed_in().await;
    let (mut renewed, mut unrenewed) = (ApiClient::signed_in(&app).await, ApiClient::signed_in(&app).await);
    let both = format!("{},{}", key("b"), key("a"));
    let app = app.restart_with(|arguments| arguments.jwt_secret_key = Some(both)).await;
    app.beat();
    app.catch_up();
    for client in [&mut renewed, &mut unrenewed] {
        client.connect(&app);
        assert!(client.is_signed_in().await, "by a token of the old key");
    }
    app.advance(Duration::minutes(20));
    assert_eq!(renewed.exchange().await.status, StatusCode::OK);
    let app = app.restart_with(|arguments| arguments.jwt_secret_key = Some(key("b"))).await;
    renewed.connect(&app);
    unrenewed.connect(&app);
    assert!(renewed.is_signed_in().await);
    app.advance(Duration::minutes(20));
    assert_eq!(renewed.exchange().await.status, StatusCode::OK);
    for answer in [unrenewed.get("/api/protected").await, unrenewed.exchange().await] {
        assert_eq!(refusal(&answer), refused(401, "token-invalid"));
    }
}
