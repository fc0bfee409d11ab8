//! The `next` of a sign-in leads to a path on this site and nowhere else.

use actix_web::http::StatusCode;

use crate::support::{EMAIL, PASSWORD, TestApp};

/// What browsers or proxies could take for another site, another scheme or another header.
const EVIL: [&str; 30] = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/%09/evil.example",
    "/%2f/evil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%252fevil.example",
    "/x%0d%0aSet-Cookie:%20a=b",
    "/x\r\nSet-Cookie: a=b",
    "/x%00",
    "https://evil.example",
    "http:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "user@evil.example",
    "@evil.example",
    "evil.example",
    ".evil.example",
    " /dashboard",
    "/dash board",
    "/\u{2003}/evil.example",
    "/<script>",
];

#[actix_web::test]
async fn nothing_but_a_local_path_is_followed_after_a_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for next in EVIL {
        let browser = app.browser();
        let fields = [("email", EMAIL), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/login", "/login", &fields).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{next:?}");
    }
}

#[actix_web::test]
async fn nothing_but_a_local_path_is_kept_by_the_sign_in_page() {
    let app = TestApp::start().await;
    let (stranger, browser) = (app.browser(), app.signed_in().await);
    for next in EVIL {
        let query: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = stranger.get(&format!("/login?next={query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{next:?}");
        assert!(!page.says("name=\"next\""), "{next:?}");
        let refused = stranger.submit("/login", "/login", &[("email", EMAIL), ("password", "x"), ("next", next)]).await;
        assert!(!refused.says("name=\"next\"") && !refused.says("evil"), "{next:?}");
        assert_eq!(browser.get(&format!("/login?next={query}")).await.location(), "/dashboard", "{next:?}");
    }
}

#[actix_web::test]
async fn a_path_longer_than_any_of_ours_is_not_kept() {
    let app = TestApp::start().await;
    let page = app.browser().get(&format!("/login?next=/{}", "x".repeat(3000))).await;
    assert!(page.status == StatusCode::OK && !page.says("xxxx"));
    let long = app.browser().get(&format!("/dashboard?{}", "x".repeat(3000))).await;
    assert_eq!((long.status, long.location()), (StatusCode::SEE_OTHER, "/login"));
}

#[actix_web::test]
async fn a_query_that_makes_no_sense_shows_the_sign_in_page_all_the_same() {
    let app = TestApp::start().await;
    for query in ["next=/a&next=/b", "next", "next=", "%", "next=%ff", "next[]=/a", "&&&", "next=%"] {
        assert_eq!(app.browser().get(&format!("/login?{query}")).await.status, StatusCode::OK, "{query}");
    }
}

#[actix_web::test]
async fn a_protected_page_asked_for_in_a_strange_way_leads_to_the_sign_in_page() {
    let app = TestApp::start().await;
    for (path, location) in [
        ("/dashboard?x=%0d%0aSet-Cookie:%20a=b", "/login?next=%2Fdashboard%3Fx%3D%250d%250aSet-Cookie%3A%2520a%3Db"),
        ("/dashboard?next=//evil.example", "/login?next=%2Fdashboard%3Fnext%3D%2F%2Fevil.example"),
    ] {
        let answer = app.browser().get(path).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, location));
        assert_eq!(answer.cookies(), []);
    }
}
