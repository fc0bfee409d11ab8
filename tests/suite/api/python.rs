//! The client in Python, as the README shows it, against the real program.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::Rows;
use crate::support::chromium::find_program;
use crate::support::client::{Client, PASSWORD};
use crate::support::readme::{block, with};
use crate::support::server::{Launch, empty_folder};

/// Goes on until the refresh token has been replaced twice.
const GOES_ON: &str = r#"
for renewal in range(2):
    before = client.refresh
    while client.refresh == before:
        message = client.get("/api/protected")["message"]
        assert message == "Hello Ada Lovelace, welcome to the protected page.", message
print("renewed twice")
"#;

#[test]
#[ignore = "needs Python"]
fn the_client_of_the_readme_stays_signed_in() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("ACCESS_TOKEN_TTL", "3s").set("REUSE_GRACE", "1s");
    let server = launch.start();
    Client::of(&server).register("ada");
    let shown = block("python", "class Perennial");
    let script = with(
        shown,
        &[("http://localhost:8080", format!("http://{}", server.address)), ("three random words", PASSWORD.to_owned())],
    );
    let mut python = Command::new(find_program(&["python3"]))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(format!("{script}{GOES_ON}").as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaint}");
    assert_eq!(said, "Hello Ada Lovelace, welcome to the protected page.\nrenewed twice\n");
    let mut rows = Rows::of(folder.path());
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.number("SELECT max(generation) FROM sessions"), 2);
    assert_eq!(rows.count("sessions"), 2);
}
