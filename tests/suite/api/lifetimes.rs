//! How long the tokens of the API live.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::TestApp;
use crate::support::api::{ApiClient, read, refusal, refused};

async fn signed_in() -> (TestApp, ApiClient) {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    (app, client)
}

#[actix_web::test]
async fn an_access_token_expires_to_the_second() {
    let (app, client) = signed_in().await;
    app.advance(Duration::seconds(899));
    assert!(client.is_signed_in().await);
    app.advance(Duration::SECOND);
    let answer = client.get("/api/protected").await;
    assert_eq!(refusal(&answer), refused(401, "token-expired"));
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\"") && challenge.contains("expired"), "{challenge}");
    assert!(read(&answer)["detail"].as_str().unwrap().contains("/api/refresh"));
}

#[actix_web::test]
async fn a_sign_in_that_is_used_lives_for_thirty_days_and_not_a_second_longer() {
    let (app, mut client) = signed_in().await;
    for _ in 0..4 {
        app.advance(Duration::days(7));
        assert_eq!(client.exchange().await.status, StatusCode::OK);
    }
    app.advance(Duration::days(2) - Duration::minutes(5));
    let last = read(&client.exchange().await);
    assert_eq!(last["expires_in"], 300, "no access token outlives its sign-in");
    app.advance(Duration::minutes(5));
    let answer = client.exchange().await;
    assert_eq!(refusal(&answer), refused(401, "token-expired"));
    assert!(read(&answer)["detail"].as_str().unwrap().contains("/api/login"));
}

#[actix_web::test]
async fn a_sign_in_that_is_not_used_ends_after_fourteen_days() {
    let (app, mut client) = signed_in().await;
    app.advance(Duration::days(14));
    let mut alive = client.clone();
    assert_eq!(alive.exchange().await.status, StatusCode::OK, "never early");
    app.write_last_seen();
    app.advance(Duration::days(14) + Duration::minutes(5));
    assert_eq!(refusal(&alive.exchange().await), refused(401, "token-expired"));
    assert_eq!(refusal(&client.exchange().await), refused(401, "token-expired"));
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0, "nothing is judged once it is over");
}

#[actix_web::test]
async fn a_call_is_a_use() {
    let app = TestApp::with(|arguments| {
        arguments.access_token_ttl = Some("10d".to_owned());
    })
    .await;
    app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    app.advance(Duration::days(9));
    assert!(client.is_signed_in().await);
    app.write_last_seen();
    app.advance(Duration::days(9));
    assert_eq!(client.exchange().await.status, StatusCode::OK, "18 days after the sign-in, 9 after the call");
}
