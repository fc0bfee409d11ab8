//! In a real browser without scripts: sign in once, stay signed in.

use std::path::Path;
use std::time::Duration;

use mailparse::parse_mail;

use crate::support::Rows;
use crate::support::chromium::{Browser, Driver};
use crate::support::client::{Client, PASSWORD};
use crate::support::patience::{let_pass, until};
use crate::support::server::{Launch, Server, empty_folder, files};

/// A life that a test can wait out.
const ACCESS_LIFE: Duration = Duration::from_secs(2);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn start(folder: &tempfile::TempDir) -> (Server, String) {
    let launch = Launch::in_folder(folder.path()).set("ACCESS_TOKEN_TTL", "2s");
    // So that what was issued a moment ago is renewed within a life that a test can wait out.
    let server = launch.set("REUSE_GRACE", "0s").start();
    let url = format!("http://localhost:{}", server.address.port());
    (server, url)
}

async fn register(browser: &Browser, url: &str) {
    browser.goto(&format!("{url}/register")).await;
    browser.type_in("#full_name", "Ada Lovelace").await;
    browser.type_in("#email", "ada@example.org").await;
    browser.type_in("#password", PASSWORD).await;
    assert!(browser.is_checked("#keep_signed_in").await);
    browser.send("main button[type=submit]").await;
    assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
}

async fn sign_in(browser: &Browser, url: &str, keep: bool) {
    browser.goto(&format!("{url}/dashboard")).await;
    assert_eq!(browser.text("h1").await, "Sign in");
    browser.type_in("#email", "ada@example.org").await;
    browser.type_in("#password", PASSWORD).await;
    assert!(browser.is_checked("#keep_signed_in").await, "checked at first");
    if !keep {
        browser.click("label[for=keep_signed_in]").await;
        assert!(!browser.is_checked("#keep_signed_in").await);
    }
    browser.send("main button[type=submit]").await;
    assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
    assert_eq!(browser.url().await, format!("{url}/dashboard"));
}

async fn sign_out(browser: &Browser) {
    browser.send("form[action='/logout'] button").await;
    assert_eq!(browser.text("#ended-title").await, "You have signed out");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_stays_signed_in_until_it_signs_out() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (server, url) = start(&folder);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        sign_out(&browser).await;
        sign_in(&browser, &url, true).await;
        browser.close().await;

        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/dashboard")).await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace", "after the browser was closed");

        let details = format!("{url}/token-details");
        browser.goto(&details).await;
        let generation = browser.fact("Generation").await;
        let_pass(ACCESS_LIFE + Duration::from_secs(1));
        browser.goto(&details).await;
        assert_eq!(browser.url().await, details, "after the access token has run out");
        let renewed: u64 = browser.fact("Generation").await.parse().unwrap();
        assert!(renewed > generation.parse().unwrap(), "{generation}, then {renewed}");

        sign_out(&browser).await;
        for _ in 0..2 {
            browser.back().await;
            assert_eq!(browser.text("h1").await, "Sign in", "Back shows nothing of what was signed in");
        }
        browser.goto(&format!("{url}/dashboard")).await;
        assert_eq!(browser.text("h1").await, "Sign in");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).count_events("refresh_token_replayed"), 0);
    assert_eq!(server.stop().code(), Some(0));
}

/// Waits for the mail with a link below `path`, and returns the link.
fn mailed_link(folder: &Path, path: &str) -> String {
    let mail = folder.join("mail");
    let link = |name: &String| {
        let bytes = std::fs::read(mail.join(name)).ok()?;
        let text = parse_mail(&bytes).ok()?.subparts.first()?.get_body().ok()?;
        text.lines().find(|line| line.contains(path)).map(str::to_owned)
    };
    until("a mail", || {
        if !mail.exists() {
            return None;
        }
        files(&mail).iter().filter(|name| name.ends_with(".eml")).find_map(link)
    })
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_sets_a_new_password_by_a_mailed_link() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (_server, url) = start(&folder);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        sign_out(&browser).await;
        browser.send("a[href='/password-reset']").await;
        assert_eq!(browser.text("h1").await, "Forgot your password?");
        browser.type_in("#email", "ada@example.org").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Check your mail");
        let link = mailed_link(folder.path(), "/password-reset/");
        assert!(link.starts_with(&format!("{url}/password-reset/")), "{link}");
        browser.goto(&link).await;
        assert_eq!(browser.text("h1").await, "Set a new password");
        assert_eq!(browser.url().await, format!("{url}/password-reset/new"), "the token is no more in the address");
        browser.type_in("#password", "too short").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text(".error-summary__title").await, "There is a problem");
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Sign in");
        assert!(browser.text(".notice").await.starts_with("Your password was changed"));
        browser.goto(&link).await;
        assert_eq!(browser.text("h1").await, "This link doesn't work any more");
        browser.goto(&format!("{url}/login")).await;
        browser.type_in("#email", "ada@example.org").await;
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).count_events("password_reset"), 1);
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn an_unchecked_box_keeps_nobody_beyond_the_browser() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (_server, url) = start(&folder);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        sign_out(&browser).await;
        sign_in(&browser, &url, false).await;
        let_pass(ACCESS_LIFE + Duration::from_secs(1));
        browser.goto(&format!("{url}/dashboard")).await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace", "while the browser is open");
        browser.close().await;

        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/dashboard")).await;
        assert_eq!(browser.text("h1").await, "Sign in");
        browser.close().await;
    });
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_dialog_asks_without_scripts_before_a_sign_in_is_ended() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (server, url) = start(&folder);
    let mut other = Client::of(&server);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        assert_eq!(other.sign_in("ada").status, 303);
        browser.goto(&format!("{url}/devices")).await;
        browser.click("button.asks-here").await;
        let asked = browser.text("dialog[open] h3").await;
        assert!(asked.starts_with("End the sign-in on "), "{asked}");
        browser.click("dialog[open] .button--secondary").await;
        assert_eq!(Rows::of(folder.path()).count_events("session_revoked"), 0, "asking ends nothing");
        browser.click("button.asks-here").await;
        browser.send("dialog[open] .button--danger").await;
        let banner = browser.text(".notice").await;
        assert!(banner.ends_with(" is signed out."), "{banner}");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).count_events("session_revoked"), 1);
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_changes_its_password_and_deletes_its_account() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (_server, url) = start(&folder);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        Rows::of(folder.path()).execute("UPDATE sessions SET authenticated_at = authenticated_at - 601");
        let_pass(ACCESS_LIFE + Duration::from_secs(1));
        browser.send(".site-nav a[href='/account']").await;
        assert_eq!(browser.text("h1").await, "Enter your password again");
        browser.type_in("#password", PASSWORD).await;
        browser.send("main button[type=submit]").await;
        assert_eq!((browser.text("h1").await, browser.url().await), ("Account".to_owned(), format!("{url}/account")));

        browser.type_in("#current_password", "a wrong password").await;
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("form[action='/account/password'] button").await;
        assert_eq!(browser.text(".error-summary a").await, "That is not your current password");
        browser.type_in("#current_password", PASSWORD).await;
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("form[action='/account/password'] button").await;
        assert!(browser.text("p.notice").await.starts_with("Your password was changed."));

        browser.send("a[href='/account/delete']").await;
        assert_eq!(browser.text("h1").await, "Delete your account?");
        browser.send("form[action='/account/delete'] button").await;
        assert_eq!(browser.text(".error-summary a").await, "Check the box to say that you mean it");
        browser.click("label[for=confirm]").await;
        browser.send("form[action='/account/delete'] button").await;
        assert_eq!(browser.text("h1").await, "Sign in");
        assert_eq!(browser.text("p.notice").await, "Your account was deleted.");
        browser.goto(&format!("{url}/account")).await;
        assert_eq!(browser.text("h1").await, "Sign in");
        browser.close().await;
    });
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count("users"), rows.count_events("user_deleted")), (0, 1));
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_changes_its_email_address_and_takes_it_back() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let (_server, url) = start(&folder);
    run(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, &url).await;
        browser.goto(&format!("{url}/account")).await;
        browser.type_in("#email", "countess@example.org").await;
        browser.send("form[action='/account/email'] button").await;
        let section = "section[aria-labelledby=email-title]";
        assert!(browser.text(section).await.contains("Waiting to be confirmed"));
        let link = mailed_link(folder.path(), "/verify-email/");
        browser.goto(&link).await;
        assert_eq!(browser.url().await, format!("{url}/verify-email"), "the token is no more in the address");
        browser.send("form[action='/verify-email'] button").await;
        assert!(browser.text("p.notice").await.starts_with("The email address was changed."));
        assert!(browser.text(section).await.contains("countess@example.org"));

        let undo = mailed_link(folder.path(), "/email-undo/");
        browser.goto(&undo).await;
        assert_eq!(browser.text("h1").await, "Undo the change of your email address");
        browser.send("form[action='/email-undo'] button").await;
        assert_eq!(browser.text("h1").await, "Set a new password");
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Sign in");
        browser.type_in("#email", "ada@example.org").await;
        browser.type_in("#password", "copper violin at dawn").await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).count_events("email_changed"), 2);
}
