//! In a text browser: the forms work without styles, scripts and pictures, and the cookies keep.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::Rows;
use crate::support::chromium::find_program;
use crate::support::client::{Client, PASSWORD};
use crate::support::patience::{Stopwatch, let_pass, until};
use crate::support::server::{Launch, empty_folder};

/// Asks w3m to draw its whole screen again.
const REDRAW: &str = "\x0c";

/// How long a drawn screen may take to arrive before it is asked for again.
const DRAWING: Duration = Duration::from_millis(500);

/// w3m in a terminal of its own; it is killed when this goes.
struct W3m {
    child: Child,
    keys: ChildStdin,
    drawn: Arc<Mutex<Vec<u8>>>,
}

impl W3m {
    /// Opens a page, with `home` for its cookies.
    fn open(home: &Path, url: &str) -> Self {
        let command = format!("{} -cookie {url}", find_program(&["w3m"]));
        let mut child = Command::new(find_program(&["script"]))
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env_clear()
            .env("HOME", home)
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&drawn);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                kept.lock().unwrap().extend_from_slice(&chunk[..count]);
            }
        });
        Self { child, keys, drawn }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a whole screen shows `words`, and returns it.
    fn see(&mut self, words: &str) -> String {
        until(words, || {
            self.drawn.lock().unwrap().clear();
            self.press(REDRAW);
            let drawing = Stopwatch::start();
            while drawing.elapsed() < DRAWING {
                let shown = plain(&self.drawn.lock().unwrap());
                if shown.contains(words) {
                    return Some(shown);
                }
                let_pass(Duration::from_millis(5));
            }
            None
        })
    }

    /// Leaves w3m, which writes its cookies down.
    fn quit(mut self) {
        self.press("Q");
        let status = until("w3m to end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for W3m {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// Takes the terminal's control sequences out of what was drawn; a jump of the cursor counts as a space.
fn plain(drawn: &[u8]) -> String {
    let text = String::from_utf8_lossy(drawn);
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic()).map_or(part.len(), |place| place + 1);
        let (sequence, words) = part.split_at(end);
        if sequence.ends_with(['C', 'H']) {
            plain.push(' ');
        }
        plain.push_str(words);
    }
    plain
}

#[test]
#[ignore = "needs w3m and script"]
fn w3m_signs_in_by_the_form_and_stays_signed_in() {
    find_program(&["w3m"]);
    let (folder, home) = (empty_folder(), empty_folder());
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let url = format!("http://localhost:{}", server.address.port());

    let mut browser = W3m::open(home.path(), &format!("{url}/dashboard"));
    let page = browser.see("Keep me signed in");
    assert!(page.contains("Email address") && page.contains("Password"), "{page}");
    // `/` finds words, Tab goes on to the next field or button, Return opens a field, ends its line, or presses a button.
    browser.press(&format!("/Email\r\t\rada@example.org\r/Password\r\t\r{PASSWORD}\r/This computer\r\t\r"));
    browser.see("Welcome, Ada Lovelace");
    browser.press("/Email\r");
    browser.see("ada@example.org");
    browser.quit();

    let mut browser = W3m::open(home.path(), &format!("{url}/token-details"));
    browser.see("Token details");
    browser.press("/Remaining Time\r");
    let page = browser.see("Generation");
    assert!(page.contains("Remaining Time"), "{page}");
    browser.press("?Sign out\r\r");
    browser.see("You have signed out");
    browser.quit();

    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count_events("signed_in"), rows.count_events("signed_out")), (2, 1));
    assert_eq!(rows.count_events("sign_in_failed"), 0);
}

#[test]
#[ignore = "needs w3m and script"]
fn w3m_changes_a_password_and_deletes_the_account() {
    find_program(&["w3m"]);
    let (folder, home) = (empty_folder(), empty_folder());
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let mut browser = W3m::open(home.path(), &format!("http://localhost:{}/account", server.address.port()));
    browser.see("Keep me signed in");
    browser.press(&format!("/Email\r\t\rada@example.org\r/Password\r\t\r{PASSWORD}\r/This computer\r\t\r"));
    let page = browser.see("Full name");
    assert!(page.contains("Ada Lovelace"), "{page}");
    browser.press(&format!("/Current password\r\t\r{PASSWORD}\r/New password\r\t\rcopper violin at dawn\r"));
    browser.press("/Change the password\r\r");
    browser.see("Your password was changed.");
    browser.press("/Delete my account\r\r");
    browser.see("Delete your account?");
    browser.press("/ ] Yes\r\r/Delete my account Keep\r\r");
    browser.see("Your account was deleted.");
    browser.quit();
    assert_eq!(Rows::of(folder.path()).count("users"), 0);
}
