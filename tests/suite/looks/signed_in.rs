//! The pages of somebody who is signed in.

use actix_web::web::{self, Html, ServiceConfig};
use perennial::{CurrentUser, FormToken, SubmittedForm};
use time::Duration;

use super::gallery::{BROWSERS, Gallery};
use crate::support::guesses::{fail, with_account};
use crate::support::kept::{kept_at, sign_in_after};
use crate::support::{Browser, Device, EMAIL, PASSWORD, TestApp};

pub(super) async fn visit(gallery: &mut Gallery) {
    first_day(gallery).await;
    household(gallery).await;
    concerns(gallery).await;
    bound(gallery).await;
    the_end(gallery).await;
    account(gallery).await;
    kept_forms(gallery).await;
    outages(gallery).await;
}

/// Signs in as one of several devices.
async fn device(app: &TestApp, number: usize, keep: bool) -> Browser {
    let mut browser = app.browser();
    browser.user_agent = BROWSERS[number].to_owned();
    browser.address = format!("203.0.113.{}:40000", 40 + number).parse().unwrap();
    if keep {
        browser.sign_in().await
    } else {
        browser.sign_in_for_this_session().await
    };
    browser
}

async fn first_day(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    gallery.hang("dashboard-first", &browser.get("/dashboard").await, 200, "This is your first sign-in");
    gallery.hang("devices-one", &browser.get("/devices").await, 200, "one device");
    gallery.hang("activity-first", &browser.get("/activity").await, 200, "<h1>Activity</h1>");
    gallery.hang("activity-nothing", &browser.get("/activity?show=warnings").await, 200, "Nothing to show");
    gallery.hang("token-details-new", &browser.get("/token-details").await, 200, "Not renewed yet");
    let planted = browser.with_header("sec-fetch-site", "cross-site").post("/logout", &[]).await;
    gallery.hang("cross-site-signed-in", &planted, 403, "This form came from somewhere else");
    gallery.hang("not-found-signed-in", &browser.get("/nowhere").await, 404, "<h1>");
    let page = browser.get("/switch-account?next=%2Fdevices").await;
    gallery.hang("switch-account", &page, 200, "Continue as Ada Lovelace");
}

/// An account with four devices, and weeks behind it.
async fn household(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.user_agent = BROWSERS[0].to_owned();
    browser.register().await;
    let phone = device(&app, 1, true).await;
    for _ in 0..9 {
        app.advance(Duration::hours(25));
        assert!(browser.is_signed_in().await && phone.is_signed_in().await);
        app.advance(Duration::minutes(40));
        assert!(browser.is_signed_in().await);
    }
    let window = device(&app, 2, false).await;
    device(&app, 3, true).await;
    fail(&app, EMAIL, 2).await;
    app.advance(Duration::hours(2));
    app.write_last_seen();
    let page = browser.get("/dashboard").await;
    gallery.hang("dashboard-back", &page, 200, "Welcome back");
    gallery.hang("dashboard", &browser.get("/dashboard").await, 200, "All quiet.");
    let page = browser.get("/devices").await;
    gallery.hang("devices", &page, 200, "four devices");
    gallery.hang("activity", &browser.get("/activity").await, 200, "Each of them");
    gallery.hang("activity-warnings", &browser.get("/activity?show=warnings").await, 200, "Warning");
    gallery.hang("token-details", &browser.get("/token-details").await, 200, "Renewed ");
    gallery.hang("token-details-window", &window.get("/token-details").await, 200, "<h1>Token details</h1>");
    let other = page.body().split_once("href=\"/devices/").unwrap().1.split('"').next().unwrap().to_owned();
    gallery.hang("end-device", &browser.get(&format!("/devices/{other}")).await, 200, "End it");
    let own = format!("/devices/{}/revoke", browser.session());
    gallery.hang("end-device-own", &browser.get(&own).await, 200, "Sign out on this device?");
    browser.submit("/devices", &format!("/devices/{other}"), &[]).await;
    gallery.hang("devices-ended", &browser.get("/devices").await, 200, "is signed out.");
    browser.submit("/devices", "/devices/others/revoke", &[]).await;
    gallery.hang("devices-ended-all", &browser.get("/devices").await, 200, "other devices are signed out.");
}

/// What the owner should do something about.
async fn concerns(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let other = device(&app, 1, true).await;
    fail(&app, EMAIL, 5).await;
    gallery.hang("dashboard-locked", &owner.get("/dashboard").await, 200, "Somebody tried many passwords.");
    let mut thief = owner.clone();
    thief.user_agent = "curl/8.0".to_owned();
    thief.address = "203.0.113.66:6666".parse().unwrap();
    for browser in [&thief, &owner, &thief] {
        app.advance(Duration::minutes(16));
        browser.is_signed_in().await;
    }
    gallery.hang_mail("mail-refresh-token-replayed", &app, "One of your sign-ins was used from two places");
    gallery.hang("dashboard-theft", &other.get("/dashboard").await, 200, "Someone else may have used");
    gallery.hang("devices-theft", &other.get("/devices").await, 200, "look at the list below");
    gallery.hang("activity-theft", &other.get("/activity").await, 200, "I have checked");
    let fields = [("answer", "checked")];
    let page = other.get("/devices").await.body();
    let noticed = page.split_once("name=\"noticed\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = [&fields[..], &[("noticed", noticed), ("next", "/devices")]].concat();
    other.submit("/devices", "/theft/acknowledge", &fields).await;
    gallery.hang("devices-acknowledged", &other.get("/devices").await, 200, "The warning is gone");

    let app = with_account().await;
    let (weak, browser) = ("manchesterunited", app.browser());
    let hash = bcrypt::hash(weak, 4).unwrap();
    app.rows().execute(&format!("UPDATE users SET password_hash = '{hash}'"));
    browser.submit("/login", "/login", &[("email", EMAIL), ("password", weak)]).await;
    gallery.hang("dashboard-weak", &browser.get("/dashboard").await, 200, "Your password is easy to guess.");
}

/// A sign-in that is bound to its device.
async fn bound(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let (browser, _device) = Device::proved(&app).await;
    gallery.hang("devices-bound", &browser.get("/devices").await, 200, "Bound to this device");
    app.advance(Duration::minutes(16));
    gallery.hang("confirm", &browser.get("/session/confirm?next=%2Fdashboard").await, 200, "One moment");
    for round in [1, 2] {
        browser.get(&format!("/session/confirm?next=%2Fdashboard&round={round}")).await;
    }
    gallery.hang("login-not-proven", &browser.get("/login").await, 200, "could not prove");
}

/// Sign-ins that are nearly over.
async fn the_end(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    app.signed_in().await;
    let window = device(&app, 2, false).await;
    app.advance(Duration::hours(24) - Duration::minutes(4));
    gallery.hang("devices-ends-soon", &window.get("/devices").await, 200, "Sign in again to stay");
    gallery.hang("token-details-ends-soon", &window.get("/token-details").await, 200, "Sign in again to stay");
    app.advance(Duration::minutes(4) - Duration::SECOND);
    gallery.hang("devices-over", &window.get("/devices").await, 200, "class=\"curtain\"");
    let shared = app.browser();
    let fields = [("email", EMAIL), ("password", PASSWORD), ("shared_computer", "on")];
    shared.submit("/login", "/login", &fields).await;
    gallery.hang("dashboard-shared", &shared.get("/dashboard").await, 200, "class=\"curtain\"");
    gallery.hang("devices-shared", &shared.get("/devices").await, 200, "shared computer");
}

async fn account(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    gallery.hang("account", &browser.get("/account").await, 200, "<h1>Account</h1>");
    for (name, action, fields) in [
        ("account-name-problem", "/account/name", [("full_name", ""), ("x", "")]),
        ("account-password-problem", "/account/password", [("current_password", ""), ("password", "password")]),
        ("account-email-problem", "/account/email", [("email", "ada"), ("x", "")]),
    ] {
        let answer = browser.submit("/account", action, &fields).await;
        gallery.hang(name, &answer, 422, "There is a problem");
    }
    browser.submit("/account", "/account/time-zone", &[("time_zone", "Europe/Berlin")]).await;
    gallery.hang("account-changed", &browser.get("/account").await, 200, "Your time zone was changed.");
    browser.submit("/account", "/account/email", &[("email", "countess@example.org")]).await;
    browser.get("/account").await;
    gallery.hang("account-email-waiting", &browser.get("/account").await, 200, "Waiting to be confirmed");
    gallery.hang("account-delete", &browser.get("/account/delete").await, 200, "Delete your account?");
    let problem = browser.submit("/account/delete", "/account/delete", &[]).await;
    gallery.hang("account-delete-problem", &problem, 422, "There is a problem");
    let other = TestApp::start().await;
    other.signed_in().await.submit("/account/delete", "/account/delete", &[("confirm", "yes")]).await;
    gallery.hang_mail("mail-account-deleted", &other, "Your account was deleted");
    app.advance(Duration::minutes(11));
    const AGAIN: &str = "/reauthenticate";
    gallery.hang("reauthenticate", &browser.get("/reauthenticate?next=%2Faccount").await, 200, "You stay signed in");
    let wrong = browser.submit(AGAIN, AGAIN, &[("password", "a wrong one")]).await;
    gallery.hang("reauthenticate-wrong", &wrong, 401, "That is not your password.");
    browser.forget("known_device");
    for _ in 0..5 {
        browser.submit(AGAIN, AGAIN, &[("password", "a wrong one")]).await;
    }
    let locked = browser.submit(AGAIN, AGAIN, &[("password", PASSWORD)]).await;
    gallery.hang("reauthenticate-locked", &locked, 403, "You can try again");
}

/// Forms that met a sign-in that was over.
async fn kept_forms(gallery: &mut Gallery) {
    let routes = |config: &mut ServiceConfig| {
        let page = |_: CurrentUser, token: FormToken| async move {
            Html::new(format!("<form action=\"/notes\"><input name=\"form_token\" value=\"{token}\"></form>"))
        };
        let write = |_: CurrentUser, _: SubmittedForm| async { "written" };
        config.service(web::resource("/notes").route(web::get().to(page)).route(web::post().to(write)));
    };
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    app.rows().execute("UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked'");
    app.catch_up();
    let note = "Call Charles about the engine.\r\nBring the cards.";
    let fields = [("note", note), ("password", "x"), ("title", ""), ("note_id", "17"), ("form_token", token.as_str())];
    let answer = browser.post("/notes", &fields).await;
    let login = browser.get(answer.location()).await;
    gallery.hang("login-kept-form", &login, 200, "<h1>Sign in</h1>");
    let shown = sign_in_after(&browser, &answer).await;
    gallery.hang("kept-form", &shown, 200, "Send it now");
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    let grace = app.browser();
    grace.submit("/register", "/register", &fields).await;
    gallery.hang("kept-form-foreign", &grace.get(&kept_at(&answer)).await, 403, "somebody else");
    app.advance(Duration::minutes(11));
    gallery.hang("kept-form-over", &browser.get(&kept_at(&answer)).await, 410, "Fill it in again");
}

/// The database is away.
async fn outages(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/account", "/account/password").await;
    app.set_stopped(true);
    gallery.hang("unavailable", &browser.get("/devices").await, 503, "tries again by itself");
    let fields =
        [("current_password", PASSWORD), ("password", "copper violin at dawn"), ("form_token", token.as_str())];
    gallery.hang("send-again-passwords", &browser.post("/account/password", &fields).await, 503, "Send it again");
}
