//! How a page tells of the life of its sign-in: a picture, a countdown, and a curtain at its end.

use time::Duration;

use crate::support::TestApp;

#[actix_web::test]
async fn a_page_that_may_be_left_open_until_its_sign_in_is_over_is_covered_then() {
    let app = TestApp::start().await;
    let kept = app.signed_in().await;
    assert!(!kept.get("/dashboard").await.says("class=\"curtain\""), "it goes on for a month");
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24) - Duration::minutes(5));
    for path in ["/dashboard", "/nowhere"] {
        let page = browser.get(path).await;
        assert!(page.says("class=\"curtain\"") && page.says(":root{--end-from:300;--end-time:300s}"), "{path}");
        let nonce = page.body().split_once("<style nonce=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let policy = page.header("content-security-policy");
        assert!(policy.contains(&format!("style-src 'self' 'nonce-{nonce}';")), "{path}: {policy}");
    }
    let page = browser.get("/devices").await;
    assert!(page.says("href=\"/devices\">Sign in to go on"), "it leads back to the page: {}", page.body());
    assert!(page.says("<span class=\"countdown__words\">in 5 minutes</span>"), "{}", page.body());
    assert!(!app.browser().get("/login").await.says("curtain"));
}

#[actix_web::test]
async fn the_life_of_a_sign_in_is_drawn_and_said() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::days(10));
    let page = browser.get("/token-details").await;
    assert_eq!(page.body().matches("class=\"life__renewal\"").count(), 1);
    assert!(page.says("class=\"life__now\" cx=\"34%\""), "a third of the way: {}", page.body());
    for words in ["Renewed once: generation 1", "Ends if nobody uses it", "Ends for good", "15m 0s left"] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
}
