//! In a real browser that binds its sign-ins to the device, without scripts.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Rows;
use crate::support::chromium::{Browser, Driver, find_program};
use crate::support::client::{PASSWORD, connect, exchange};
use crate::support::gate::{Fate, Gate};
use crate::support::patience::{DEADLINE, Stopwatch, let_pass, until};
use crate::support::readme::{block, with};
use crate::support::server::{Launch, Server, empty_folder, free_port};

/// A life that a test can wait out, and long enough that a page of a busy machine finds its access token in force.
const ACCESS_LIFE: Duration = Duration::from_secs(15);

/// What is added to it on a bound sign-in.
const LEEWAY: Duration = Duration::from_secs(10);

/// How long a browser may keep cookies in memory alone.
const UNWRITTEN: Duration = Duration::from_secs(31);

fn launch(folder: &TempDir, port: u16, url: &str) -> Launch {
    let launch = Launch::in_folder(folder.path()).on_port(port).set("ACCESS_TOKEN_TTL", "15s");
    launch.set("PUBLIC_URL", url).set("REUSE_GRACE", "1s")
}

fn start(folder: &TempDir, port: u16) -> Server {
    launch(folder, port, &format!("http://localhost:{port}")).start()
}

/// Waits until the access token has run out.
fn let_run_out() {
    let_pass(ACCESS_LIFE + Duration::from_secs(1));
}

fn number(folder: &Path, expression: &str) -> i64 {
    Rows::of(folder).number(expression)
}

/// Runs what a browser does.
fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

/// Makes an account, signed in with a key of the device.
async fn register(browser: &Browser, folder: &Path, url: &str) {
    browser.goto(&format!("{url}/register")).await;
    browser.type_in("#full_name", "Ada Lovelace").await;
    browser.type_in("#email", "ada@example.org").await;
    browser.type_in("#password", PASSWORD).await;
    browser.send("main button[type=submit]").await;
    assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
    until_bound(folder, 1);
}

/// Waits until so many sign-ins have a key.
fn until_bound(folder: &Path, sign_ins: i64) {
    let registered = "SELECT count(*) FROM sessions WHERE device_key IS NOT NULL";
    until("a key", || (number(folder, registered) == sign_ins).then_some(()));
}

/// Asserts that the page is signed in, maybe after a wait for a proof, and that the last renewal was one by proof.
async fn assert_proved(browser: &Browser, folder: &Path, what: &str) {
    let stopwatch = Stopwatch::start();
    while browser.text("h1").await != "Welcome, Ada Lovelace" {
        assert!(stopwatch.elapsed() < DEADLINE, "{what}: {}", browser.url().await);
    }
    let proved = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND proved_generation = generation";
    assert_eq!(number(folder, proved), 1, "{what}");
}

fn assert_no_alarm(folder: &Path) {
    let mut rows = Rows::of(folder);
    assert_eq!((rows.count("sessions"), rows.count_events("refresh_token_replayed")), (1, 0));
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
    let (url, rows) = (format!("http://localhost:{port}"), folder.path());
    block_on(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, rows, &url).await;
        for round in 0..2 {
            let_run_out();
            browser.goto(&format!("{url}/dashboard")).await;
            assert_proved(&browser, rows, &format!("round {round}")).await;
        }

        let copied = browser.cookies().await;
        let_run_out();
        let_pass(LEEWAY);
        let (status, location) = tried_by_a_thief(server.address, &copied);
        assert_eq!((status, location.as_str()), (303, "/session/confirm?next=%2Fdashboard"));

        browser.goto(&format!("data:text/html,<a id=link href='{url}/dashboard'>from elsewhere</a>")).await;
        browser.click("#link").await;
        assert_proved(&browser, rows, "by a link from another site, beside the thief").await;

        server.kill();
        let_run_out();
        let server = start(&folder, port);
        browser.goto(&format!("{url}/dashboard")).await;
        assert_proved(&browser, rows, "after the server was killed").await;
        browser.close().await;

        let_run_out();
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/dashboard")).await;
        assert_proved(&browser, rows, "after the browser was closed").await;
        browser.close().await;
        server.stop();
    });
    assert_no_alarm(folder.path());
}

#[test]
#[ignore = "needs a Chromium that binds sign-ins"]
fn lost_answers_refusals_and_a_killed_browser_sign_nobody_out_and_a_form_arrives() {
    let (folder, profile, front, port) = (empty_folder(), empty_folder(), free_port(), free_port());
    let driver = Driver::start_binding();
    let (url, rows) = (format!("http://localhost:{front}"), folder.path());
    let server = launch(&folder, port, &url).start();
    let gate = Gate::start(front, server.address);
    let dashboard = format!("{url}/dashboard");
    block_on(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, rows, &url).await;
        for (fate, renewals) in [(Fate::AnswerLost, 1), (Fate::AnswerLost, 2), (Fate::Refused, 1)] {
            gate.set(fate, renewals);
            let_run_out();
            browser.goto(&dashboard).await;
            assert_proved(&browser, rows, &format!("{fate:?} {renewals}")).await;
            assert!(gate.met() > 0, "{fate:?}");
        }

        browser.goto(&format!("{url}/account")).await;
        browser.type_in("form[action='/account/name'] input[name=full_name]", " King").await;
        let before = number(rows, "SELECT generation FROM sessions");
        let_run_out();
        browser.send("form[action='/account/name'] button").await;
        let renamed = "SELECT count(*) FROM users WHERE full_name = 'Ada Lovelace King'";
        until("the name", || (number(rows, renamed) == 1).then_some(()));
        assert!(number(rows, "SELECT generation FROM sessions") > before, "it was renewed first");
        Rows::of(rows).execute("UPDATE users SET full_name = 'Ada Lovelace'");

        let_pass(UNWRITTEN);
        browser.goto(&dashboard).await;
        assert_proved(&browser, rows, "before it is killed").await;
        browser.kill(profile.path());
        let_run_out();
        let browser = driver.open(profile.path()).await;
        browser.goto(&dashboard).await;
        assert_proved(&browser, rows, "killed before it had written its new cookies").await;
        browser.close().await;
        server.stop();
    });
    assert_no_alarm(folder.path());
}

#[test]
#[ignore = "needs a Chromium that binds sign-ins"]
fn cookies_in_another_profile_open_nothing_after_the_access_life_and_an_unticked_box_ends_with_the_browser() {
    let (folder, profile, thiefs, port) = (empty_folder(), empty_folder(), empty_folder(), free_port());
    let driver = Driver::start_binding();
    let server = start(&folder, port);
    let (url, rows) = (format!("http://localhost:{port}"), folder.path());
    let dashboard = format!("{url}/dashboard");
    block_on(async {
        let owner = driver.open(profile.path()).await;
        register(&owner, rows, &url).await;
        let_run_out();
        owner.goto(&dashboard).await;
        assert_proved(&owner, rows, "the owner").await;

        let thief = driver.open(thiefs.path()).await;
        thief.goto(&format!("{url}/login")).await;
        thief.take_cookies_of(&owner).await;
        thief.goto(&dashboard).await;
        assert_eq!(thief.text("h1").await, "Welcome, Ada Lovelace", "for what is left of one access life");
        let_run_out();
        let_pass(LEEWAY);
        for _ in 0..2 {
            thief.goto(&dashboard).await;
            let stopwatch = Stopwatch::start();
            while !thief.url().await.starts_with(&format!("{url}/login")) {
                assert!(stopwatch.elapsed() < DEADLINE, "{}", thief.url().await);
            }
        }
        owner.goto(&dashboard).await;
        assert_proved(&owner, rows, "the owner, beside the thief").await;
        thief.close().await;
        owner.send("form[action='/logout'] button").await;

        owner.goto(&format!("{url}/login")).await;
        owner.type_in("#email", "ada@example.org").await;
        owner.type_in("#password", PASSWORD).await;
        owner.click("label[for=keep_signed_in]").await;
        owner.send("main button[type=submit]").await;
        until_bound(rows, 2);
        let_run_out();
        owner.goto(&dashboard).await;
        assert_proved(&owner, rows, "unticked, as long as the browser is open").await;
        owner.close().await;
        let browser = driver.open(profile.path()).await;
        browser.goto(&dashboard).await;
        let at = browser.url().await;
        assert!(at.starts_with(&format!("{url}/login")), "unticked, and the browser was closed: {at}");
        browser.close().await;
        server.stop();
    });
    assert_eq!(Rows::of(folder.path()).count_events("refresh_token_replayed"), 0);
}

/// A proxy that ends with the test.
struct Nginx(Child);

impl Nginx {
    /// Starts it as the README configures it, with TLS by a certificate of its own, in front of three nodes.
    fn start(folder: &Path, front: u16, nodes: [SocketAddr; 3]) -> Self {
        let at = |name: &str| folder.join(name).display().to_string();
        let (key, certificate) = (at("key.pem"), at("certificate.pem"));
        let arguments = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext \
             subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
        );
        let made = Command::new(find_program(&["openssl"])).args(arguments.split(' ')).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let [first, second, third] = nodes;
        let own = with(
            block("nginx", "upstream perennial"),
            &[
                ("10.0.0.11:8080", first.to_string()),
                ("10.0.0.12:8080 max_fails=0;", format!("{second} max_fails=0;\n    server {third} max_fails=0;")),
                ("listen 443 ssl;", format!("listen 127.0.0.1:{front} ssl;")),
                ("/etc/ssl/sign-in.pem", certificate),
                ("/etc/ssl/private/sign-in.key", key),
            ],
        );
        let around = format!(
            "daemon off;\nworker_processes 1;\npid {};\nerror_log {};\nevents {{}}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {};\nproxy_temp_path {};\n{own}}}\n",
            at("nginx.pid"),
            at("nginx.log"),
            at("body"),
            at("proxy")
        );
        std::fs::write(folder.join("nginx.conf"), around).unwrap();
        let mut command = Command::new(find_program(&["nginx"]));
        let child = command.args(["-c", &at("nginx.conf")]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let nginx = Self(child);
        until("nginx", || connect(([127, 0, 0, 1], front).into()).ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it.
        let process = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs a Chromium that binds sign-ins, and nginx"]
fn three_nodes_behind_nginx_with_tls_renew_for_each_other() {
    let (folder, profile, front) = (empty_folder(), empty_folder(), free_port());
    let (url, rows) = (format!("https://localhost:{front}"), folder.path());
    let of_node = |()| launch(&folder, free_port(), &url).set("TRUSTED_PROXIES", "127.0.0.1");
    let launches = [(); 3].map(of_node);
    let mut nodes = launches.each_ref().map(|launch| Some(launch.start()));
    let _nginx = Nginx::start(folder.path(), front, nodes.each_ref().map(|node| node.as_ref().unwrap().address));
    let driver = Driver::start_binding_without_checking_certificates();
    block_on(async {
        let browser = driver.open(profile.path()).await;
        register(&browser, rows, &url).await;
        for round in 0..3 {
            let_run_out();
            for page in ["devices", "activity", "dashboard"] {
                browser.goto(&format!("{url}/{page}")).await;
            }
            assert_proved(&browser, rows, &format!("round {round}")).await;
        }
        assert!(number(rows, "SELECT generation FROM sessions") >= 3, "each round rotated");
        for (launch, node) in launches.iter().zip(&mut nodes) {
            let_run_out();
            node.take().unwrap().kill();
            browser.goto(&format!("{url}/dashboard")).await;
            assert_proved(&browser, rows, "with a node that was killed").await;
            *node = Some(launch.start());
        }
        browser.close().await;
    });
    assert_no_alarm(folder.path());
}
