//! Forms from elsewhere, for somebody else, or of a shape that no browser sends.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::web::{self, Bytes, ServiceConfig};
use futures_util::{StreamExt, stream};
use perennial::CurrentUser;

use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

/// Asserts that a form was refused with a page that says what to do, and that it changed nothing.
async fn assert_refused(browser: &Browser, answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
    assert!(answer.says("so nothing was changed"), "{what}");
    assert_eq!(answer.header("clear-site-data"), "", "{what}");
    assert!(browser.is_signed_in().await, "{what}");
}

#[actix_web::test]
async fn a_form_that_the_browser_says_comes_from_another_site_is_refused() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    for site in ["cross-site", "same-site", "", "Same-Origin"] {
        let forged = browser.with_header("sec-fetch-site", site).post("/logout", &[("form_token", &token)]).await;
        assert_refused(&browser, &forged, site).await;
        assert!(forged.says("Open http://localhost:8080 in this browser"), "{site}");
    }
}

#[actix_web::test]
async fn a_websocket_that_another_site_opens_is_refused_like_a_form() {
    let routes = |config: &mut ServiceConfig| {
        config.route("/socket", web::get().to(async |user: CurrentUser| format!("hello {}", user.user().full_name)));
    };
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    let opening = browser.with_header("connection", "Upgrade").with_header("upgrade", "websocket");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = opening.with_header(name, value).get("/socket").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(!answer.says("hello"), "{name}: {value}");
        let link = browser.with_header(name, value).get("/socket").await;
        assert_eq!(link.status, StatusCode::OK, "a link on another site opens a page: {name}: {value}");
    }
    let own = opening.with_header("origin", "http://localhost:8080").get("/socket").await;
    assert_eq!((own.status, own.says("hello")), (StatusCode::OK, true));
}

#[actix_web::test]
async fn a_form_of_another_origin_is_refused() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    for origin in [
        "null",
        "https://evil.example",
        "https://localhost:8080",
        "http://localhost:8081",
        "http://localhost:8080.evil.example",
        "",
    ] {
        let forged = browser.with_header("origin", origin).post("/logout", &[("form_token", &token)]).await;
        assert_refused(&browser, &forged, origin).await;
    }
}

#[actix_web::test]
async fn the_host_header_does_not_decide_which_origin_is_ours() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let forged = browser.with_header("host", "evil.example").with_header("origin", "http://evil.example");
    assert_refused(&browser, &forged.post("/logout", &[("form_token", &token)]).await, "Host").await;
    let page = browser.with_header("host", "evil.example").get("/dashboard").await;
    assert!(!page.says("evil.example"));
}

#[actix_web::test]
async fn a_browser_that_names_no_origin_still_needs_the_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let bare = |body: String| {
        let request = TestRequest::post().uri("/logout").insert_header((COOKIE, browser.cookie_header()));
        (app.serve())(
            request.insert_header((ACCEPT, "text/html")).insert_header((CONTENT_TYPE, FORM)).set_payload(body),
            None,
        )
    };
    assert_eq!(bare(String::new()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(bare("form_token=".to_owned()).await.status(), StatusCode::FORBIDDEN);
    assert!(browser.is_signed_in().await);
    assert_eq!(bare(format!("form_token={token}")).await.status(), StatusCode::SEE_OTHER);
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_form_without_a_token_or_with_a_bent_one_is_refused() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    for bent in [String::new(), "x".to_owned(), format!("{token}A"), token[1..].to_owned(), token.to_lowercase()] {
        for path in ["/logout", "/logout/everywhere"] {
            assert_refused(&browser, &browser.post(path, &[("form_token", &bent)]).await, &bent).await;
        }
    }
    assert_refused(&browser, &browser.post("/logout", &[]).await, "no token").await;
    let in_query = browser.post(&format!("/logout?form_token={token}"), &[]).await;
    assert_refused(&browser, &in_query, "a token in the query").await;
}

#[actix_web::test]
async fn a_form_of_another_sign_in_is_refused_even_of_the_same_user() {
    let app = TestApp::start().await;
    let (browser, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    let token = phone.token("/dashboard", "/logout").await;
    assert_refused(&browser, &browser.post("/logout", &[("form_token", &token)]).await, "another session's").await;
}

#[actix_web::test]
async fn a_form_of_a_signed_out_page_is_refused_after_the_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    browser.sign_in().await;
    assert_refused(&browser, &browser.post("/logout", &[("form_token", &token)]).await, "signed-out form").await;
}

#[actix_web::test]
async fn a_form_of_a_sign_in_that_has_ended_does_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout/everywhere").await;
    browser.sign_out().await;
    let signed_out = browser.post("/logout/everywhere", &[("form_token", &token)]).await;
    assert_eq!((signed_out.status, signed_out.location()), (StatusCode::SEE_OTHER, "/login"));
    browser.sign_in().await;
    assert_refused(&browser, &browser.post("/logout/everywhere", &[("form_token", &token)]).await, "ended").await;
}

#[actix_web::test]
async fn nobody_can_be_signed_in_to_an_account_of_somebody_elses_choice() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (attacker, victim) = (app.browser(), app.browser());
    let token = attacker.token("/login", "/login").await;
    let fields = [("email", EMAIL), ("password", PASSWORD), ("form_token", token.as_str())];
    for path in ["/login", "/register"] {
        assert_eq!(victim.post(path, &fields).await.status, StatusCode::FORBIDDEN, "no form cookie, {path}");
    }
    victim.get("/login").await;
    let answer = victim.post("/login", &fields).await;
    assert_eq!((answer.status, answer.cookies()), (StatusCode::FORBIDDEN, Vec::new()), "another browser's form cookie");
    assert!(answer.says("Go back, reload the page and send the form again."));
    assert!(!victim.is_signed_in().await);
}

#[actix_web::test]
async fn a_form_of_a_page_opened_before_still_works_in_the_same_browser() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    browser.get("/register").await;
    browser.get("/login").await;
    let fields = [("email", EMAIL), ("password", PASSWORD), ("form_token", token.as_str())];
    assert_eq!(browser.post("/login", &fields).await.location(), "/dashboard");
}

#[actix_web::test]
async fn nothing_is_changed_by_following_a_link() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let links = browser.with_header("sec-fetch-site", "cross-site");
    for path in ["/logout", "/logout/everywhere"] {
        let answer = links.get(&format!("{path}?form_token={token}")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(links.get("/dashboard").await.status, StatusCode::OK);
    assert_eq!(
        browser
            .ask(Method::GET, &format!("/login?email={EMAIL}&password={PASSWORD}").replace(' ', "+"))
            .await
            .cookies(),
        []
    );
}

#[actix_web::test]
async fn a_form_of_more_than_16_kilobytes_is_refused() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    let fill = |bytes: usize| {
        let start = format!("form_token={token}&email={EMAIL}&password=wrong&fill=");
        format!("{start}{}", "x".repeat(bytes - start.len()))
    };
    assert_eq!(browser.post_body("/login", FORM, fill(16 * 1024)).await.status, StatusCode::UNAUTHORIZED);
    let answer = browser.post_body("/login", FORM, fill(16 * 1024 + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.says("Shorten what you entered and send it again."));
}

#[actix_web::test]
async fn a_password_of_a_megabyte_is_refused_and_nothing_is_hashed() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let password = "p".repeat(1024 * 1024);
    for path in ["/login", "/register"] {
        let fields = [("full_name", "A"), ("email", "b@example.org"), ("password", password.as_str())];
        assert_eq!(browser.submit(path, path, &fields).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    assert!(app.rows().events_of("sign_in_failed").is_empty());
}

#[actix_web::test]
async fn what_is_no_form_is_refused() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    let body = format!("form_token={token}&email=a%40b.cd&password=x");
    let json = format!("{{\"form_token\":\"{token}\",\"email\":\"a@b.cd\",\"password\":\"x\"}}");
    for (kind, body) in [
        ("application/json", json.as_str()),
        ("text/plain", &body),
        ("multipart/form-data; boundary=x", &body),
        ("", &body),
        (FORM, "email=%"),
        (FORM, "email=%4"),
        (FORM, "email=%zz"),
        (FORM, "email=%ff"),
        (FORM, "email=%C3"),
    ] {
        let answer = browser.post_body("/login", kind, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{kind} {body}");
        assert!(answer.says("Go back, reload the page and try again."), "{kind} {body}");
    }
    assert_eq!(browser.post_body("/login", FORM, &b"email=\xff"[..]).await.status, StatusCode::BAD_REQUEST);
    let fine = browser.post_body("/login", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", body).await;
    assert_eq!(fine.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_first_of_two_fields_counts_and_so_does_the_first_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let doubled = [("form_token", "x"), ("form_token", token.as_str())];
    assert_refused(&browser, &browser.post("/logout", &doubled).await, "two tokens").await;
}

#[actix_web::test]
async fn a_form_that_does_not_arrive_is_given_up_after_ten_seconds() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    let request = TestRequest::post().uri("/login").insert_header((COOKIE, browser.cookie_header()));
    let request = request.insert_header((CONTENT_TYPE, FORM));
    let start = Bytes::from(format!("form_token={token}&email="));
    let body = stream::once(async { Ok(start) }).chain(stream::pending());
    let begun = tokio::time::Instant::now();
    let response = (app.serve())(request, Some(Box::pin(body))).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_secs(10));
}
