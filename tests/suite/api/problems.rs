//! What the API says where it refuses something: each refusal has a `type` of its own, and no input is a fault of ours.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use time::Duration;

use crate::support::api::{ApiClient, problem, read, refusal, refused};
use crate::support::{Answer, EMAIL, PASSWORD, TestApp};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

async fn with_account() -> (TestApp, ApiClient) {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::new(&app);
    (app, client)
}

async fn log_in_with(client: &ApiClient, body: impl Into<Vec<u8>>) -> Answer {
    client.send(Method::POST, "/api/login", JSON, body).await
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_are_told_alike() {
    let (app, mut client) = with_account().await;
    let wrong = client.log_in(EMAIL, "a wrong one").await;
    let unknown = client.log_in("nobody@example.org", PASSWORD).await;
    let none = client.log_in("no address", PASSWORD).await;
    for answer in [&wrong, &unknown, &none] {
        assert_eq!(refusal(answer), refused(401, "credentials-refused"));
        assert_eq!(answer.bytes, wrong.bytes);
        assert!(!answer.header("www-authenticate").contains("error"), "no token came");
    }
    assert_eq!(app.rows().count_events("sign_in_failed"), 3);
}

#[actix_web::test]
async fn an_account_is_locked_for_pages_and_the_api_together() {
    let (app, mut client) = with_account().await;
    for _ in 0..5 {
        assert_eq!(problem(&client.log_in(EMAIL, "a wrong one").await), "credentials-refused");
    }
    let work = app.password_work();
    let locked = client.log_in(EMAIL, PASSWORD).await;
    assert_eq!(refusal(&locked), refused(403, "account-locked"));
    assert!((1..=30).contains(&locked.header("retry-after").parse().unwrap()), "{}", locked.header("retry-after"));
    assert_eq!(app.password_work(), work, "no password was looked at");
    let stranger = app.browser();
    let fields = [("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(stranger.submit("/login", "/login", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.rows().count_events("account_locked"), 1);
    app.advance(Duration::seconds(31));
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(problem(&client.log_in(EMAIL, "a wrong one").await), "credentials-refused", "the count began anew");
}

#[actix_web::test]
async fn tries_from_one_address_are_limited() {
    let (_app, mut client) = with_account().await;
    for number in 0..100 {
        let answer = client.log_in(&format!("nobody{number}@example.org"), "a wrong one").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(number >= 20, "after {number}");
            assert_eq!(problem(&answer), "too-many-tries");
            return;
        }
        assert_eq!(problem(&answer), "credentials-refused");
    }
    panic!("a hundred tries from one address");
}

#[actix_web::test]
async fn a_body_that_is_no_json_or_not_what_was_asked_for_is_told() {
    let (_app, client) = with_account().await;
    let deep = format!(r#"{{"email":{}"#, "[".repeat(8000));
    let closed = format!(r#"{{"email":{}1{},"password":"x"}}"#, "[".repeat(200), "]".repeat(200));
    for body in [&b""[..], b"{", b"email=a&password=b", b"{'email':1}", b"\xff\xfe", b"\0", b"\xef\xbb\xbf{}", b"nul"] {
        assert_eq!(refusal(&log_in_with(&client, body).await), refused(400, "body-malformed"), "{body:?}");
    }
    for body in [deep, closed, r#"{"email":"\ud800","password":"x"}"#.to_owned(), r#"{"email":"a	"}"#.to_owned()] {
        let status = log_in_with(&client, body.clone()).await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{status}: {body:.40}");
    }
    for body in [
        "{}",
        "[]",
        "null",
        "7",
        r#""text""#,
        r#"{"email":"a@example.org"}"#,
        r#"{"password":"x"}"#,
        r#"{"email":null,"password":"x"}"#,
        r#"{"email":7,"password":"x"}"#,
        r#"{"email":"a@example.org","password":["x"]}"#,
        r#"{"email":"","password":"x"}"#,
        r#"{"email":" ","password":"x"}"#,
        r#"{"email":"a@example.org","password":""}"#,
        r#"{"email":"a@example.org","email":"ada@example.org","password":"x"}"#,
        r#"{"email":"ada@example.org","password":"three random words","password":"x"}"#,
    ] {
        assert_eq!(refusal(&log_in_with(&client, body).await), refused(422, "body-invalid"), "{body}");
    }
    let long = json!({ "email": EMAIL, "password": "x".repeat(1025) });
    assert_eq!(refusal(&log_in_with(&client, long.to_string()).await), refused(422, "body-invalid"));
    let null = json!({ "email": "ada\0@example.org", "password": "three\0random words" });
    assert_eq!(refusal(&log_in_with(&client, null.to_string()).await), refused(401, "credentials-refused"));
    let more = json!({ "email": EMAIL, "password": PASSWORD, "remember": true });
    assert_eq!(log_in_with(&client, more.to_string()).await.status, StatusCode::OK, "what is unknown is ignored");
    let escaped = r#"{"email":"\u0061da@example.org","password":"three\u0020random words"}"#;
    assert_eq!(log_in_with(&client, escaped).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_is_said_of_a_body_holds_nothing_of_it() {
    let (_app, client) = with_account().await;
    for body in [
        r#"{"email":"x","password":{"hunter22":1}}"#,
        r#"{"password":hunter22"#,
        r#"{"email":"x","password":4711}"#,
        r#""hunter22""#,
        r#"["x",4711]"#,
    ] {
        let answer = log_in_with(&client, body).await;
        assert!(!answer.says("hunter") && !answer.says("4711"), "{}", answer.body());
    }
}

#[actix_web::test]
async fn a_body_of_another_type_or_size_is_refused() {
    let (_app, client) = with_account().await;
    let good = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "json", ""]
    {
        let answer = client.send(Method::POST, "/api/login", &[("content-type", kind)], good.clone()).await;
        assert_eq!(refusal(&answer), refused(415, "body-not-json"), "{kind}");
    }
    let none = client.send(Method::POST, "/api/login", &[], good.clone()).await;
    assert_eq!(refusal(&none), refused(415, "body-not-json"));
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=latin1"] {
        let answer = client.send(Method::POST, "/api/login", &[("content-type", kind)], good.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}");
    }
    let large = json!({ "email": EMAIL, "password": "x".repeat(20_000) }).to_string();
    assert_eq!(refusal(&log_in_with(&client, large).await), refused(413, "body-too-large"));
}

#[actix_web::test]
async fn whatever_is_unknown_below_api_is_told_as_a_problem() {
    let (_app, client) = with_account().await;
    let signed_in = ApiClient::signed_in(&_app).await;
    for path in
        ["/api", "/api/", "/api/nothing", "/api/login/", "/api/sessions/1/2", "/api/..%2f", "/api/%ff", "/api/\u{e9}"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let path = path.replace('\u{e9}', "%C3%A9");
            let answer = client.send(method.clone(), &path, &[], "").await;
            assert_eq!(refusal(&answer), refused(404, "not-found"), "{method} {path}");
            assert_eq!(refusal(&signed_in.ask(method, &path).await), refused(404, "not-found"));
        }
    }
    for (method, path, allowed) in [
        (Method::GET, "/api/login", "POST"),
        (Method::PUT, "/api/login", "POST"),
        (Method::OPTIONS, "/api/login", "POST"),
        (Method::POST, "/api/protected", "GET, HEAD"),
        (Method::GET, "/api/logout", "POST"),
        (Method::POST, "/api/sessions/1", "DELETE"),
        (Method::TRACE, "/api/openapi.json", "GET, HEAD"),
    ] {
        let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        let answer = client.send(method.clone(), path, &preflight, "").await;
        assert_eq!(refusal(&answer), refused(405, "method-not-allowed"), "{method} {path}");
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
    // Elsewhere errors stay pages.
    let page = client.send(Method::GET, "/apis", &[], "").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"));
}

#[actix_web::test]
async fn an_authorization_header_is_read_as_rfc_6750_says_or_refused() {
    let (app, _) = with_account().await;
    let client = ApiClient::signed_in(&app).await;
    let token = client.access.as_str();
    let ask = |value: String| {
        let asking = ApiClient::new(&app).with_header("authorization", value);
        async move { asking.send(Method::GET, "/api/protected", &[], "").await }
    };
    for value in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token} ")] {
        assert_eq!(ask(value.clone()).await.status, StatusCode::OK, "{value}");
    }
    for value in ["", "Bearer", "Bearer ", "Basic YWRhOnBhc3M=", "Bearer:", token, "Token abc", "DPoP abc"] {
        assert_eq!(refusal(&ask(value.to_owned()).await), refused(401, "token-missing"), "{value}");
    }
    for value in [
        "Bearer x".to_owned(),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},Bearer {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer Bearer {token}"),
        format!("Bearer {token}é"),
        format!("Bearer {}", "x".repeat(8192)),
        format!("Bearer {}", ".".repeat(8192)),
        "Bearer ..".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer \u{fffd}".to_owned(),
    ] {
        let answer = ask(value.clone()).await;
        assert_eq!(refusal(&answer), refused(401, "token-invalid"), "{value:.80}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    let raw = ApiClient::new(&app).with_header("authorization", b"Bearer \xff\xfe");
    assert_eq!(problem(&raw.send(Method::GET, "/api/protected", &[], "").await), "token-invalid");
    let twice = client.with_header("authorization", format!("Bearer {token}"));
    for (method, path) in [(Method::GET, "/api/protected"), (Method::POST, "/api/refresh")] {
        let answer = twice.ask(method, path).await;
        assert_eq!(refusal(&answer), refused(400, "authorization-malformed"));
        assert!(answer.header("www-authenticate").contains("error=\"invalid_request\""));
    }
}

#[actix_web::test]
async fn a_database_that_is_away_is_told_and_costs_no_token() {
    let (app, _) = with_account().await;
    let mut client = ApiClient::signed_in(&app).await;
    app.set_stopped(true);
    assert!(client.is_signed_in().await, "from memory");
    for answer in [
        client.log_in(EMAIL, PASSWORD).await,
        client.exchange().await,
        client.get("/api/sessions").await,
        client.ask(Method::POST, "/api/logout").await,
    ] {
        assert_eq!(refusal(&answer), refused(503, "unavailable"));
        assert!(read(&answer)["reference"].as_str().is_some_and(|reference| !reference.is_empty()));
    }
    app.set_stopped(false);
    assert!(client.is_signed_in().await);
    assert_eq!(client.exchange().await.status, StatusCode::OK);
}

#[actix_web::test]
async fn where_a_request_comes_from_does_not_matter() {
    let (_app, client) = with_account().await;
    let body = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    for from in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let headers = [("content-type", "application/json"), from];
        let answer = client.send(Method::POST, "/api/login", &headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "no cookie signs in here, so there is nothing to forge: {from:?}");
    }
}
