//! In a real browser that binds its sign-ins to the device, without scripts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::Rows;
use crate::support::chromium::{Browser, Driver};
use crate::support::client::{PASSWORD, exchange};
use crate::support::patience::{let_pass, until};
use crate::support::server::{Launch, Server, empty_folder, free_port};

/// A life that a test can wait out, and long enough that a page of a busy machine finds its access token in force.
const ACCESS_LIFE: Duration = Duration::from_secs(15);

fn start(folder: &tempfile::TempDir, port: u16) -> Server {
    let launch = Launch::in_folder(folder.path()).on_port(port).set("ACCESS_TOKEN_TTL", "15s");
    launch.set("PUBLIC_URL", &format!("http://localhost:{port}")).set("REUSE_GRACE", "1s").start()
}

/// Waits until the access token has run out, with what is added to it on a bound sign-in.
fn let_run_out() {
    let_pass(ACCESS_LIFE + Duration::from_secs(1));
}

fn number(folder: &tempfile::TempDir, expression: &str) -> i64 {
    Rows::of(folder.path()).number(expression)
}

/// Asserts that the page is signed in, and that the last renewal was one by proof.
async fn assert_proved(browser: &Browser, folder: &tempfile::TempDir, what: &str) {
    assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace", "{what}");
    let proved = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND proved_generation = generation";
    assert_eq!(number(folder, proved), 1, "{what}");
}

/// Asks for the dashboard with nothing but cookies, as whoever copied them does.
fn tried_by_a_thief(server: SocketAddr, cookies: &str) -> (u16, String) {
    let request =
        format!("GET /dashboard HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n");
    let answer = exchange(server, request.as_bytes()).unwrap();
    (answer.status, answer.header("location").unwrap_or_default().to_owned())
}

#[test]
#[ignore = "needs a Chromium that binds sign-ins"]
fn a_browser_that_binds_stays_signed_in_and_a_copy_of_its_cookies_opens_nothing() {
    let (folder, profile, port) = (empty_folder(), empty_folder(), free_port());
    let driver = Driver::start_binding();
    let server = start(&folder, port);
    let url = format!("http://localhost:{port}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/register")).await;
        browser.type_in("#full_name", "Ada Lovelace").await;
        browser.type_in("#email", "ada@example.org").await;
        browser.type_in("#password", PASSWORD).await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
        let registered = "SELECT count(*) FROM sessions WHERE device_key IS NOT NULL";
        until("a key", || (number(&folder, registered) == 1).then_some(()));

        for round in 0..2 {
            let_run_out();
            browser.goto(&format!("{url}/dashboard")).await;
            assert_proved(&browser, &folder, &format!("round {round}")).await;
        }

        let copied = browser.cookies().await;
        let_run_out();
        let_pass(Duration::from_secs(10));
        let (status, location) = tried_by_a_thief(server.address, &copied);
        assert_eq!((status, location.as_str()), (303, "/session/confirm?next=%2Fdashboard"));

        browser.goto(&format!("data:text/html,<a id=link href='{url}/dashboard'>from elsewhere</a>")).await;
        browser.click("#link").await;
        assert_proved(&browser, &folder, "by a link from another site, beside the thief").await;

        server.kill();
        let_run_out();
        let server = start(&folder, port);
        browser.goto(&format!("{url}/dashboard")).await;
        assert_proved(&browser, &folder, "after the server was killed").await;
        browser.close().await;

        let_run_out();
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/dashboard")).await;
        assert_proved(&browser, &folder, "after the browser was closed").await;
        browser.close().await;
        server.stop();
    });
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count("sessions"), rows.count_events("refresh_token_replayed")), (1, 0));
}
