//! The administration in a real browser without scripts.

use std::time::Duration;

use crate::support::Rows;
use crate::support::chromium::{Browser, Driver};
use crate::support::client::{Client, PASSWORD};
use crate::support::patience::let_pass;
use crate::support::server::{Launch, Server, empty_folder};

/// Each page of the administration, with its heading.
const PAGES: [(&str, &str); 13] = [
    ("/admin", "Administration"),
    ("/admin/users", "Users"),
    ("/admin/users?search=a+name+that+is+as+long+as+it+is+unlikely", "Users"),
    ("/admin/users/1", "Ada Lovelace"),
    ("/admin/users/2", "Ada Lovelace"),
    ("/admin/users/2/deactivate", "Deactivate grace@example.org?"),
    ("/admin/users/2/revoke", "End every sign-in of grace@example.org?"),
    ("/admin/sessions", "Sign-ins"),
    ("/admin/events", "Events"),
    ("/admin/events?type=signed_in&from=2020-01-01", "Events"),
    ("/admin/nodes", "Nodes"),
    ("/admin/mails", "Mail that waits"),
    ("/admin/invitations", "Invite somebody"),
];

/// A life that a test can wait out.
const ACCESS_LIFE: Duration = Duration::from_secs(2);

/// A telephone that is not of this decade (WCAG 2.2, 1.4.10 asks for no more than 320).
const NARROW: u32 = 320;

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Starts a site with an administrator and Grace, and opens the browser of the administrator.
async fn open(driver: &Driver, folder: &std::path::Path, profile: &std::path::Path) -> (Server, String, Browser) {
    let launch = Launch::in_folder(folder).set("ACCESS_TOKEN_TTL", "2s");
    // So that what was issued a moment ago is renewed within a life that a test can wait out.
    let server = launch.set("REUSE_GRACE", "0s").start();
    let url = format!("http://localhost:{}", server.address.port());
    Client::of(&server).register("ada");
    Client::of(&server).register("grace");
    let browser = driver.open(profile).await;
    browser.goto(&format!("{url}/login")).await;
    browser.type_in("#email", "ada@example.org").await;
    browser.type_in("#password", PASSWORD).await;
    browser.send("main button[type=submit]").await;
    browser.goto(&format!("{url}/admin")).await;
    assert_eq!(browser.text("h1").await, "Administration");
    (server, url, browser)
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn no_page_of_the_administration_scrolls_sideways_and_every_chart_is_drawn() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    run(async {
        let (_server, url, browser) = open(&driver, folder.path(), profile.path()).await;
        let mut colours = Vec::new();
        for (width, dark) in [(1280, false), (NARROW, false), (NARROW, true)] {
            browser.show_on(width, dark);
            for (path, heading) in PAGES {
                browser.goto(&format!("{url}{path}")).await;
                assert_eq!(browser.text("h1").await, heading, "{path}");
                assert!(browser.page_width() <= width.into(), "{path}: {} of {width}", browser.page_width());
            }
            browser.goto(&format!("{url}/admin")).await;
            let (wide, high, _) = browser.drawn(".chart__picture", "display");
            assert!(wide > 200.0 && high > 30.0, "{wide} by {high}");
            let (wide, high, bar) = browser.drawn(".chart__bar--today", "fill");
            assert!(wide > 2.0 && high > 2.0, "{wide} by {high}");
            let ground = browser.drawn(".card.chart", "background-color").2;
            assert_ne!(bar, ground);
            colours.push((bar, ground));
        }
        assert_eq!(colours[0], colours[1]);
        assert!(colours[1].0 != colours[2].0 && colours[1].1 != colours[2].1, "{colours:?}");
        browser.close().await;
    });
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn an_administrator_acts_after_the_password_and_sees_what_came_of_it() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    run(async {
        let (_server, url, browser) = open(&driver, folder.path(), profile.path()).await;
        browser.goto(&format!("{url}/admin/users/2")).await;
        Rows::of(folder.path()).execute("UPDATE sessions SET authenticated_at = authenticated_at - 601");
        let_pass(ACCESS_LIFE + Duration::from_secs(1));
        browser.click("button.asks-here[commandfor=deactivate]").await;
        assert_eq!(browser.text("dialog[open] h3").await, "Deactivate grace@example.org?");
        browser.send("dialog[open] .button--danger").await;
        assert_eq!(browser.text("h1").await, "Enter your password again");
        browser.type_in("#password", PASSWORD).await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Send your form?");
        browser.send("main button[type=submit]").await;
        assert!(browser.text(".notice").await.starts_with("The account is deactivated"));
        assert_eq!(browser.url().await, format!("{url}/admin/users/2"));
        browser.close().await;
    });
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count_events("user_deactivated"), rows.count_events("session_revoked")), (1, 1));
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn one_sign_in_is_ended_by_its_dialog_and_not_by_one_press() {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start();
    run(async {
        let (_server, url, browser) = open(&driver, folder.path(), profile.path()).await;
        browser.goto(&format!("{url}/admin/sessions")).await;
        browser.click("button.asks-here").await;
        let asked = browser.text("dialog[open] h3").await;
        assert!(asked.starts_with("End the sign-in on "), "{asked}");
        browser.click("dialog[open] .button--secondary").await;
        assert_eq!(Rows::of(folder.path()).count_events("session_revoked"), 0, "asking ends nothing");
        browser.click("button.asks-here").await;
        browser.send("dialog[open] .button--danger").await;
        assert_eq!(browser.text(".notice").await, "One sign-in was ended.");
        browser.close().await;
    });
    assert_eq!(Rows::of(folder.path()).count_events("session_revoked"), 1);
}
