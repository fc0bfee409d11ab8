//! The password again: who has entered it a short while ago gets on, whoever has not is asked, and nobody is signed out.

use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::future::join_all;
use perennial::{CurrentUser, RecentUser, SubmittedForm};
use serde_json::Value;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp, form_token};

/// The page that asks for the password.
const AGAIN: &str = "/reauthenticate";

/// Longer than a password counts as recent.
const LONG_AGO: Duration = Duration::seconds(601);

/// Starts an application, and opens a browser whose password was entered long ago.
async fn long_ago() -> (TestApp, Browser) {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(LONG_AGO);
    (app, browser)
}

async fn enter(browser: &Browser, password: &str, next: &str) -> Answer {
    let page = format!("{AGAIN}?next={next}");
    browser.submit(&page, AGAIN, &[("password", password), ("next", next)]).await
}

fn assert_leads(answer: &Answer, place: &str) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, place), "{}", answer.body());
}

/// Reads a claim of the access token in a jar.
fn claim(browser: &Browser, name: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let token = browser.cookie("access_token");
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()[name].clone()
}

#[actix_web::test]
async fn a_password_counts_as_recent_for_ten_minutes_and_then_leads_back_to_where_it_was_asked_for() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(LONG_AGO - Duration::SECOND);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    app.advance(Duration::SECOND);
    assert_leads(&browser.get("/account").await, "/reauthenticate?next=%2Faccount");
    let page = browser.get("/reauthenticate?next=%2Faccount").await;
    assert!(page.says("name=\"next\" value=\"/account\"") && page.says("autocomplete=\"current-password\""));
    let (session, before) = (browser.session(), claim(&browser, "auth_time"));
    let answer = enter(&browser, PASSWORD, "/account").await;
    assert_leads(&answer, "/account");
    assert_eq!(answer.set(), ["known_device", "access_token", "keep_signed_in"], "new tokens");
    assert_eq!(browser.session(), session, "of the same session");
    assert_eq!(claim(&browser, "auth_time").as_i64(), before.as_i64().map(|before| before + 601));
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    // In every process, and through a renewal.
    let mut elsewhere = browser.clone();
    elsewhere.connect(&app.another_process().await);
    elsewhere.forget("access_token");
    assert_eq!(elsewhere.get("/account").await.status, StatusCode::OK);
    app.advance(LONG_AGO);
    assert_leads(&browser.get("/account").await, "/reauthenticate?next=%2Faccount");
}

#[actix_web::test]
async fn a_wrong_or_missing_password_changes_nothing_and_the_form_comes_back() {
    let (app, browser) = long_ago().await;
    let cookies = |answer: &Answer| answer.set().into_iter().filter(|name| name != "form").count();
    for (password, status, words) in [
        ("a wrong password", StatusCode::UNAUTHORIZED, "That is not your password."),
        ("", StatusCode::UNPROCESSABLE_ENTITY, "Enter your password"),
    ] {
        let answer = enter(&browser, password, "/account").await;
        assert_eq!(answer.status, status, "{}", answer.body());
        assert!(answer.says("There is a problem") && answer.says(words) && answer.says("<title>Error: "));
        assert!(answer.says("name=\"next\" value=\"/account\"") && !answer.says("a wrong password"));
        assert_eq!(cookies(&answer), 0, "{:?}", answer.set());
    }
    assert_leads(&browser.get("/account").await, "/reauthenticate?next=%2Faccount");
    assert!(browser.is_signed_in().await);
    assert_eq!(app.rows().count_events("sign_in_failed"), 1);
}

#[actix_web::test]
async fn wrong_passwords_are_counted_as_those_of_a_sign_in_are() {
    let (app, browser) = long_ago().await;
    browser.forget("known_device");
    for _ in 0..5 {
        assert_eq!(enter(&browser, "a wrong password", "").await.status, StatusCode::UNAUTHORIZED);
    }
    let work = app.password_work();
    let answer = enter(&browser, PASSWORD, "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::FORBIDDEN, "30"));
    assert!(answer.says("Account temporarily locked. Please try again later.") && answer.says("You can try again"));
    assert_eq!(app.password_work(), work, "nothing is hashed");
    let stranger = app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN, "the same lock");
    app.advance(Duration::seconds(30));
    assert_leads(&enter(&browser, PASSWORD, "").await, "/account");
    // And a success takes back what was counted.
    browser.forget("known_device");
    assert_eq!(enter(&browser, "a wrong password", "").await.status, StatusCode::UNAUTHORIZED);
    assert_leads(&enter(&browser, PASSWORD, "").await, "/account");
}

#[actix_web::test]
async fn a_place_to_go_on_is_one_of_this_site() {
    let (_app, browser) = long_ago().await;
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX:y"] {
        let token = browser.token(AGAIN, AGAIN).await;
        let fields = [("password", PASSWORD), ("next", next), ("form_token", token.as_str())];
        assert_leads(&browser.post(AGAIN, &fields).await, "/account");
    }
    assert_leads(&enter(&browser, PASSWORD, "/devices").await, "/devices");
}

#[actix_web::test]
async fn two_clicks_and_a_second_tab_sign_nobody_out() {
    let (app, browser) = long_ago().await;
    let token = browser.token(AGAIN, AGAIN).await;
    let tab = browser.clone();
    let fields = [("password", PASSWORD), ("form_token", token.as_str())];
    let answers = join_all((0..20).map(|_| browser.post(AGAIN, &fields))).await;
    for answer in &answers {
        assert_leads(answer, "/account");
        assert!(answer.set().contains(&"access_token".to_owned()));
    }
    let rotated = answers.iter().filter(|answer| answer.set().contains(&"keep_signed_in".to_owned())).count();
    assert_eq!(rotated, 1, "one rotation, however often the button was clicked");
    // A request of another tab that was under way with the tokens of before.
    for seconds in [0, 60, 60] {
        app.advance(Duration::seconds(seconds));
        tab.forget("access_token");
        assert!(browser.is_signed_in().await && tab.is_signed_in().await, "{seconds}");
    }
    app.advance(Duration::hours(1));
    assert!(browser.is_signed_in().await);
    let mut rows = app.rows();
    assert_eq!((rows.count("sessions"), rows.count_events("refresh_token_replayed")), (1, 0));
}

#[actix_web::test]
async fn an_answer_that_is_lost_signs_nobody_out() {
    let (app, browser) = long_ago().await;
    let before = browser.clone();
    assert_leads(&enter(&browser, PASSWORD, "").await, "/account");
    browser.restore(&before);
    app.advance(Duration::minutes(3));
    assert!(browser.is_signed_in().await);
    browser.forget("access_token");
    assert!(browser.is_signed_in().await);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn a_session_that_ends_while_the_form_is_under_way_gets_nothing() {
    let (app, browser) = long_ago().await;
    let token = browser.token(AGAIN, AGAIN).await;
    let mut rows = app.rows();
    let id = browser.session();
    let meanwhile = async move {
        rows.execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
    };
    let fields = [("password", PASSWORD), ("form_token", token.as_str())];
    let answer = browser.post_while(AGAIN, &fields, meanwhile).await;
    assert_leads(&answer, "/login");
    assert!(!answer.set().contains(&"access_token".to_owned()));
    let fresh = "SELECT count(*) FROM sessions WHERE authenticated_at > created_at";
    assert_eq!(app.rows().number(fresh), 0);
}

#[actix_web::test]
async fn the_password_of_somebody_else_and_the_form_of_another_session_are_worth_nothing() {
    let (app, browser) = long_ago().await;
    let other = app.browser();
    let grace = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "quiet brown teapot")];
    assert_leads(&other.submit("/register", "/register", &grace).await, "/dashboard");
    assert_eq!(enter(&browser, "quiet brown teapot", "").await.status, StatusCode::UNAUTHORIZED);
    let foreign = form_token(&other.get(AGAIN).await.body(), AGAIN);
    let fields = [("password", PASSWORD), ("form_token", foreign.as_str())];
    assert_eq!(browser.post(AGAIN, &fields).await.status, StatusCode::FORBIDDEN);
    // Who is named is the session's user, whatever the form says.
    let named =
        browser.submit(AGAIN, AGAIN, &[("email", "grace@example.org"), ("password", "quiet brown teapot")]).await;
    assert_eq!(named.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_form_that_wants_the_password_and_cannot_be_kept_leads_back_to_the_page_that_it_stood_on() {
    let (app, browser) = long_ago().await;
    let fields = [("full_name", "Ada King"), ("form_token", "none")];
    let origin = app.origin().to_owned();
    for (referrer, next) in [
        (format!("{origin}/account?a=b"), "?next=%2Faccount%3Fa%3Db"),
        (format!("{origin}/reauthenticate?next=%2Faccount"), ""),
        (format!("{origin}.evil.example/account"), ""),
        (format!("{origin}//evil.example"), ""),
        ("https://evil.example/account".to_owned(), ""),
        (String::new(), ""),
    ] {
        let answer = browser.with_header("referer", &referrer).post("/account/name", &fields).await;
        assert_leads(&answer, &format!("/reauthenticate{next}"));
    }
    assert_eq!(app.rows().text("SELECT full_name FROM users"), NAME);
}

#[actix_web::test]
async fn handlers_of_an_embedding_application_ask_for_an_age_of_their_own() {
    let routes = |config: &mut web::ServiceConfig| {
        config
            .route("/minute", web::get().to(|user: RecentUser<1>| async move { user.user().email.to_string() }))
            .route("/hour", web::get().to(|_: RecentUser<60>| async { "an hour" }))
            .route("/pay", web::post().to(|_: RecentUser, _: SubmittedForm| async { "paid" }))
            .route("/any", web::get().to(|_: CurrentUser| async { "any" }));
    };
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    assert_eq!(browser.get("/minute").await.body(), EMAIL);
    app.advance(Duration::seconds(61));
    assert_leads(&browser.get("/minute?x=y").await, "/reauthenticate?next=%2Fminute%3Fx%3Dy");
    let token = browser.token("/dashboard", "/logout").await;
    let fields = [("form_token", token.as_str())];
    assert_eq!(browser.post("/pay", &fields).await.body(), "paid");
    app.advance(LONG_AGO);
    assert_eq!((browser.get("/any").await.status, browser.get("/hour").await.status), (StatusCode::OK, StatusCode::OK));
    let kept = browser.post("/pay", &fields).await;
    assert!(kept.location().starts_with("/reauthenticate?next=%2Frescue%2F"), "{kept:?}");
    app.advance(Duration::hours(1));
    assert_leads(&browser.get("/hour").await, "/reauthenticate?next=%2Fhour");
    assert_leads(&enter(&browser, PASSWORD, "/hour").await, "/hour");
    app.advance(Duration::minutes(59));
    assert_eq!(browser.get("/hour").await.body(), "an hour", "through renewals");
}

#[actix_web::test]
async fn a_client_that_prefers_json_is_told_so() {
    let (_app, browser) = long_ago().await;
    let answer = browser.with_header("accept", "application/json").get("/account").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::UNAUTHORIZED, "application/json"));
    let said: Value = serde_json::from_slice(&answer.bytes).unwrap();
    assert_eq!(said["error"], "Reauthentication required");
    assert!(answer.header("www-authenticate").contains("form-action=\"/reauthenticate\""));
}

#[actix_web::test]
async fn a_clock_that_is_set_back_stretches_nothing() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.clock.advance(-LONG_AGO);
    browser.forget("access_token");
    assert_leads(&browser.get("/account").await, "/reauthenticate?next=%2Faccount");
}
