//! A real browser, driven over WebDriver, with scripts switched off.
//!
//! Commands that WebDriver carries out by scripts in the page are not used: pages are opened, elements found, read,
//! typed into and clicked.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::client::exchange;
use super::patience::{DEADLINE, Stopwatch};
use super::server::free_port;

/// Names that systems give to the browser.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// No screen, and no requests of its own.
const ARGUMENTS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Names the folder that the packages of a Chromium that binds sign-ins were unpacked into, as `.ci/run` does.
const BINDING_CHROMIUM: &str = "PERENNIAL_BINDING_CHROMIUM";

/// Lets that browser bind sign-ins on this machine, with a key that needs no TPM, and as often as a test wants.
const BINDING: &str = "--enable-features=DeviceBoundSessions:RequireOriginTrialTokens/false/RefreshQuota/false/\
                       AllowHttpLocalhost/true,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";

/// A page that says whether scripts run.
const PROOF: &str = "data:text/html,<h1 id=word>scripts are off</h1>\
                     <script>document.getElementById('word').textContent='scripts are on'</script>";

/// Returns where a program is on the `PATH`.
pub(crate) fn find_program(names: &[&str]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    let found = found.unwrap_or_else(|| panic!("this test needs {} on the PATH", names.join(" or ")));
    found.to_str().unwrap().to_owned()
}

/// The program that drives browsers; it is killed when this goes.
pub(crate) struct Driver {
    child: Child,
    address: SocketAddr,
    // Held open: the driver would end at the first line that nobody can read.
    _output: BufReader<ChildStdout>,
    browser: String,
    more_arguments: Vec<&'static str>,
}

impl Driver {
    /// Starts it on a port of its own: left to choose, it takes one that is free on one of the two loopback addresses,
    /// and ends where the other has it in use.
    pub(crate) fn start() -> Self {
        Self::of(find_program(&BROWSERS), &find_program(&["chromedriver"]), Vec::new())
    }

    /// Starts it for browsers with more arguments.
    pub(crate) fn start_with(more_arguments: Vec<&'static str>) -> Self {
        Self::of(find_program(&BROWSERS), &find_program(&["chromedriver"]), more_arguments)
    }

    /// Starts the driver of a Chromium that binds sign-ins to the device; later versions of Debian's ignore what they are
    /// asked.
    pub(crate) fn start_binding() -> Self {
        Self::binding(vec![BINDING])
    }

    /// Starts the same of one that takes any certificate.
    pub(crate) fn start_binding_without_checking_certificates() -> Self {
        Self::binding(vec![BINDING, "--ignore-certificate-errors"])
    }

    fn binding(arguments: Vec<&'static str>) -> Self {
        let folder = std::env::var(BINDING_CHROMIUM).unwrap_or_else(|_| {
            panic!("this test needs {BINDING_CHROMIUM}: the folder that a Chromium which binds sign-ins is unpacked in")
        });
        let (browser, program) =
            (format!("{folder}/usr/lib/chromium/chromium"), format!("{folder}/usr/bin/chromedriver"));
        Self::of(browser, &program, arguments)
    }

    fn of(browser: String, program: &str, more_arguments: Vec<&'static str>) -> Self {
        let port = free_port();
        let mut child = Command::new(program).arg(format!("--port={port}")).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("started successfully on port ") {
            assert!(output.read_line(&mut said).unwrap() > 0, "chromedriver ended before it listened: {said}");
        }
        Self { child, address: ([127, 0, 0, 1], port).into(), _output: output, browser, more_arguments }
    }

    /// Opens a browser on a profile, the same one as before or a new one, and makes sure that it runs no script.
    pub(crate) async fn open(&self, profile: &Path) -> Browser {
        let browser = self.connect(profile, json!({ "profile.managed_default_content_settings.javascript": 2 })).await;
        browser.goto(PROOF).await;
        assert_eq!(browser.text("#word").await, "scripts are off");
        browser
    }

    /// Opens a browser that runs scripts, for tools that look at a page with one.
    pub(crate) async fn open_with_scripts(&self, profile: &Path) -> Browser {
        self.connect(profile, json!({})).await
    }

    async fn connect(&self, profile: &Path, preferences: Value) -> Browser {
        let mut arguments: Vec<_> = ARGUMENTS.iter().chain(&self.more_arguments).map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({
            "binary": self.browser,
            "args": arguments,
            "prefs": preferences,
        });
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://{}", self.address)).await.unwrap();
        let session = client.session_id().await.unwrap();
        Browser { client, session, driver: self.address, browser: self.browser.clone() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// An open browser; it is closed when this goes, also when a test fails.
pub(crate) struct Browser {
    client: Client,
    session: Option<String>,
    driver: SocketAddr,
    browser: String,
}

impl Browser {
    /// Opens a page.
    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Gives the window this many CSS pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.unwrap();
    }

    /// Carries out a command of the browser's own protocol, which needs no script in the page.
    pub(crate) fn command(&self, name: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": name, "params": parameters }).to_string();
        let session = self.session.as_deref().unwrap();
        let request = format!(
            "POST /session/{session}/goog/cdp/execute HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.driver,
            body.len()
        );
        let answer = exchange(self.driver, request.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["value"].take()
    }

    /// Shows pages as a screen of so many CSS pixels does, in light colours or dark ones.
    pub(crate) fn show_on(&self, width: u32, dark: bool) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", screen);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", features);
    }

    /// Returns how many CSS pixels the page is wide, with what can be reached by scrolling sideways alone.
    pub(crate) fn page_width(&self) -> u64 {
        self.command("Page.getLayoutMetrics", json!({}))["cssContentSize"]["width"].as_f64().unwrap().ceil() as u64
    }

    /// Returns the width and the height of the first element that a selector finds, and a property of its style.
    pub(crate) fn drawn(&self, css: &str, property: &str) -> (f64, f64, String) {
        let root = self.command("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
        let found = json!({ "nodeId": root, "selector": css });
        let node = json!({ "nodeId": self.command("DOM.querySelector", found)["nodeId"] });
        let place = self.command("DOM.getBoxModel", node.clone())["model"].take();
        self.command("CSS.enable", json!({}));
        let styles = self.command("CSS.getComputedStyleForNode", node)["computedStyle"].take();
        let value = styles.as_array().unwrap().iter().find(|style| style["name"] == property).unwrap();
        let size = |side: &str| place[side].as_f64().unwrap();
        (size("width"), size("height"), value["value"].as_str().unwrap().to_owned())
    }

    /// Runs a script, which calls its last argument with what it found.
    pub(crate) async fn run_script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap()
    }

    /// Goes back to the page before.
    pub(crate) async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Returns the address of the page that is shown.
    pub(crate) async fn url(&self) -> String {
        self.client.current_url().await.unwrap().into()
    }

    /// Returns the words of an element, once it is there: a page that is on its way may take the place of another between
    /// the finding and the reading.
    pub(crate) async fn text(&self, css: &str) -> String {
        let stopwatch = Stopwatch::start();
        loop {
            match self.find(css).await.text().await {
                Ok(text) => return text,
                Err(error) => assert!(stopwatch.elapsed() < DEADLINE, "{css}: {error}"),
            }
        }
    }

    /// Returns the value beside a heading of the table of facts.
    pub(crate) async fn fact(&self, heading: &str) -> String {
        let cell = format!("//th[normalize-space()='{heading}']/../td");
        self.client.find(Locator::XPath(&cell)).await.unwrap().text().await.unwrap()
    }

    /// Types into a field.
    pub(crate) async fn type_in(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    /// Returns the cookies of the page that is shown, as a request sends them.
    pub(crate) async fn cookies(&self) -> String {
        let cookies = self.client.get_all_cookies().await.unwrap();
        cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect::<Vec<_>>().join("; ")
    }

    /// Takes the cookies that another browser has of the site that both show, as whoever copied them does.
    pub(crate) async fn take_cookies_of(&self, other: &Self) {
        for cookie in other.client.get_all_cookies().await.unwrap() {
            self.client.add_cookie(cookie).await.unwrap();
        }
    }

    /// Clicks something.
    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Sends a form with its button, and returns once the page that it was on has gone: a click may return before, and
    /// whoever reads then reads the old page, or none.
    pub(crate) async fn send(&self, button: &str) {
        let page = self.find("html").await;
        self.click(button).await;
        let stopwatch = Stopwatch::start();
        while page.tag_name().await.is_ok() {
            assert!(stopwatch.elapsed() < DEADLINE, "{button} leads nowhere from {}", self.url().await);
        }
    }

    /// Tells whether a box is checked.
    pub(crate) async fn is_checked(&self, css: &str) -> bool {
        self.find(css).await.is_selected().await.unwrap()
    }

    /// Closes the browser, as a person does at the end of the day.
    pub(crate) async fn close(mut self) {
        self.session = None;
        self.client.clone().close().await.unwrap();
    }

    /// Ends the browser on a profile without a warning.
    pub(crate) fn kill(mut self, profile: &Path) {
        let (on_profile, of_renderer) = (format!("--user-data-dir={}", profile.display()), "--type=");
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let path = entry.ok()?.path();
            let line = std::fs::read(path.join("cmdline")).ok()?;
            let arguments: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let is_browser = arguments.iter().any(|argument| *argument == on_profile)
                && arguments.first().is_some_and(|program| **program == *self.browser)
                && !arguments.iter().any(|argument| argument.starts_with(of_renderer));
            let process: i32 = path.file_name()?.to_str()?.parse().ok()?;
            is_browser.then(|| Pid::from_raw(process)).flatten()
        });
        let processes: Vec<_> = processes.collect();
        assert_eq!(processes.len(), 1, "the browser on {on_profile}");
        kill_process(processes[0], Signal::KILL).unwrap();
        self.session = None;
    }

    async fn find(&self, css: &str) -> Element {
        let stopwatch = Stopwatch::start();
        loop {
            match self.client.find(Locator::Css(css)).await {
                Ok(element) => return element,
                Err(error) if stopwatch.elapsed() > DEADLINE => panic!("no {css} on {}: {error}", self.url().await),
                Err(_) => {}
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let request =
                format!("DELETE /session/{session} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.driver);
            // The test is failing already; if this fails as well, there is nothing better to do.
            drop(exchange(self.driver, request.as_bytes()));
        }
    }
}
