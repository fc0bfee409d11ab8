//! Nobody loses their place: not by a stale form, a slash too many, or a sign-in that ends soon.

use actix_web::http::{Method, StatusCode};
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, START, TestApp, form_token};

const GRACE: &str = "grace@example.org";

async fn register_grace(browser: &Browser) {
    let fields = [("full_name", "Grace Hopper"), ("email", GRACE), ("password", PASSWORD)];
    assert_eq!(browser.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
}

/// Sends the form of a page that was opened a while ago.
async fn send(browser: &Browser, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Answer {
    let token = form_token(&page.body(), action);
    browser.post(action, &[fields, &[("form_token", &token)]].concat()).await
}

/// An installation with two accounts, and a browser whose first tab shows the sign-in form while its second signed Grace in.
async fn two_tabs() -> (TestApp, Browser, Answer) {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let stale = browser.get("/login?next=%2Fdevices").await;
    register_grace(&browser).await;
    (app, browser, stale)
}

#[actix_web::test]
async fn a_stale_form_asks_who_was_meant_and_signs_nobody_out_by_itself() {
    let (app, browser, stale) = two_tabs().await;
    let fields = [("email", EMAIL), ("password", PASSWORD), ("next", "/devices")];
    let answer = send(&browser, &stale, "/login", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/switch-account?next=%2Fdevices"));
    assert!(answer.cookies().is_empty());
    let page = browser.get(answer.location()).await;
    assert_eq!(page.status, StatusCode::OK);
    for words in [
        "<h1>You&#39;re signed in as Grace Hopper</h1>",
        GRACE,
        "href=\"/devices\">Continue as Grace Hopper</a>",
        "Sign in as someone else",
        "signs Grace Hopper out in this browser first",
    ] {
        assert!(page.says(words) || page.says(&words.replace("&#39;", "'")), "{words}: {}", page.body());
    }
    assert!(!page.says(EMAIL) && browser.is_signed_in().await, "nothing was done yet");
    assert!(browser.get("/devices").await.says("Grace Hopper"));

    let next = ("next", "/devices");
    let answer = browser.post("/logout", &[("form_token", &switch_token(&page)), next]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdevices"));
    let answer = browser.submit(answer.location(), "/login", &[("email", EMAIL), ("password", PASSWORD), next]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert!(browser.get("/devices").await.says(NAME));
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_because = 'signed_out'"), 1);
}

/// Returns the token of the page's own form, the last one to `/logout`.
fn switch_token(page: &Answer) -> String {
    let body = page.body();
    let forms: Vec<_> = body.match_indices("action=\"/logout\"").map(|(at, _)| at).collect();
    form_token(&body[*forms.last().unwrap()..], "/logout")
}

#[actix_web::test]
async fn a_stale_form_of_the_same_person_leads_where_it_was_to_lead() {
    let (_app, browser, stale) = two_tabs().await;
    for email in [GRACE, " Grace@Example.ORG "] {
        for password in [PASSWORD, "mistyped", ""] {
            let fields = [("email", email), ("password", password), ("next", "/devices")];
            let answer = send(&browser, &stale, "/login", &fields).await;
            assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
        }
    }
    let answer = send(&browser, &stale, "/login", &[("email", GRACE), ("next", "//evil.example")]).await;
    assert_eq!(answer.location(), "/dashboard");
    let answer = send(&browser, &stale, "/login", &[("email", EMAIL), ("next", "//evil.example")]).await;
    assert_eq!(answer.location(), "/switch-account");
    assert!(browser.get("/switch-account?next=//evil.example").await.says("href=\"/dashboard\">Continue"));
    assert_eq!(browser.get("/login?next=%2Fdevices").await.location(), "/devices", "as whoever is signed in");
    let empty = browser.post_body("/login", "text/plain", "").await;
    assert_eq!((empty.status, empty.location()), (StatusCode::SEE_OTHER, "/dashboard"));
}

#[actix_web::test]
async fn a_stale_registration_asks_as_well() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let stale = browser.get("/register").await;
    browser.register().await;
    let fields = [("full_name", "Grace Hopper"), ("email", GRACE), ("password", PASSWORD)];
    let answer = send(&browser, &stale, "/register", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/switch-account"));
    assert_eq!(app.rows().count("users"), 1);
}

#[actix_web::test]
async fn the_question_needs_somebody_who_is_signed_in() {
    let app = TestApp::start().await;
    let answer = app.browser().get("/switch-account?next=%2Fdevices").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdevices"));
    assert_eq!(app.browser().get("/switch-account?next=%2F%2Fevil").await.location(), "/login");
}

#[actix_web::test]
async fn signing_in_again_before_the_end_leads_back() {
    let app = TestApp::start().await;
    let browser = app.browser();
    app.signed_in().await;
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24) - Duration::seconds(30));
    for (path, back) in [("/devices", "/devices"), ("/activity?before=9", "/activity?before=9"), ("/none", "/")] {
        let page = browser.get(path).await;
        assert!(page.says("in less than a minute") && page.says(". Sign in again to stay."), "{}", page.body());
        assert!(page.says(&format!("<input type=\"hidden\" name=\"next\" value=\"{back}\">")), "{path}");
    }
    let token = browser.token("/devices", "/logout").await;
    let answer = browser.post("/logout", &[("form_token", &token), ("next", "/activity?before=9")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=%2Factivity%3Fbefore%3D9"));
    let page = browser.get(answer.location()).await;
    assert!(page.says("You have signed out") && page.says("name=\"next\" value=\"/activity?before=9\""));
    for evil in ["//evil.example", "https://evil.example"] {
        browser.sign_in().await;
        let token = browser.token("/devices", "/logout").await;
        let answer = browser.post("/logout", &[("form_token", &token), ("next", evil)]).await;
        assert_eq!(answer.location(), "/login", "{evil}");
    }
}

#[actix_web::test]
async fn a_slash_too_many_leads_to_the_page() {
    let app = TestApp::start().await;
    let browser = app.browser();
    for (path, location) in [
        ("/login/", "/login"),
        ("/login//", "/login"),
        ("/login/?next=%2Fdevices&a=%2F%2Fb", "/login?next=%2Fdevices&a=%2F%2Fb"),
        ("/dashboard/", "/dashboard"),
        ("/.well-known/change-password/", "/.well-known/change-password"),
        ("/readyz/", "/readyz"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = browser.ask(method, path).await;
            assert_eq!((answer.status.as_u16(), answer.location()), (308, location), "{path}");
        }
    }
    for path in [
        "//",
        "//evil.example/",
        "//evil.example/login/",
        "/evil.example/",
        "//login/",
        "/login/./",
        "/login%2F",
        "/logout/",
        "/devices/x/revoke/",
        "/static/",
        "/nothing/",
    ] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::NOT_FOUND, ""), "{path}");
    }
    let answer = browser.post("/login/", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::NOT_FOUND, ""), "a form is sent to its own address");
}

/// Returns what the dashboard says beside "Last sign-in".
async fn last_sign_in(browser: &Browser) -> String {
    let page = browser.get("/dashboard").await.body();
    let cell = page.split_once("<dt>Last sign-in</dt><dd>").unwrap().1;
    cell.split("</dd>").next().unwrap().to_owned()
}

#[actix_web::test]
async fn the_last_sign_in_is_the_one_besides_this() {
    const FIRST: &str = "This is your first sign-in";
    let app = TestApp::start().await;
    let first = app.signed_in().await;
    assert_eq!(last_sign_in(&first).await, FIRST);
    app.advance(Duration::minutes(20));
    assert_eq!(last_sign_in(&first).await, FIRST, "after a rotation as well");
    let second = app.browser();
    second.sign_in().await;
    let at =
        |minutes| (START + Duration::minutes(minutes)).format(&time::format_description::well_known::Rfc3339).unwrap();
    assert!(last_sign_in(&second).await.contains(&at(0)));
    app.advance(Duration::minutes(20));
    assert!(last_sign_in(&first).await.contains(&at(20)), "on another device, since");
    let third = app.browser();
    third.sign_in().await;
    assert!(last_sign_in(&third).await.contains(&at(20)));
    app.advance(Duration::minutes(20));
    assert!(last_sign_in(&second).await.contains(&at(40)));
    assert!(last_sign_in(&third).await.contains(&at(20)), "never this one");
}

#[actix_web::test]
async fn a_first_sign_in_is_told_from_one_that_nobody_noted() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let columns = "email, full_name, password_hash, role, is_active, created_at";
    let copied = "full_name, password_hash, 'user', TRUE, created_at";
    app.rows().execute(&format!("INSERT INTO users ({columns}) SELECT '{GRACE}', {copied} FROM users"));
    let browser = app.browser();
    let fields = [("email", GRACE), ("password", PASSWORD)];
    browser.submit("/login", "/login", &fields).await;
    assert_eq!(last_sign_in(&browser).await, "This is your first sign-in", "an account that was imported");
    // As an account is found that had signed in before an upgrade.
    app.rows().execute(&format!("UPDATE users SET previous_login_at = 0 WHERE email = '{GRACE}'"));
    app.advance(Duration::minutes(20));
    assert!(last_sign_in(&browser).await.contains("2060-03-01T09:00:00Z"));
}
