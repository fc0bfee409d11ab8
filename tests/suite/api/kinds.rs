//! Each kind of token in the place of each other: none of them opens anything there.

use actix_web::http::{Method, StatusCode};

use crate::support::api::{ApiClient, problem, refusal, refused};
use crate::support::{Browser, EMAIL, TestApp, form_token};

/// Everything that is a token of something, with what it is.
async fn every_token(app: &TestApp, browser: &Browser, client: &ApiClient) -> Vec<(&'static str, String)> {
    let anonymous = app.browser();
    let form = form_token(&anonymous.get("/login").await.body(), "/login");
    let own_form = browser.token("/dashboard", "/logout").await;
    app.browser().submit("/password-reset", "/password-reset", &[("email", EMAIL)]).await;
    let mail = app.mail().pop().expect("a mail with a link").text;
    let (_, reset) = mail.split_once("/password-reset/").unwrap();
    let reset = reset.split_whitespace().next().unwrap().to_owned();
    vec![
        ("page access", browser.cookie("access_token")),
        ("page refresh", browser.cookie("keep_signed_in")),
        ("API access", client.access.clone()),
        ("API refresh", client.refresh.clone()),
        ("form token", form),
        ("form token of a sign-in", own_form),
        ("form cookie", anonymous.cookie("form")),
        ("device cookie", browser.cookie("known_device")),
        ("reset token", reset),
        ("session", client.session()),
        ("nothing", String::new()),
    ]
}

/// Returns what a page makes of cookies.
async fn opens_a_page(app: &TestApp, cookie: String) -> bool {
    let answer = app.browser().with_header("cookie", cookie).get("/dashboard").await;
    assert!(matches!(answer.status, StatusCode::OK | StatusCode::SEE_OTHER));
    answer.status == StatusCode::OK
}

#[actix_web::test]
async fn no_kind_of_token_stands_for_another() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    // Both are remembered, so that no memory takes one for the other.
    assert!(browser.is_signed_in().await && client.is_signed_in().await);
    let tokens = every_token(&app, &browser, &client).await;
    for (what, token) in &tokens {
        let opened = client.with_token(Method::GET, "/api/protected", token).await;
        assert_eq!(opened.status == StatusCode::OK, *what == "API access", "{what} as access token of the API");
        let exchanged = client.with_token(Method::POST, "/api/refresh", token).await;
        assert_eq!(exchanged.status == StatusCode::OK, *what == "API refresh", "{what} as refresh token of the API");
        for answer in [opened, exchanged].iter().filter(|answer| answer.status != StatusCode::OK) {
            let expected = if token.is_empty() { "token-missing" } else { "token-invalid" };
            assert_eq!(refusal(answer), refused(401, expected), "{what}");
        }
        let opens = opens_a_page(&app, format!("access_token={token}")).await;
        assert_eq!(opens, *what == "page access", "{what} as access cookie");
        let opens = opens_a_page(&app, format!("keep_signed_in={token}")).await;
        assert_eq!(opens, *what == "page refresh", "{what} as refresh cookie");
        let page = app.browser().with_header("authorization", format!("Bearer {token}")).get("/dashboard").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{what} as bearer token of a page");
        let path = format!("/api/protected?access_token={token}");
        let asked = ApiClient::new(&app).send(Method::GET, &path, &[], "").await;
        assert_eq!(problem(&asked), "token-missing", "{what} in the address");
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0, "nothing has ended");
}

#[actix_web::test]
async fn a_cookie_is_told_that_it_is_no_token_and_changes_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    app.advance(time::Duration::minutes(20));
    let with_cookies = ApiClient::new(&app).with_header("cookie", browser.cookie_header());
    let before = app.rows().number("SELECT max(generation) FROM sessions");
    for (method, path) in [
        (Method::GET, "/api/protected"),
        (Method::GET, "/api/session"),
        (Method::GET, "/api/sessions"),
        (Method::POST, "/api/refresh"),
        (Method::POST, "/api/logout"),
        (Method::DELETE, "/api/sessions/1"),
    ] {
        let answer = with_cookies.send(method.clone(), path, &[], "").await;
        assert_eq!(refusal(&answer), refused(401, "cookie-not-accepted"), "{method} {path}");
        let challenge = answer.header("www-authenticate");
        assert!(!challenge.contains("error"), "no token came, so none was wrong: {challenge}");
        let other = ApiClient::new(&app).with_header("cookie", "theme=dark");
        assert_eq!(problem(&other.send(method, path, &[], "").await), "token-missing", "somebody else's cookie");
    }
    assert_eq!(app.rows().number("SELECT max(generation) FROM sessions"), before, "no cookie was renewed");
    assert!(browser.is_signed_in().await);
    // Beside a good token a cookie is nothing.
    let mut client = client.with_header("cookie", browser.cookie_header());
    assert_eq!(client.exchange().await.status, StatusCode::OK);
    assert!(client.is_signed_in().await);
}

#[actix_web::test]
async fn a_bearer_token_on_a_page_is_ignored() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    for token in [client.access.as_str(), client.refresh.as_str(), "x"] {
        let bearer = format!("Bearer {token}");
        let visitor = app.browser().with_header("authorization", &bearer);
        assert!(!visitor.is_signed_in().await);
        assert!(!visitor.holds("access_token") && !visitor.holds("keep_signed_in"));
        assert!(browser.with_header("authorization", &bearer).is_signed_in().await, "and hides no cookie");
    }
}

#[actix_web::test]
async fn an_encoded_path_is_the_apis_as_well() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    for path in ["/%61pi/protected", "/%61%70%69/protected", "/api/%70rotected"] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status, problem(&answer)),
            (StatusCode::UNAUTHORIZED, "cookie-not-accepted".into()),
            "{path}"
        );
        assert!(answer.cookies().is_empty(), "{path}");
    }
    for path in ["//api/protected", "/api//protected", "/api%2Fprotected", "/API/protected", "/api/protected/"] {
        assert_eq!(client.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
