//! How long a sign-in lasts, and what it leaves in the browser.

use actix_web::http::{Method, StatusCode};
use time::Duration;

use crate::support::{Answer, SetCookie, TestApp, form_token};

const DAY: i64 = 86_400;

/// The attributes of every cookie over plain HTTP.
const PLAIN: [&str; 3] = ["HttpOnly", "Path=/", "SameSite=Lax"];

/// The attributes of every cookie over HTTPS.
const SECURE: [&str; 4] = ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"];

fn cookie(answer: &Answer, name: &str) -> SetCookie {
    let found: Vec<_> = answer.cookies().into_iter().filter(|cookie| cookie.name == name).collect();
    assert_eq!(found.len(), 1, "{name} among {:?}", answer.cookies());
    found[0].clone()
}

async fn secure() -> TestApp {
    TestApp::with(|arguments| arguments.public_url = Some("https://localhost:8443".to_owned())).await
}

/// Starts with an account and an empty browser.
async fn with_account() -> TestApp {
    let app = TestApp::start().await;
    app.signed_in().await;
    app
}

#[actix_web::test]
async fn a_kept_sign_in_sets_cookies_that_outlive_the_browser_session() {
    let app = TestApp::start().await;
    let answer = app.browser().register().await;
    let (access, refresh) = (cookie(&answer, "access_token"), cookie(&answer, "keep_signed_in"));
    assert_eq!((access.max_age, refresh.max_age), (Some(900), Some(30 * DAY)));
    assert_eq!(
        (access.attributes, refresh.attributes),
        (PLAIN.map(String::from).into(), PLAIN.map(String::from).into())
    );
}

#[actix_web::test]
async fn a_sign_in_that_is_not_kept_sets_cookies_of_the_browser_session() {
    let app = with_account().await;
    let answer = app.browser().sign_in_for_this_session().await;
    let (access, refresh) = (cookie(&answer, "access_token"), cookie(&answer, "keep_signed_in"));
    assert_eq!((access.max_age, refresh.max_age), (None, None));
    assert_eq!(
        (access.attributes, refresh.attributes),
        (PLAIN.map(String::from).into(), PLAIN.map(String::from).into())
    );
}

#[actix_web::test]
async fn the_form_cookie_is_of_the_browser_session() {
    let app = TestApp::start().await;
    let form = cookie(&app.browser().get("/login").await, "form");
    assert_eq!((form.max_age, form.attributes), (None, PLAIN.map(String::from).into()));
}

#[actix_web::test]
async fn over_https_every_cookie_is_secure_and_of_this_host_alone() {
    let app = secure().await;
    let browser = app.browser();
    let form = browser.get("/register").await;
    assert_eq!(cookie(&form, "__Host-form").attributes, SECURE);
    let answer = browser.register().await;
    for name in ["__Host-access_token", "__Host-keep_signed_in"] {
        assert_eq!(cookie(&answer, name).attributes, SECURE, "{name}");
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn over_https_a_cookie_without_the_prefix_opens_nothing() {
    let app = secure().await;
    let browser = app.signed_in().await;
    let planted = app.browser();
    planted.put("access_token", &browser.cookie("__Host-access_token"));
    planted.put("keep_signed_in", &browser.cookie("__Host-keep_signed_in"));
    assert!(!planted.is_signed_in().await);
}

#[actix_web::test]
async fn only_https_answers_ask_for_https_for_a_year() {
    assert_eq!(secure().await.browser().get("/login").await.header("strict-transport-security"), "max-age=31536000");
    assert_eq!(TestApp::start().await.browser().get("/login").await.header("strict-transport-security"), "");
}

#[actix_web::test]
async fn a_browser_that_was_closed_is_still_signed_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.close();
    app.advance(Duration::hours(1));
    let answer = browser.get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.set(), ["access_token", "keep_signed_in"]);
}

#[actix_web::test]
async fn a_browser_that_was_closed_is_not_signed_in_where_that_was_not_wished() {
    let app = with_account().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    assert!(browser.is_signed_in().await);
    browser.close();
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_sign_in_that_is_not_kept_is_renewed_as_one() {
    let app = with_account().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::minutes(16));
    let answer = browser.get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((cookie(&answer, "access_token").max_age, cookie(&answer, "keep_signed_in").max_age), (None, None));
}

#[actix_web::test]
async fn a_restart_of_the_program_signs_nobody_out() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let app = app.restart().await;
    browser.connect(&app);
    assert!(browser.is_signed_in().await);
    app.advance(Duration::hours(1));
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_form_that_was_open_during_a_restart_still_works() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let app = app.restart().await;
    browser.connect(&app);
    let answer = browser.post("/logout", &[("form_token", &token)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
}

#[actix_web::test]
async fn a_new_signing_key_signs_nobody_out_while_the_old_one_verifies() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let access = browser.cookie("access_token");
    let app = app
        .restart_with(|arguments| {
            let old = arguments.jwt_secret_key.clone().unwrap();
            arguments.jwt_secret_key = Some(format!("another key that is as long as it must be,{old}"));
        })
        .await;
    browser.connect(&app);
    assert!(browser.get("/dashboard").await.cookies().is_empty());
    assert_eq!(browser.cookie("access_token"), access);
    app.advance(Duration::minutes(15));
    let answer = browser.get("/dashboard").await;
    assert_eq!((answer.status, answer.set().len()), (StatusCode::OK, 2));
}

#[actix_web::test]
async fn a_key_that_was_given_up_opens_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in().await;
    let signing = app.rows().text("SELECT key_id FROM signing_key");
    app.rows().execute(&format!("INSERT INTO dropped_keys (key_id, dropped_at) VALUES ('{signing}', 1)"));
    let app = app
        .restart_with(|arguments| {
            arguments.jwt_secret_key = Some("another key that is as long as it must be".to_owned());
        })
        .await;
    browser.connect(&app);
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn an_expired_access_token_still_opens_the_page_that_was_asked_for() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(15));
    for path in ["/dashboard", "/token-details?x=1"] {
        assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
        app.advance(Duration::minutes(15));
    }
}

#[actix_web::test]
async fn an_expired_access_token_loses_no_form() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout/everywhere").await;
    app.advance(Duration::hours(10));
    let answer = browser.post("/logout/everywhere", &[("form_token", &token)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
}

#[actix_web::test]
async fn an_access_token_lasts_to_its_last_second_and_not_beyond() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.forget("keep_signed_in");
    let raw = browser.cookie_header();
    app.advance(Duration::seconds(899));
    let holder = app.browser().with_header("cookie", &raw);
    assert!(holder.is_signed_in().await);
    app.advance(Duration::seconds(1));
    assert!(!holder.is_signed_in().await);
}

#[actix_web::test]
async fn a_kept_sign_in_ends_when_it_must_however_much_it_is_used() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..29 {
        app.advance(Duration::days(1));
        assert!(browser.is_signed_in().await);
    }
    app.advance(Duration::days(1) - Duration::seconds(1));
    let raw = browser.cookie_header();
    let answer = browser.get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        (cookie(&answer, "access_token").max_age, cookie(&answer, "keep_signed_in").max_age),
        (Some(1), Some(1))
    );
    app.advance(Duration::seconds(1));
    assert!(!browser.is_signed_in().await);
    assert!(!app.browser().with_header("cookie", &raw).is_signed_in().await);
}

#[actix_web::test]
async fn the_life_of_a_refresh_cookie_shrinks_with_its_sign_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::days(10));
    let answer = browser.get("/dashboard").await;
    assert_eq!(cookie(&answer, "keep_signed_in").max_age, Some(20 * DAY));
}

#[actix_web::test]
async fn a_sign_in_that_is_not_kept_ends_after_a_day() {
    let app = with_account().await;
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(24) - Duration::seconds(1));
    assert!(browser.is_signed_in().await);
    app.advance(Duration::seconds(1));
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_kept_sign_in_that_is_not_used_for_two_weeks_ends() {
    let last = Duration::days(14) + Duration::minutes(2) - Duration::seconds(1);
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(last);
    assert!(browser.is_signed_in().await, "two minutes late, and never early");
    app.advance(last + Duration::seconds(1));
    assert!(browser.is_signed_in().await, "that use was noted with the end of its minute");
    app.advance(last + Duration::seconds(1));
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn use_within_one_access_life_counts_against_idling_too() {
    let app = TestApp::with(|arguments| {
        arguments.idle_ttl = Some("1h".to_owned());
        arguments.access_token_ttl = Some("50m".to_owned());
    })
    .await;
    let browser = app.signed_in().await;
    app.advance(Duration::minutes(45));
    assert!(browser.get("/dashboard").await.cookies().is_empty());
    app.write_last_seen();
    app.advance(Duration::minutes(59));
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn lifetimes_are_settings() {
    let app = TestApp::with(|arguments| {
        arguments.access_token_ttl = Some("2m".to_owned());
        arguments.refresh_token_ttl = Some("10d".to_owned());
        arguments.session_ttl = Some("1h".to_owned());
    })
    .await;
    let answer = app.browser().register().await;
    assert_eq!(
        (cookie(&answer, "access_token").max_age, cookie(&answer, "keep_signed_in").max_age),
        (Some(120), Some(10 * DAY))
    );
    let browser = app.browser();
    browser.sign_in_for_this_session().await;
    app.advance(Duration::hours(1));
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn nothing_is_set_where_nothing_changed() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for path in ["/", "/dashboard", "/token-details", "/login", "/nowhere", "/healthz"] {
        assert_eq!(browser.get(path).await.cookies(), [], "{path}");
    }
    assert_eq!(browser.ask(Method::PUT, "/dashboard").await.cookies(), []);
    let stranger = app.browser();
    for path in ["/", "/dashboard", "/nowhere", "/readyz"] {
        assert_eq!(stranger.get(path).await.cookies(), [], "{path}");
    }
    stranger.get("/login").await;
    assert_eq!(stranger.get("/login").await.cookies(), []);
}

#[actix_web::test]
async fn files_and_probes_never_carry_a_cookie() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let page = browser.get("/dashboard").await.body();
    let stylesheet = page.split_once("rel=\"stylesheet\" href=\"").unwrap().1.split('"').next().unwrap().to_owned();
    app.advance(Duration::hours(1));
    for path in [stylesheet.as_str(), "/healthz", "/readyz", "/static/nothing"] {
        assert_eq!(browser.get(path).await.cookies(), [], "{path}");
    }
    assert_eq!(browser.get("/dashboard").await.set(), ["access_token", "keep_signed_in"]);
}

#[actix_web::test]
async fn a_form_outlives_the_renewal_of_its_sign_in() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let before = form_token(&browser.get("/dashboard").await.body(), "/logout");
    app.advance(Duration::hours(1));
    browser.get("/dashboard").await;
    assert_eq!(browser.post("/logout", &[("form_token", &before)]).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_clock_set_back_or_forward_ends_nothing_for_good() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let raw = app.browser().with_header("cookie", browser.cookie_header());
    app.clock.jump(Duration::days(365));
    assert!(!raw.is_signed_in().await);
    app.clock.jump(-Duration::days(365));
    assert!(raw.is_signed_in().await);
    app.clock.jump(-Duration::hours(1));
    assert!(browser.is_signed_in().await);
}
