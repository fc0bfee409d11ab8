//! In a real browser without scripts: a form that meets an ended sign-in, and one that meets an outage.

use std::time::Duration;

use crate::support::Rows;
use crate::support::chromium::{Browser, Driver};
use crate::support::client::{Client, PASSWORD};
use crate::support::patience::let_pass;
use crate::support::server::{Launch, empty_folder};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn sign_in(browser: &Browser) {
    browser.type_in("#email", "ada@example.org").await;
    browser.type_in("#password", PASSWORD).await;
    browser.send("main button[type=submit]").await;
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_sends_a_form_after_it_has_signed_in_again() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let url = format!("http://localhost:{}", server.address.port());
    run(async {
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/account")).await;
        sign_in(&browser).await;
        browser.type_in("#full_name", " King <of> \"Kent\"").await;
        Rows::of(folder.path()).execute(
            "UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked' WHERE revoked_at IS NULL",
        );
        // Until the server has heard of it.
        let_pass(Duration::from_millis(1500));
        browser.send("form[action='/account/name'] button").await;
        assert_eq!(browser.text("h1").await, "Sign in");
        sign_in(&browser).await;
        assert_eq!(browser.text("h1").await, "Send your form?");
        assert!(browser.text("main").await.contains("Ada Lovelace King <of> \"Kent\""));
        let page = browser.url().await;
        browser.goto(&page).await;
        assert_eq!(browser.text("h1").await, "Send your form?", "opened again");
        browser.send("form[action='/account/name'] button").await;
        assert_eq!(browser.url().await, format!("{url}/account"));
        assert!(browser.text(".notice").await.starts_with("Your name was changed"));
        browser.goto(&page).await;
        assert_eq!(browser.text("h1").await, "This form was sent already");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).text("SELECT full_name FROM users"), "Ada Lovelace King <of> \"Kent\"");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn a_browser_without_scripts_sends_a_form_again_after_an_outage() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let url = format!("http://localhost:{}", server.address.port());
    run(async {
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/account")).await;
        sign_in(&browser).await;
        browser.type_in("#full_name", " King").await;
        let mut rows = Rows::of(folder.path());
        rows.execute("BEGIN IMMEDIATE");
        browser.send("form[action='/account/name'] button").await;
        assert_eq!(browser.text("h1").await, "Not available right now");
        browser.send("form[action='/rescue/again'] button").await;
        assert_eq!(browser.text("h1").await, "Not available right now", "a second time");
        rows.execute("ROLLBACK");
        browser.send("form[action='/rescue/again'] button").await;
        assert_eq!(browser.url().await, format!("{url}/account"));
        assert!(browser.text(".notice").await.starts_with("Your name was changed"));
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).text("SELECT full_name FROM users"), "Ada Lovelace King");
}
