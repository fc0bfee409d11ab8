//! Firefox, driven over WebDriver BiDi, which it speaks itself: Debian has no driver for it.
//!
//! Scripts are switched off for pages. What the driver evaluates runs beside them, and reads what the browser has made of
//! a page: sizes, and the values of styles.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::chromium::find_program;
use super::client::{Client, connect};

/// What a page can be shown with: a name of Firefox's settings, and its value.
pub(crate) type Preference = (&'static str, Value);

/// Preferences of every start: no scripts, and no requests of the browser's own.
fn usual() -> [Preference; 5] {
    [
        ("javascript.enabled", json!(false)),
        ("app.update.enabled", json!(false)),
        ("browser.shell.checkDefaultBrowser", json!(false)),
        ("datareporting.policy.dataSubmissionEnabled", json!(false)),
        ("network.captive-portal-service.enabled", json!(false)),
    ]
}

/// An open browser with one tab; it is closed when this goes.
pub(crate) struct Firefox {
    child: Child,
    socket: WebSocket<TcpStream>,
    tab: String,
    commands: u64,
    // Held open: the browser would end at the first line that nobody can read.
    _output: BufReader<ChildStderr>,
}

impl Firefox {
    /// Opens it on a new profile with some preferences.
    pub(crate) fn open(profile: &Path, preferences: &[Preference]) -> Self {
        let program = find_program(&["firefox-esr", "firefox"]);
        let lines = usual().into_iter().chain(preferences.iter().cloned());
        let lines: String = lines.map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect();
        std::fs::write(profile.join("user.js"), lines).unwrap();
        let mut child = Command::new(program)
            .args(["--headless", "--no-remote", "--remote-debugging-port=0", "--profile"])
            .arg(profile)
            .env("HOME", profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let url = loop {
            let start = said.len();
            assert!(output.read_line(&mut said).unwrap() > 0, "Firefox ended before it listened: {said}");
            if let Some((_, url)) = said[start..].split_once("WebDriver BiDi listening on ") {
                break url.trim().to_owned();
            }
        };
        let address = url.strip_prefix("ws://").unwrap().parse().unwrap();
        let stream = connect(address).unwrap();
        let (socket, _) = tungstenite::client(format!("{url}/session"), stream).unwrap();
        let mut firefox = Self { child, socket, tab: String::new(), commands: 0, _output: output };
        firefox.command("session.new", &json!({ "capabilities": {} }));
        let tree = firefox.command("browsingContext.getTree", &json!({}));
        firefox.tab = tree["contexts"][0]["context"].as_str().unwrap().to_owned();
        firefox
    }

    /// Takes over the cookies of a client, as if it had signed in here.
    pub(crate) fn take_cookies(&mut self, client: &Client) {
        for (name, value) in client.jar.pairs() {
            let cookie = json!({
                "name": name,
                "value": { "type": "string", "value": value },
                "domain": "localhost",
                "path": "/",
                "httpOnly": true,
                "sameSite": "lax",
            });
            self.command("storage.setCookie", &json!({ "cookie": cookie }));
        }
    }

    /// Gives the page this many CSS pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let viewport = json!({ "width": width, "height": height });
        self.command("browsingContext.setViewport", &json!({ "context": self.tab, "viewport": viewport }));
    }

    /// Opens a page and waits until it is whole.
    pub(crate) fn goto(&mut self, url: &str) {
        self.command("browsingContext.navigate", &json!({ "context": self.tab, "url": url, "wait": "complete" }));
    }

    /// Returns what an expression says of the page.
    pub(crate) fn read(&mut self, expression: &str) -> Value {
        let target = json!({ "context": self.tab });
        let parameters = json!({ "expression": expression, "target": target, "awaitPromise": false });
        let answer = self.command("script.evaluate", &parameters);
        assert_eq!(answer["type"], "success", "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Returns a picture of what is shown in a part of the page: left, top, width and height.
    pub(crate) fn picture(&mut self, [x, y, width, height]: [f64; 4]) -> String {
        let clip = json!({ "type": "box", "x": x, "y": y, "width": width, "height": height });
        let picture = self.command("browsingContext.captureScreenshot", &json!({ "context": self.tab, "clip": clip }));
        picture["data"].as_str().unwrap().to_owned()
    }

    fn command(&mut self, method: &str, parameters: &Value) -> Value {
        self.commands += 1;
        let command = json!({ "id": self.commands, "method": method, "params": parameters });
        self.socket.send(Message::text(command.to_string())).unwrap();
        loop {
            // What comes between are events.
            let message = self.socket.read().unwrap();
            let Ok(mut answer) = serde_json::from_str::<Value>(message.to_text().unwrap()) else { continue };
            if answer["id"] == self.commands {
                assert_eq!(answer["type"], "success", "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
