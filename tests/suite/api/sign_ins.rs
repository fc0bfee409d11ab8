//! Sign in, look, list, end: what a client of the API does with its tokens, and what a person sees of that.

use actix_web::http::{Method, StatusCode};
use time::Duration;

use crate::support::api::{ApiClient, problem, read, refusal, refused};
use crate::support::{EMAIL, PASSWORD, TestApp};

#[actix_web::test]
async fn a_client_signs_in_and_is_greeted_by_name() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut client = ApiClient::new(&app);
    let tokens = read(&client.log_in(EMAIL, PASSWORD).await);
    let mut names: Vec<_> = tokens.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["access_token", "expires_in", "message", "refresh_token"]);
    assert_eq!(tokens["expires_in"], 900);
    let answer = client.get("/api/protected").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    let greeting = serde_json::json!({ "message": "Hello Ada Lovelace, welcome to the protected page." });
    assert_eq!(read(&answer), greeting);
    app.set_stopped(true);
    assert_eq!(read(&client.get("/api/protected").await), greeting, "no database is asked");
    app.set_stopped(false);
}

#[actix_web::test]
async fn a_process_that_has_never_seen_a_token_looks_it_up_once() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    let elsewhere = app.another_process().await;
    client.connect(&elsewhere);
    assert!(client.is_signed_in().await);
    elsewhere.set_stopped(true);
    assert!(client.is_signed_in().await, "from memory");
    elsewhere.set_stopped(false);
}

#[actix_web::test]
async fn a_sign_in_by_the_api_is_a_sign_in_like_any() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(1));
    let client = ApiClient::signed_in(&app).await;
    let devices = browser.get("/devices").await;
    assert!(devices.says("192.0.2.7") && devices.says(&client.session()), "{}", devices.body());
    assert!(browser.get("/activity").await.says("192.0.2.7"));

    let sessions = read(&client.get("/api/sessions").await);
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let own = sessions.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(own, &read(&client.get("/api/session").await));
    assert_eq!((&own["id"], &own["created_at"]), (&client.session().into(), &"2060-03-01T09:01:00Z".into()));
    assert_eq!(own["expires_at"], "2060-03-31T09:01:00Z", "as one that is kept");
    let mut names: Vec<_> = own.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["created_at", "current", "expires_at", "id"]);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    assert_eq!(other["id"], browser.session());
    let known = "SELECT count(*) FROM throttle_counters WHERE account_hash IS NOT NULL";
    assert_eq!(app.rows().number(known), 2, "the browser, and the program by its address and name");
    let told = |app: &TestApp| app.mail().iter().filter(|mail| mail.text.contains("192.0.2.7")).count();
    assert_eq!(told(&app), 1, "as any new device");
    ApiClient::signed_in(&app).await;
    assert_eq!((app.rows().number(known), told(&app)), (2, 1), "once");
}

#[actix_web::test]
async fn a_page_ends_a_sign_in_of_the_api_at_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    let path = format!("/devices/{}/revoke", client.session());
    assert_eq!(browser.submit("/devices", &path, &[]).await.status, StatusCode::SEE_OTHER);
    for answer in [client.get("/api/protected").await, client.exchange().await] {
        assert_eq!(refusal(&answer), refused(401, "token-revoked"));
        assert_eq!(read(&answer)["reason"], "revoked");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    let mut client = ApiClient::signed_in(&app).await;
    assert_eq!(browser.submit("/dashboard", "/logout/everywhere", &[]).await.status, StatusCode::SEE_OTHER);
    for answer in [client.get("/api/protected").await, client.exchange().await] {
        assert_eq!(refusal(&answer), refused(401, "token-revoked"));
        assert_eq!(read(&answer)["reason"], "signed_out_everywhere");
    }
}

#[actix_web::test]
async fn a_client_ends_its_own_sign_in_and_no_other() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let (mut leaving, staying) = (ApiClient::signed_in(&app).await, ApiClient::signed_in(&app).await);
    let answer = leaving.ask(Method::POST, "/api/logout").await;
    assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NO_CONTENT, 0));
    for answer in [
        leaving.get("/api/protected").await,
        leaving.get("/api/sessions").await,
        leaving.ask(Method::POST, "/api/logout").await,
        leaving.exchange().await,
    ] {
        assert_eq!(refusal(&answer), refused(401, "token-revoked"));
        assert_eq!(read(&answer)["reason"], "signed_out");
    }
    assert!(staying.is_signed_in().await && browser.is_signed_in().await);
    assert_eq!(app.rows().count_events("signed_out"), 1);
}

#[actix_web::test]
async fn a_client_ends_any_sign_in_of_its_user_and_of_nobody_else() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let (client, stranger) = (ApiClient::signed_in(&app).await, app.browser());
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    assert_eq!(stranger.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    let revoke = |id: String| {
        let client = client.clone();
        async move { client.ask(Method::DELETE, &format!("/api/sessions/{id}")).await }
    };
    for id in ["nothing", "..", "%00", "01a1ff61-6b68-7192-8174-1b3dd5640274", "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(refusal(&revoke(id.to_owned()).await), refused(404, "not-found"), "{id}");
    }
    assert_eq!(problem(&revoke(stranger.session()).await), "not-found", "another user's");
    assert!(stranger.is_signed_in().await);
    for _ in 0..2 {
        assert_eq!(revoke(browser.session()).await.status, StatusCode::NO_CONTENT, "by this request or before");
    }
    assert!(!browser.is_signed_in().await);
    assert_eq!(revoke(client.session()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(refusal(&client.get("/api/session").await), refused(401, "token-revoked"), "its own");
}

#[actix_web::test]
async fn a_user_who_is_deactivated_is_out() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (mut by_refresh, by_access) = (ApiClient::signed_in(&app).await, ApiClient::signed_in(&app).await);
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    for answer in [by_refresh.exchange().await, by_access.get("/api/protected").await] {
        assert_eq!(refusal(&answer), refused(401, "token-revoked"));
        assert_eq!(read(&answer)["reason"], "deactivated");
    }
    let answer = ApiClient::new(&app).log_in(EMAIL, PASSWORD).await;
    assert_eq!(refusal(&answer), refused(401, "credentials-refused"), "and is not told why");
}

#[actix_web::test]
async fn a_name_is_greeted_as_the_database_has_it() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    app.rows().execute(r#"UPDATE users SET full_name = 'Ada "L" <b>\ é'"#);
    app.catch_up();
    let greeting = read(&client.get("/api/protected").await);
    assert_eq!(greeting["message"], r#"Hello Ada "L" <b>\ é, welcome to the protected page."#);
}

#[actix_web::test]
async fn what_a_client_holds_is_stored_nowhere() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    let stored = crate::support::everything_stored(&app.folder());
    for secret in [client.access.as_str(), client.refresh.split('.').nth(2).unwrap()] {
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}
