//! Every page: where it is, what it says, and what stands around it.

use std::io::Read;

use actix_web::http::{Method, StatusCode};
use flate2::read::GzDecoder;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

/// The paths of pages, and of nothing.
const PATHS: [&str; 7] =
    ["/", "/login", "/register", "/dashboard", "/token-details", "/.well-known/change-password", "/nowhere"];

fn assert_leads(answer: &Answer, location: &str) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, location));
}

/// Returns the addresses of the stylesheet and the icon of a page.
fn files(page: &str) -> Vec<String> {
    let links = page.split("<link ").skip(1);
    let addresses = links.map(|link| link.split_once("href=\"").unwrap().1.split('"').next().unwrap().to_owned());
    addresses.filter(|address| address.starts_with("/static/")).collect()
}

/// Returns the cells of the table on a page, by their headings.
fn table(page: &str) -> Vec<(String, String)> {
    let rows = page.split("<th scope=\"row\">").skip(1);
    rows.map(|row| {
        let (heading, rest) = row.split_once("</th><td>").unwrap();
        (heading.to_owned(), rest.split_once("</td>").unwrap().0.to_owned())
    })
    .collect()
}

#[actix_web::test]
async fn the_first_page_leads_to_the_dashboard_or_to_the_sign_in_page() {
    let app = TestApp::start().await;
    assert_leads(&app.browser().get("/").await, "/login");
    assert_leads(&app.signed_in().await.get("/").await, "/dashboard");
}

#[actix_web::test]
async fn a_visitor_who_is_signed_in_needs_no_sign_in_page() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    assert_leads(&browser.get("/login").await, "/dashboard");
    assert_leads(&browser.get("/login?next=/token-details").await, "/token-details");
    assert_leads(&browser.get("/register").await, "/dashboard");
    assert_leads(&browser.post("/login", &[("email", EMAIL), ("password", PASSWORD)]).await, "/dashboard");
    assert_leads(&browser.post("/register", &[("email", EMAIL)]).await, "/dashboard");
}

#[actix_web::test]
async fn the_sign_in_page_leads_where_one_wanted_to_go() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let wanted = browser.get("/token-details?a=1&b=%C3%A9").await;
    assert_leads(&wanted, "/login?next=%2Ftoken-details%3Fa%3D1%26b%3D%25C3%25A9");
    let page = browser.get(wanted.location()).await;
    let next = page.body().split_once("name=\"next\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let next = next.replace("&#38;", "&");
    let fields = [("email", EMAIL), ("password", PASSWORD), ("next", next.as_str())];
    let answer = browser.submit("/login", "/login", &fields).await;
    assert_leads(&answer, "/token-details?a=1&b=%C3%A9");
}

#[actix_web::test]
async fn the_dashboard_greets_its_user_and_describes_the_sign_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(3));
    let page = browser.get("/dashboard").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    for text in [
        "<h1>Welcome, Ada Lovelace</h1>",
        EMAIL,
        "This is your first sign-in",
        "Firefox on Linux",
        "192.0.2.1",
        "Yes, also after the browser closes",
        "<time datetime=\"2060-03-31T09:00:00Z\">",
    ] {
        assert!(page.says(text), "{text:?} is missing in {}", page.body());
    }
}

#[actix_web::test]
async fn the_token_details_are_those_of_the_access_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::seconds(57));
    let rows = table(&browser.get("/token-details").await.body());
    let headings: Vec<_> = rows.iter().map(|(heading, _)| heading.as_str()).collect();
    assert_eq!(
        headings,
        [
            "Token Type",
            "Issued At",
            "Expires At",
            "Remaining Time",
            "Subject (User ID)",
            "Session",
            "Generation",
            "Sign-in Ends At"
        ]
    );
    let cell = |heading: &str| rows.iter().find(|(found, _)| found == heading).unwrap().1.clone();
    assert!(cell("Token Type").contains("Access token"));
    assert!(cell("Issued At").contains("datetime=\"2060-03-01T09:00:00Z\""));
    assert!(cell("Expires At").contains("datetime=\"2060-03-01T09:15:00Z\""));
    assert!(cell("Remaining Time").contains(">14m 3s<"), "{}", cell("Remaining Time"));
    assert_eq!(cell("Subject (User ID)"), "1");
    assert_eq!(cell("Session"), app.rows().text("SELECT id FROM sessions"));
    assert_eq!(cell("Generation"), "0");
    assert!(cell("Sign-in Ends At").contains("datetime=\"2060-03-31T09:00:00Z\""));
}

#[actix_web::test]
async fn the_token_details_are_those_of_the_token_that_the_page_brings() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::hours(2));
    let rows = table(&browser.get("/token-details").await.body());
    let cell = |heading: &str| rows.iter().find(|(found, _)| found == heading).unwrap().1.clone();
    assert!(cell("Issued At").contains("datetime=\"2060-03-01T11:00:00Z\""));
    assert!(cell("Remaining Time").contains(">15m 0s<"));
    assert_eq!(cell("Generation"), "1");
    assert_eq!(app.rows().number("SELECT generation FROM sessions"), 1);
}

#[actix_web::test]
async fn the_countdown_runs_by_a_style_element_that_the_policy_names() {
    let app = TestApp::start().await;
    let page = app.signed_in().await.get("/token-details").await;
    let nonce = page.body().split_once("<style nonce=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("style-src 'self' 'nonce-{nonce}';")), "{policy}");
    assert!(page.says("--remaining-time:900s"));
    let again = app.browser();
    again.sign_in().await;
    assert!(!again.get("/token-details").await.says(&nonce));
}

#[actix_web::test]
async fn who_was_away_for_half_an_hour_is_welcomed_back_exactly_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    assert!(!browser.get("/dashboard").await.says("Welcome back"));
    app.advance(Duration::minutes(30));
    assert!(browser.get("/dashboard").await.says("Welcome back"));
    assert!(!browser.get("/dashboard").await.says("Welcome back"));
}

#[actix_web::test]
async fn who_was_away_for_less_is_not_welcomed_back() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..4 {
        app.advance(Duration::minutes(29));
        let page = browser.get("/dashboard").await;
        assert_eq!(page.set().len(), 2);
        assert!(!page.says("Welcome back"));
    }
}

#[actix_web::test]
async fn who_comes_back_by_another_page_is_welcomed_on_the_dashboard() {
    for path in ["/", "/token-details", "/login"] {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        app.advance(Duration::hours(9));
        assert_eq!(browser.get(path).await.set().len(), 2, "{path}");
        assert!(browser.get("/dashboard").await.says("Welcome back"), "{path}");
        assert!(!browser.get("/dashboard").await.says("Welcome back"), "{path}");
    }
}

#[actix_web::test]
async fn the_last_five_minutes_are_announced_on_every_page() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24) - Duration::minutes(5) - Duration::seconds(1));
    assert!(!browser.get("/dashboard").await.says("This sign-in ends at"));
    app.advance(Duration::seconds(1));
    for path in ["/dashboard", "/token-details", "/nowhere"] {
        let page = browser.get(path).await;
        assert!(page.says("This sign-in ends at <time datetime=\"2060-03-02T09:00:00Z\">"), "{path}: {}", page.body());
    }
}

#[actix_web::test]
async fn pages_call_the_site_by_its_name() {
    let app = TestApp::with(|settings| settings.site_name = Some("Grace & Co".to_owned())).await;
    for (path, browser) in [("/login", app.browser()), ("/dashboard", app.signed_in().await)] {
        let page = browser.get(path).await;
        assert!(page.says(" – Grace &#38; Co</title>") && !page.says("Perennial"), "{path}: {}", page.body());
        assert!(page.says("<span class=\"brand__name\">Grace &#38; Co</span>"), "{path}");
    }
}

#[actix_web::test]
async fn a_path_that_is_not_there_is_a_page_that_says_what_to_do() {
    let app = TestApp::start().await;
    for browser in [app.browser(), app.signed_in().await] {
        for path in ["/nowhere", "/nowhere/", "/login/x", "/static/", "/static/style.css", "/administer"] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(answer.says("Check the address, or start from the first page."), "{path}");
        }
    }
}

#[actix_web::test]
async fn a_method_that_a_path_does_not_know_is_told_the_ones_it_does() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for (method, path, allowed) in [
        (Method::POST, "/", "GET, HEAD"),
        (Method::DELETE, "/login", "GET, HEAD, POST"),
        (Method::PUT, "/register", "GET, HEAD, POST"),
        (Method::POST, "/dashboard", "GET, HEAD"),
        (Method::PATCH, "/token-details", "GET, HEAD"),
        (Method::PUT, "/devices/AAAAAAAAAAAAAAAAAAAAAA/revoke", "GET, HEAD, POST"),
        (Method::GET, "/logout", "POST"),
        (Method::HEAD, "/logout/everywhere", "POST"),
        (Method::OPTIONS, "/healthz", "GET, HEAD"),
        (Method::TRACE, "/readyz", "GET, HEAD"),
    ] {
        let answer = browser.ask(method.clone(), path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        assert!(answer.says("Go back and use the button."), "{method} {path}");
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_head_request_is_answered_like_a_get_request() {
    let app = TestApp::start().await;
    for browser in [app.browser(), app.signed_in().await] {
        for path in PATHS.into_iter().chain(["/healthz", "/readyz"]) {
            let (get, head) = (browser.get(path).await, browser.ask(Method::HEAD, path).await);
            assert_eq!((head.status, head.location()), (get.status, get.location()), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        }
    }
}

#[actix_web::test]
async fn the_probes_answer_ok() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = app.browser().get(path).await;
        assert_eq!((answer.status, answer.body().as_str()), (StatusCode::OK, "ok"), "{path}");
        assert!(answer.header("content-type").starts_with("text/plain"), "{path}");
    }
}

#[actix_web::test]
async fn the_files_of_a_page_are_named_by_their_content_and_kept_for_ever() {
    let app = TestApp::start().await;
    let page = app.browser().get("/login").await.body();
    let found = files(&page);
    assert_eq!(found.len(), 2);
    for (path, kind) in found.iter().zip(["text/css; charset=utf-8", "image/svg+xml"]) {
        let plain = app.browser().get(path).await;
        assert_eq!((plain.status, plain.header("content-type")), (StatusCode::OK, kind));
        assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
        let packed = app.browser().with_header("accept-encoding", "gzip, br").get(path).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(packed.bytes.len() < plain.bytes.len() && unpacked == plain.bytes, "{path}");
    }
}

#[actix_web::test]
async fn a_first_visit_is_four_requests_and_small() {
    let app = TestApp::start().await;
    let browser = app.browser().with_header("accept-encoding", "gzip");
    let first = browser.get("/").await;
    let page = browser.get(first.location()).await;
    let (mut requests, mut bytes) = (2, first.bytes.len() + page.bytes.len());
    for path in files(&page.body()) {
        requests += 1;
        bytes += browser.get(&path).await.bytes.len();
    }
    assert_eq!(requests, 4, "the address, the page it leads to, the stylesheet and the icon");
    assert!(!page.says(" src=\"http") && !page.says("url("), "nothing else is fetched: {}", page.body());
    let style = browser.get(&files(&page.body())[0]).await.bytes;
    let mut rules = String::new();
    GzDecoder::new(style.as_slice()).read_to_string(&mut rules).unwrap();
    assert!(!rules.contains("url(") && !rules.contains("@import"), "nor by the stylesheet");
    assert!(bytes < 15_000, "{bytes}");
}

/// Opens every page there is, signed out and signed in.
async fn every_page(app: &TestApp) -> Vec<(String, Answer)> {
    let (stranger, browser) = (app.browser(), app.signed_in().await);
    let mut pages = Vec::new();
    for path in PATHS {
        pages.push((path.to_owned(), stranger.get(path).await));
        pages.push((path.to_owned(), browser.get(path).await));
    }
    pages.push(("a refused sign-in".to_owned(), stranger.submit("/login", "/login", &[("email", EMAIL)]).await));
    pages.push(("a refused registration".to_owned(), stranger.submit("/register", "/register", &[]).await));
    pages.push(("a refused form".to_owned(), stranger.post("/login", &[]).await));
    pages.push(("a wrong method".to_owned(), browser.ask(Method::PUT, "/dashboard").await));
    pages
}

#[actix_web::test]
async fn no_page_holds_a_script_a_style_attribute_or_an_event_handler() {
    let app = TestApp::start().await;
    for (what, page) in every_page(&app).await {
        let body = page.body().to_lowercase();
        for forbidden in ["<script", " style=", "javascript:", " onclick", " onload", "http-equiv"] {
            assert!(!body.contains(forbidden), "{what}: {forbidden}");
        }
    }
}

#[actix_web::test]
async fn every_answer_carries_the_security_headers_and_is_kept_nowhere() {
    let app = TestApp::start().await;
    for (what, page) in every_page(&app).await {
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{what}: {policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{what}: {policy}");
        for directive in ["connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(directive), "{what}: {directive}");
        }
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), value, "{what}: {name}");
        }
        assert!(page.header("permissions-policy").contains("camera=()"), "{what}");
    }
}

#[actix_web::test]
async fn every_page_can_be_used_by_everybody() {
    let app = TestApp::start().await;
    for (what, page) in every_page(&app).await {
        let body = page.body();
        if body.is_empty() {
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{what}");
            continue;
        }
        assert_eq!(body.matches("<h1").count(), 1, "{what}: one heading of the first level");
        for text in ["<html lang=\"en\">", "href=\"#main\"", "<main id=\"main\"", "<title>"] {
            assert!(body.contains(text), "{what}: {text}");
        }
        assert_eq!(body.matches("method=\"post\"").count(), body.matches("name=\"form_token\"").count(), "{what}");
    }
}

/// Registers somebody who writes markup wherever they can, from a browser that does too.
async fn written_in_markup(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.user_agent = "<script>alert(1)</script>\"' onload=x".to_owned();
    let name = "<b onclick=alert(1)>\"Ada\" & 'Co'</b>";
    let fields = [("full_name", name), ("email", "a'&b@example.org"), ("password", PASSWORD)];
    assert_leads(&browser.submit("/register", "/register", &fields).await, "/dashboard");
    browser
}

#[actix_web::test]
async fn what_people_and_browsers_say_is_shown_as_text() {
    let app = TestApp::start().await;
    let browser = written_in_markup(&app).await;
    for path in ["/dashboard", "/token-details", "/nowhere"] {
        let page = browser.get(path).await.body();
        assert!(!page.contains("<b onclick") && !page.contains("<script") && !page.contains("'&b@"), "{path}");
        assert!(page.contains("&#60;b onclick=alert(1)&#62;&#34;Ada&#34; &#38; &#39;Co&#39;"), "{path}: {page}");
    }
    assert!(browser.get("/dashboard").await.says("a&#39;&#38;b@example.org"));
}
