//! What browsers, password managers and search engines ask for without having been told of it.

use actix_web::http::StatusCode;

use crate::support::TestApp;

#[actix_web::test]
async fn password_managers_find_where_to_change_a_password() {
    let app = TestApp::start().await;
    let answer = app.browser().get("/.well-known/change-password").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/account"));
    let browser = app.signed_in().await;
    let place = browser.get("/.well-known/change-password").await.location().to_owned();
    assert_eq!(browser.get(&place).await.status, StatusCode::OK, "{place} is a page");
}

#[actix_web::test]
async fn browsers_and_search_engines_find_what_they_ask_for_by_themselves() {
    let app = TestApp::start().await;
    let stranger = app.browser();
    for (path, kind, start) in [
        ("/favicon.ico", "image/vnd.microsoft.icon", &b"\0\0\x01\0"[..]),
        ("/apple-touch-icon.png", "image/png", b"\x89PNG\r\n\x1a\n"),
        ("/robots.txt", "text/plain; charset=utf-8", b"#"),
    ] {
        let answer = stranger.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind), "{path}");
        assert!(answer.bytes.starts_with(start) && answer.bytes.len() < 4096, "{path}");
        assert_eq!(answer.header("cache-control"), "public, max-age=86400", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.cookies(), [], "{path}: a cache must never hold a cookie");
    }
    let robots = stranger.get("/robots.txt").await;
    assert!(robots.says("User-agent: *\n") && !robots.says("Disallow: /\n") && !robots.says("Disallow: /login\n"));
    assert!(stranger.get("/login").await.says("<link rel=\"apple-touch-icon\" href=\"/apple-touch-icon.png\">"));
}

#[actix_web::test]
async fn each_page_describes_itself_in_words_of_its_own() {
    let app = TestApp::start().await;
    let (stranger, browser) = (app.browser(), app.signed_in().await);
    let mut told = Vec::new();
    for page in [
        stranger.get("/login").await,
        stranger.get("/register").await,
        stranger.get("/nowhere").await,
        browser.get("/dashboard").await,
        browser.get("/token-details").await,
        browser.get("/devices").await,
        browser.get("/activity").await,
        browser.get("/account").await,
        browser.get("/reauthenticate").await,
    ] {
        let body = page.body();
        assert_eq!(body.matches("<meta name=\"description\"").count(), 1, "{body}");
        let words = body.split_once("<meta name=\"description\" content=\"").unwrap().1.split('"').next().unwrap();
        assert!(words.split(' ').count() > 3, "{words}");
        told.push(words.to_owned());
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 9, "{told:?}");
}
