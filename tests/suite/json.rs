//! Clients that would rather have JSON than a page.

use actix_web::http::StatusCode;

use crate::support::TestApp;

#[actix_web::test]
async fn a_client_that_prefers_json_is_told_in_json_that_it_must_sign_in() {
    let app = TestApp::start().await;
    for accept in
        ["application/json", "Application/JSON", "text/html;q=0.5, application/json", "application/json, */*;q=0.1"]
    {
        for path in ["/dashboard", "/token-details"] {
            let answer = app.browser().with_header("accept", accept).get(path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{accept}");
            assert_eq!(answer.header("content-type"), "application/json", "{accept}");
            assert_eq!(answer.location(), "", "{accept}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Cookie ") && challenge.contains("form-action=\"/login\""), "{challenge}");
            let body: serde_json::Value = serde_json::from_slice(&answer.bytes).unwrap();
            assert_eq!(body["error"], "Authentication required", "{accept}");
            assert!(body["message"].as_str().is_some_and(|text| text.starts_with("Please sign in to ")), "{accept}");
        }
    }
}

#[actix_web::test]
async fn whoever_does_not_prefer_json_is_led_to_the_sign_in_page() {
    let app = TestApp::start().await;
    for accept in [
        "",
        "*/*",
        "text/html",
        "text/html, application/json;q=0.9",
        "text/html, application/json",
        "application/json;q=0",
    ] {
        let answer = app.browser().with_header("accept", accept).get("/dashboard").await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"), "{accept}");
    }
}

#[actix_web::test]
async fn a_form_sent_without_a_sign_in_is_answered_alike() {
    let app = TestApp::start().await;
    let answer = app.browser().with_header("accept", "application/json").post("/logout", &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::UNAUTHORIZED, "application/json"));
    let answer = app.browser().post("/logout", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
}

#[actix_web::test]
async fn an_answer_in_json_leaves_dead_cookies_alone_too() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = browser.with_header("accept", "application/json");
    assert_eq!(client.get("/dashboard").await.status, StatusCode::OK);
    browser.sign_out().await;
    let answer = client.get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.cookies(), []);
    assert_eq!(answer.header("cache-control"), "no-store");
}
