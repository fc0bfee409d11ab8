//! Pages of bound sign-ins: with and without a proof, beside processes that cannot bind, and where it is turned off.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::links::{CONFIRM, SMTP, last_link, open, press};
use crate::support::{Answer, Asked, Device, EMAIL, PASSWORD, TestApp, form_token};

/// Longer than an access life, and so than the window.
const LATER: Duration = Duration::minutes(16);

fn is_bound(app: &TestApp) -> bool {
    app.rows().number("SELECT count(*) FROM sessions WHERE device_key IS NOT NULL AND proved_generation = generation")
        == 1
}

/// Asserts that a page is not signed in and leads to the one that waits for a proof.
fn waits_for_proof(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/session/confirm?next=%2Fdashboard"));
}

#[actix_web::test]
async fn an_access_token_counts_for_ten_seconds_more_where_its_browser_renews_by_proof() {
    let app = TestApp::start().await;
    let (browser, _) = Device::proved(&app).await;
    let access = browser.cookie("access_token");
    let alone = app.browser();
    alone.put("access_token", &access);
    app.advance(Duration::minutes(15) + Duration::seconds(9));
    assert!(alone.is_signed_in().await);
    app.advance(Duration::SECOND);
    assert!(!alone.is_signed_in().await);
    // Where it does not, nothing has changed.
    let other = app.browser();
    other.sign_in().await;
    alone.put("access_token", &other.cookie("access_token"));
    assert!(alone.is_signed_in().await);
    app.advance(Duration::minutes(15));
    assert!(!alone.is_signed_in().await);
}

#[actix_web::test]
async fn a_page_without_a_proof_waits_twice_and_then_asks_for_the_password() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    let session = device.session();
    app.advance(LATER);
    waits_for_proof(&browser.get("/dashboard").await);
    assert_eq!(browser.get("/").await.location(), "/dashboard");
    let first = browser.get("/session/confirm?next=%2Fdashboard").await;
    assert_eq!(
        (first.status, first.header("refresh")),
        (StatusCode::OK, "1; url=/session/confirm?next=%2Fdashboard&round=1")
    );
    let second = browser.get("/session/confirm?next=%2Fdashboard&round=1").await;
    assert_eq!(second.header("refresh"), "1; url=/session/confirm?next=%2Fdashboard&round=2");
    let third = browser.get("/session/confirm?next=%2Fdashboard&round=2").await;
    assert_eq!((third.status, third.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fdashboard"));
    let login = browser.get("/login?next=%2Fdashboard").await;
    assert!(login.says("could not prove") && login.says("form_token"));
    assert!(browser.holds("keep_signed_in"), "its cookies stay");
    // The sign-in that it begins takes the place of the other.
    let fields = [("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
    assert_eq!(browser.submit("/login", "/login", &fields).await.location(), "/dashboard");
    assert!(browser.is_signed_in().await);
    let because = app.rows().text(&format!("SELECT revoked_because FROM sessions WHERE id = '{session}'"));
    assert_eq!(because, "replaced");
}

#[actix_web::test]
async fn a_browser_that_proves_itself_meanwhile_goes_on_to_its_page() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(LATER);
    waits_for_proof(&browser.get("/dashboard").await);
    device.renew(&browser).await;
    assert_eq!(browser.get("/session/confirm?next=%2Fdevices&round=1").await.location(), "/devices");
    // Nobody else has any business there.
    assert_eq!(app.browser().get("/session/confirm?next=%2Fdevices").await.location(), "/login?next=%2Fdevices");
}

#[actix_web::test]
async fn an_access_token_that_does_not_count_is_taken_away_where_a_proof_is_waited_for() {
    let app = TestApp::start().await;
    let (browser, _) = Device::proved(&app).await;
    app.advance(LATER);
    browser.put("access_token", "not.a.token");
    assert_eq!(browser.get("/session/confirm").await.cleared(), ["access_token"]);
    assert!(browser.get("/session/confirm").await.cleared().is_empty());
}

#[actix_web::test]
async fn a_client_that_prefers_json_gets_401_without_a_proof() {
    let app = TestApp::start().await;
    let (browser, _) = Device::proved(&app).await;
    app.advance(LATER);
    let answer = browser.with_header("accept", "application/json").get("/dashboard").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn off_means_no_header_at_all_and_unbinds() {
    let app = TestApp::start().await;
    let (mut browser, device) = Device::proved(&app).await;
    let app = app.restart_with(|settings| settings.device_binding = Some("off".into())).await;
    browser.connect(&app);
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.advance(LATER);
    assert!(browser.is_signed_in().await, "by its refresh token, as ever");
    assert!(!is_bound(&app));
    let other = app.browser();
    assert!(Asked::of(&other.sign_in().await).is_none());
    let app = app.restart_with(|settings| settings.device_binding = None).await;
    browser.connect(&app);
    app.advance(LATER);
    assert!(browser.is_signed_in().await, "and stays unbound");
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(Asked::of(&app.browser().sign_in().await).is_some());
}

#[actix_web::test]
async fn turning_it_off_after_lost_answers_signs_nobody_out() {
    let app = TestApp::start().await;
    let (mut browser, device) = Device::proved(&app).await;
    // Whatever was rotated since, the token that the browser has goes on working.
    let (jar, challenge) = (browser.clone(), device.challenge());
    for _ in 0..3 {
        app.advance(LATER);
        assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
        browser.restore(&jar);
        device.set_challenge(&challenge);
    }
    let app = app.restart_with(|settings| settings.device_binding = Some("off".into())).await;
    browser.connect(&app);
    app.advance(LATER);
    assert!(browser.is_signed_in().await);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn it_is_offered_and_enforced_only_while_every_process_can() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    let without = app.another_process_with(|settings| settings.device_binding = Some("off".into())).await;
    app.beat();
    assert!(Asked::of(&app.browser().sign_in().await).is_none());
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(without);
    app.beat();
    assert!(Asked::of(&app.browser().sign_in().await).is_some());
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn any_process_takes_the_proof() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    app.beat();
    let (mut browser, device) = Device::proved(&app).await;
    for process in [&other, &app, &other] {
        browser.connect(process);
        app.advance(LATER);
        other.catch_up();
        assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
        assert!(browser.is_signed_in().await);
    }
}

#[actix_web::test]
async fn a_database_that_is_away_keeps_the_binding() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    app.advance(LATER);
    let challenge = device.challenge();
    app.set_stopped(true);
    assert_eq!(device.renew(&browser).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.set_stopped(false);
    assert_eq!(device.challenge(), challenge);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_password_that_is_entered_again_offers_what_the_sign_in_lacks() {
    let app = TestApp::start().await;
    let (browser, device) = Device::bound(&app).await;
    let again = browser.submit("/reauthenticate", "/reauthenticate", &[("password", PASSWORD)]).await;
    assert!(again.status == StatusCode::SEE_OTHER && Asked::of(&again).is_none(), "it has a key");
    app.advance(LATER);
    assert!(browser.is_signed_in().await, "which drops the key");
    let again = browser.submit("/reauthenticate", "/reauthenticate", &[("password", PASSWORD)]).await;
    assert_eq!(device.register(&browser, &again).await.status, StatusCode::OK);
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(is_bound(&app));
}

#[actix_web::test]
async fn the_link_that_confirms_an_address_begins_a_sign_in_that_can_be_bound() {
    let app = TestApp::with(|arguments| arguments.smtp_url = Some(SMTP.to_owned())).await;
    let (browser, device) = (app.browser(), Device::new());
    let fields = [("full_name", "Ada Lovelace"), ("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
    let asked = browser.submit("/register", "/register", &fields).await;
    assert!(Asked::of(&asked).is_none(), "there is no sign-in yet");
    let opened = open(&browser, &last_link(&app, EMAIL, CONFIRM)).await;
    assert!(Asked::of(&opened).is_none(), "opening a link begins nothing");
    let pressed = press(&browser, CONFIRM).await;
    assert_eq!(device.register(&browser, &pressed).await.status, StatusCode::OK);
    app.advance(LATER);
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert!(is_bound(&app) && browser.is_signed_in().await);
}

#[actix_web::test]
async fn pages_say_which_sign_in_is_bound() {
    let app = TestApp::start().await;
    let (browser, device) = Device::bound(&app).await;
    for page in ["/devices", "/token-details"] {
        assert!(!browser.get(page).await.says("Bound to this device"), "{page}: the first proof binds");
    }
    device.renew(&browser).await;
    for page in ["/devices", "/token-details"] {
        assert!(browser.get(page).await.says("Bound to this device"), "{page}");
    }
    let other = app.browser();
    other.sign_in().await;
    assert_eq!(other.get("/devices").await.body().matches("Bound to this device").count(), 1);
    assert!(!other.get("/token-details").await.says("Bound to this device"));
    assert!(other.get("/activity").await.says("A sign-in was bound to its device"));
}

#[actix_web::test]
async fn a_form_that_comes_without_a_proof_is_kept() {
    let app = TestApp::start().await;
    let (browser, device) = Device::proved(&app).await;
    let page = browser.get("/account").await.body();
    let token = form_token(&page, "/account/name");
    app.advance(LATER);
    let fields = [("full_name", "Ada King"), ("form_token", token.as_str())];
    let answer = browser.post("/account/name", &fields).await;
    assert!(answer.location().starts_with("/session/confirm?next=%2Frescue%2F"), "{}", answer.location());
    let kept = answer.location().split_once("next=").unwrap().1.replace("%2F", "/");
    assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
    assert_eq!(browser.get(answer.location()).await.location(), kept);
    assert!(browser.get(&kept).await.says("Ada King"));
}
