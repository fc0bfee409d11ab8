//! The pages of somebody who is not signed in.

use time::Duration;

use super::gallery::Gallery;
use crate::support::guesses::{fail, stranger, try_to_sign_in, with_account};
use crate::support::links::{CONFIRM, END, SMTP, UNDO, last_link, open, press};
use crate::support::reset::{NEW, fresh_link};
use crate::support::{Browser, EMAIL, NAME, PASSWORD, TestApp};

pub(super) async fn visit(gallery: &mut Gallery) {
    sign_in(gallery).await;
    locks(gallery).await;
    ends(gallery).await;
    registration(gallery).await;
    passwords(gallery).await;
    mailed_links(gallery).await;
    outages(gallery).await;
}

async fn sign_in(gallery: &mut Gallery) {
    let app = with_account().await;
    let browser = app.browser();
    gallery.hang("login", &browser.get("/login").await, 200, "<h1>Sign in</h1>");
    let fields = [("email", "ada"), ("password", ""), ("shared_computer", "on")];
    let missing = browser.submit("/login", "/login", &fields).await;
    gallery.hang("login-missing", &missing, 422, "Enter your password");
    let fields = [("email", EMAIL), ("password", "a wrong one"), ("keep_signed_in", "on")];
    let wrong = browser.submit("/login", "/login", &fields).await;
    gallery.hang("login-wrong", &wrong, 401, "Invalid email or password.");
    gallery.hang("not-found", &browser.get("/nowhere").await, 404, "<h1>");
    let planted = browser.with_header("sec-fetch-site", "cross-site").post("/login", &[]).await;
    gallery.hang("cross-site", &planted, 403, "This form came from somewhere else");
    gallery.hang("form-token", &browser.post("/login", &[("form_token", "x")]).await, 403, "no longer valid");
}

async fn locks(gallery: &mut Gallery) {
    let app = with_account().await;
    fail(&app, EMAIL, 5).await;
    let locked = try_to_sign_in(&stranger(&app, 251), EMAIL, PASSWORD).await;
    gallery.hang_mail("mail-account-locked", &app, "Your account is locked for now: too many wrong passwords");
    gallery.hang("login-locked", &locked, 403, "You can try again");
    let app = with_account().await;
    let browser = app.browser();
    let mut answer = try_to_sign_in(&browser, "eve0@example.org", "a wrong one").await;
    for number in 1..200 {
        if answer.status.as_u16() == 429 {
            break;
        }
        answer = try_to_sign_in(&browser, &format!("eve{number}@example.org"), "a wrong one").await;
    }
    gallery.hang("login-too-many", &answer, 429, "try again");
    let mut answer = browser.submit("/password-reset", "/password-reset", &[("email", EMAIL)]).await;
    for _ in 1..100 {
        if answer.status.as_u16() == 429 {
            break;
        }
        answer = browser.submit("/password-reset", "/password-reset", &[("email", EMAIL)]).await;
    }
    gallery.hang("too-many-tries", &answer, 429, "Too many tries");
}

/// The sign-in page says why a sign-in is over.
async fn ends(gallery: &mut Gallery) {
    for (name, reason, words) in [
        ("login-after-revoked", "revoked", "another device"),
        ("login-after-expired", "expired", "<h2 class=\"notice__title\""),
        ("login-after-idle", "idle", "<h2 class=\"notice__title\""),
        ("login-after-replayed", "replayed", "ended to keep you safe"),
        ("login-after-operator", "revoked_by_operator", "<h2 class=\"notice__title\""),
    ] {
        let app = TestApp::start().await;
        let browser = app.signed_in().await;
        app.rows().execute(&format!("UPDATE sessions SET revoked_at = created_at, revoked_because = '{reason}'"));
        app.catch_up();
        gallery.hang(name, &browser.get("/login").await, 200, words);
    }
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    browser.sign_out().await;
    gallery.hang("login-after-sign-out", &browser.get("/login").await, 200, "You have signed out");
}

async fn register(browser: &Browser, email: &str) {
    let fields = [("full_name", NAME), ("email", email), ("password", PASSWORD), ("keep_signed_in", "on")];
    browser.submit("/register", "/register", &fields).await;
}

async fn registration(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let browser = app.browser();
    gallery.hang("register-first", &browser.get("/register").await, 200, "it will be the administrator");
    let fields = [("full_name", ""), ("email", "ada@"), ("password", "password")];
    let problems = browser.submit("/register", "/register", &fields).await;
    gallery.hang("register-problems", &problems, 422, "There is a problem");
    browser.register().await;
    gallery.hang("register", &app.browser().get("/register").await, 200, "Create an account");

    let app = TestApp::with(|arguments| arguments.registration = Some("closed".to_owned())).await;
    gallery.hang("register-closed", &app.browser().get("/register").await, 403, "Registration is closed");
    let app = TestApp::with(|arguments| {
        arguments.public_url = Some("https://example.org".to_owned());
        arguments.bcrypt_cost = Some("10".to_owned());
    })
    .await;
    gallery.hang("register-by-link", &app.browser().get("/register").await, 403, "not set up yet");

    let app = TestApp::with(|arguments| arguments.smtp_url = Some(SMTP.to_owned())).await;
    let browser = app.browser();
    register(&browser, EMAIL).await;
    const CHECK: &str = "/register/check-mail";
    gallery.hang("check-mail", &browser.get(CHECK).await, 200, "Check your mail");
    let problem = browser.submit(CHECK, CHECK, &[("email", "ada")]).await;
    gallery.hang("check-mail-problem", &problem, 422, "There is a problem");
    browser.submit(CHECK, CHECK, &[("email", EMAIL)]).await;
    gallery.hang("check-mail-again", &browser.get(CHECK).await, 200, "a new link is on its way");
    let page = open(&browser, &last_link(&app, EMAIL, CONFIRM)).await;
    gallery.hang_mail("mail-registration-requested", &app, "Confirm your email address");
    gallery.hang("verify-email", &page, 200, "Confirm and sign in");
    press(&browser, CONFIRM).await;
    register(&app.browser(), EMAIL).await;
    gallery.hang_mail("mail-address-in-use", &app, "You already have an account");
    gallery.hang("dashboard-confirmed", &browser.get("/dashboard").await, 200, "Your email address is confirmed");
    let dead = browser.get("/verify-email/x").await;
    gallery.hang("verify-email-dead", &dead, 410, "This link doesn");
    register(&app.browser(), "grace@example.org").await;
    let page = open(&browser, &last_link(&app, "grace@example.org", CONFIRM)).await;
    gallery.hang("verify-email-signed-in", &page, 200, "Create the account");
}

async fn passwords(gallery: &mut Gallery) {
    let app = with_account().await;
    let browser = app.browser();
    gallery.hang("password-reset", &browser.get("/password-reset").await, 200, "Send the link");
    let problem = browser.submit("/password-reset", "/password-reset", &[("email", "ada")]).await;
    gallery.hang("password-reset-problem", &problem, 422, "There is a problem");
    gallery.hang("password-reset-sent", &browser.get("/password-reset/check-mail").await, 200, "Check your mail");
    let link = fresh_link(&app, EMAIL).await;
    gallery.hang_mail("mail-password-reset-requested", &app, "Set a new password");
    gallery.hang("new-password", &crate::support::reset::open(&browser, &link).await, 200, "Set a new password");
    let problem = browser.submit(NEW, NEW, &[("password", "password")]).await;
    gallery.hang("new-password-problem", &problem, 422, "There is a problem");
    gallery.hang("new-password-dead", &browser.get("/password-reset/x").await, 410, "Ask for a new link");
    browser.submit(NEW, NEW, &[("password", "copper violin at dawn")]).await;
    gallery.hang_mail("mail-password-changed", &app, "Your password was changed");
    gallery.hang("login-after-reset", &browser.get("/login").await, 200, "Your password was changed");
}

async fn mailed_links(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.submit("/account", "/account/email", &[("email", "countess@example.org")]).await;
    let reader = app.browser();
    let page = open(&reader, &last_link(&app, "countess@example.org", CONFIRM)).await;
    gallery.hang_mail("mail-email-change-requested", &app, "Confirm your new email address");
    gallery.hang("verify-email-change", &page, 200, "Use this address");
    press(&reader, CONFIRM).await;
    gallery.hang("login-after-change", &reader.get("/login").await, 200, "The email address was changed");
    let page = open(&reader, &last_link(&app, EMAIL, UNDO)).await;
    gallery.hang_mail("mail-email-changed", &app, "Your email address was changed");
    gallery.hang("email-undo", &page, 200, "Undo the change");
    press(&reader, UNDO).await;
    gallery.hang("new-password-after-undo", &reader.get(NEW).await, 200, "Your account has its address back");
    gallery.hang("email-undo-dead", &reader.get("/email-undo/x").await, 410, "This link doesn");

    let app = with_account().await;
    let mut other = app.browser();
    other.address = "198.51.100.7:40000".parse().unwrap();
    other.sign_in().await;
    app.advance(Duration::hours(3));
    let reader = app.browser();
    let page = open(&reader, &last_link(&app, EMAIL, END)).await;
    gallery.hang_mail("mail-new-device", &app, "You signed in on a new device");
    gallery.hang("end-new-device", &page, 200, "End this sign-in");
    gallery.hang("end-new-device-dead", &reader.get("/devices/end/x").await, 410, "This link doesn");
    let after = press(&reader, END).await;
    gallery.hang("end-new-device-done", &reader.get(after.location()).await, 200, "That sign-in was ended");
}

/// The database is away.
async fn outages(gallery: &mut Gallery) {
    let app = with_account().await;
    let browser = app.browser();
    let token = browser.token("/login", "/login").await;
    app.set_stopped(true);
    let fields = [("email", EMAIL), ("password", PASSWORD), ("form_token", token.as_str())];
    gallery.hang("send-again", &browser.post("/login", &fields).await, 503, "Send it again");
}
