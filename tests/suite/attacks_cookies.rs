//! Cookies that somebody planted, forged, bent or doubled: they open nothing, and they hide no good one.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, TestApp};

/// Sends a `Cookie` header as it is, from a browser with an empty jar.
async fn with_cookies(app: &TestApp, header: impl AsRef<[u8]>) -> Answer {
    app.browser().with_header("cookie", header).get("/dashboard").await
}

fn is_refused(answer: &Answer) -> bool {
    (answer.status, answer.location()) == (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard")
}

/// Returns a browser whose access token has expired, so that all depends on its refresh token.
async fn with_refresh_token_alone(app: &TestApp) -> Browser {
    let browser = app.signed_in().await;
    browser.forget("access_token");
    browser
}

fn generation(app: &TestApp) -> i64 {
    app.rows().number("SELECT generation FROM sessions")
}

#[actix_web::test]
async fn a_refresh_token_that_was_bent_anywhere_opens_nothing_and_ends_nothing() {
    let app = TestApp::start().await;
    let browser = with_refresh_token_alone(&app).await;
    let good = browser.cookie("keep_signed_in");
    let mut bent: Vec<String> = (0..good.len())
        .map(|at| {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    bent.extend([10, 44, good.len() - 1].map(|length| good[..length].to_owned()));
    bent.extend([format!("{good}A"), format!("{good}{good}"), good[44..].to_owned(), String::new()]);
    for value in bent {
        assert!(is_refused(&with_cookies(&app, format!("keep_signed_in={value}")).await), "{value}");
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
    assert!(app.rows().events_of("refresh_token_replayed").is_empty());
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_forged_refresh_token_costs_no_database_call() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.rows().execute("ALTER TABLE sessions RENAME TO sessions_away");
    let session = app.rows().text("SELECT id FROM sessions_away");
    let forged = format!("keep_signed_in={}{session}.0.{}", "A".repeat(44), "A".repeat(43));
    assert!(is_refused(&with_cookies(&app, forged).await));
}

#[actix_web::test]
async fn a_refresh_token_of_another_installation_opens_nothing() {
    let (app, other) = (TestApp::start().await, other_installation().await);
    let stranger = other.signed_in().await;
    app.signed_in().await;
    assert!(is_refused(&with_cookies(&app, stranger.cookie_header()).await));
}

async fn other_installation() -> TestApp {
    TestApp::with(|arguments| arguments.jwt_secret_key = Some("a key of another installation altogether".to_owned()))
        .await
}

#[actix_web::test]
async fn cookies_that_no_key_verifies_are_as_if_not_there_and_left_alone() {
    let (app, other) = (TestApp::start().await, other_installation().await);
    let stranger = other.signed_in().await.cookie_header();
    let nothing = app.browser().get("/dashboard").await;
    for header in ["access_token=x; keep_signed_in=y", "access_token=; keep_signed_in=", &stranger] {
        let answer = with_cookies(&app, header).await;
        assert!(is_refused(&answer), "{header}");
        assert_eq!((answer.cookies(), answer.bytes), (Vec::new(), nothing.bytes.clone()), "{header}");
        let login = app.browser().with_header("cookie", header).get("/login").await;
        assert_eq!((login.status, login.set(), login.cleared()), (StatusCode::OK, vec!["form".to_owned()], Vec::new()));
        assert!(!login.says("class=\"notice"), "{header}");
    }
}

#[actix_web::test]
async fn names_that_only_look_alike_sign_nobody_in() {
    let app = TestApp::with(|arguments| arguments.public_url = Some("https://localhost:8443".to_owned())).await;
    let browser = app.signed_in().await;
    let (access, refresh) = (browser.cookie("__Host-access_token"), browser.cookie("__Host-keep_signed_in"));
    for prefix in
        ["%5F_Host-", "__host-", "__HOST-", "__Host-%", "\u{2003}__Host-", "\u{a0}__Host-", "__Secure-", "_Host-"]
    {
        let header = format!("{prefix}access_token={access}; {prefix}keep_signed_in={refresh}");
        let answer = with_cookies(&app, header).await;
        assert!(is_refused(&answer), "{prefix:?}");
        assert_eq!(answer.cookies(), [], "{prefix:?}");
    }
}

#[actix_web::test]
async fn names_that_only_look_alike_hide_no_good_cookie() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let good = browser.cookie_header();
    for planted in ["access%5Ftoken=x", "\u{2003}access_token=x", "ACCESS_TOKEN=x", "access_token =x", "access_token"] {
        for header in [format!("{planted}; {good}"), format!("{good}; {planted}")] {
            assert_eq!(with_cookies(&app, &header).await.status, StatusCode::OK, "{header}");
        }
    }
}

#[actix_web::test]
async fn a_second_cookie_of_the_same_name_hides_no_good_one() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let good = browser.cookie_header();
    for planted in
        ["access_token=x", "keep_signed_in=x", "access_token=; keep_signed_in=", "access_token=x; keep_signed_in=y"]
    {
        for header in [format!("{planted}; {good}"), format!("{good}; {planted}")] {
            assert_eq!(with_cookies(&app, &header).await.status, StatusCode::OK, "{header}");
        }
    }
}

#[actix_web::test]
async fn a_hundred_cookies_of_the_same_name_hide_no_good_one() {
    let app = TestApp::start().await;
    let browser = with_refresh_token_alone(&app).await;
    let planted = "keep_signed_in=x; access_token=y; ".repeat(100);
    assert_eq!(with_cookies(&app, format!("{planted}{}", browser.cookie_header())).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_cookie_that_is_no_text_hides_no_good_one() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let good = browser.cookie_header();
    for planted in [&b"x=\xff\xfe"[..], b"\xff=x", b"access_token=\xff", b"keep_signed_in=\x80"] {
        for header in [[planted, b"; ", good.as_bytes()].concat(), [good.as_bytes(), b"; ", planted].concat()] {
            assert_eq!(with_cookies(&app, &header).await.status, StatusCode::OK, "{header:?}");
        }
    }
}

#[actix_web::test]
async fn a_hundred_other_cookies_and_a_large_header_hide_no_good_one() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let good = browser.cookie_header();
    let hundred: String = (0..100).map(|number| format!("other{number}={number}; ")).collect();
    let large = format!("other={}; ", "x".repeat(16_000));
    for planted in [hundred, large] {
        assert_eq!(with_cookies(&app, format!("{planted}{good}")).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn an_access_token_that_is_broken_or_oversized_only_falls_through_to_the_refresh_token() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for value in ["", "x", "a.b.c", &"x".repeat(8192), "{\"payload\":\"\"}", "%00", "null"] {
        let copy = browser.clone();
        copy.put("access_token", value);
        let answer = copy.get("/dashboard").await;
        assert_eq!(answer.status, StatusCode::OK, "{value:.20}");
        assert!(answer.set().contains(&"access_token".to_owned()), "{value:.20}");
    }
}

#[actix_web::test]
async fn no_two_sign_ins_can_be_mixed() {
    let app = TestApp::start().await;
    let (owner, other) = (app.signed_in().await, app.browser());
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "three random words")];
    other.submit("/register", "/register", &fields).await;
    let mixed = app.browser();
    mixed.put("access_token", &owner.cookie("access_token"));
    mixed.put("keep_signed_in", &other.cookie("keep_signed_in"));
    let page = mixed.get("/dashboard").await;
    assert!(page.says("Welcome, Grace") && !page.says("Ada"), "the refresh token has the last word");
    assert_eq!(page.set(), ["access_token"], "the refresh token is fresh, and takes its own access token along");
    assert_ne!(mixed.cookie("access_token"), owner.cookie("access_token"));
    for _ in 0..3 {
        assert!(mixed.get("/dashboard").await.says("Welcome, Grace"));
        app.advance(Duration::minutes(15));
    }
    assert!(owner.is_signed_in().await);
}

#[actix_web::test]
async fn every_identifier_is_new_after_a_sign_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let before = ["access_token", "keep_signed_in"].map(|name| browser.cookie(name));
    let form = browser.token("/dashboard", "/logout").await;
    browser.sign_out().await;
    browser.sign_in().await;
    let after = ["access_token", "keep_signed_in"].map(|name| browser.cookie(name));
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    assert_ne!(browser.token("/dashboard", "/logout").await, form);
    assert_eq!(app.rows().number("SELECT count(DISTINCT id) FROM sessions"), 2);
}

#[actix_web::test]
async fn cookies_that_were_planted_before_a_sign_in_are_worth_nothing_after_it() {
    let app = TestApp::start().await;
    let attacker = app.signed_in().await;
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "three random words")];
    let victim = app.browser();
    victim.submit("/register", "/register", &fields).await;
    let attackers = attacker.cookie("keep_signed_in");
    victim.sign_out().await;
    victim.get("/login").await;
    let form = victim.cookie("form");
    let fields = [("email", "grace@example.org"), ("password", "three random words")];
    let answer = victim.submit("/login", "/login", &fields).await;
    assert_eq!(answer.cleared(), ["form"]);
    assert!(!victim.holds("form") && victim.cookie("keep_signed_in") != attackers);
    let planted = app.browser();
    planted.put("form", &form);
    assert!(!planted.is_signed_in().await);
}

#[actix_web::test]
async fn a_sign_in_survives_what_others_try_with_its_public_name() {
    let app = TestApp::start().await;
    let browser = with_refresh_token_alone(&app).await;
    let session = app.rows().text("SELECT id FROM sessions");
    let signature = &browser.cookie("keep_signed_in")[..44];
    for generation in ["-1", "0", "1", "9223372036854775808", "x"] {
        let forged = format!("keep_signed_in={signature}{session}.{generation}.{}", "A".repeat(43));
        assert!(is_refused(&with_cookies(&app, forged).await), "{generation}");
    }
    app.advance(Duration::hours(1));
    assert_eq!(generation(&app), 0);
    assert!(browser.is_signed_in().await);
}
