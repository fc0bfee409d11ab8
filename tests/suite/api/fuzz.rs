//! The real program is asked what its own description allows, and what it does not: no fault of ours, and no answer that the
//! description does not know.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::chromium::find_program;
use crate::support::client::{Client, PASSWORD, exchange};
use crate::support::server::{Launch, Server, empty_folder};

/// Lets a tool that makes requests from a description loose on some operations, with a token.
fn fuzz(server: &Server, token: &Value, operations: [&str; 2]) {
    let run = Command::new(find_program(&["schemathesis"]))
        .arg("run")
        .arg(format!("http://{}/api/openapi.json", server.address))
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", token.as_str().unwrap()))
        .args(["--max-examples", "25", "--seed", "7", "--no-color"])
        // No password that it makes up is a good one.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(operations)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("Fuzzing"), "{said}");
}

#[test]
#[ignore = "needs schemathesis"]
fn the_api_keeps_to_its_description() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let body = json!({ "email": "ada@example.org", "password": PASSWORD }).to_string();
    let (host, length) = (server.address, body.len());
    let request = format!(
        "POST /api/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let tokens: Value = serde_json::from_str(&exchange(server.address, request.as_bytes()).unwrap().body).unwrap();
    // Whoever has signed out finds nothing more.
    fuzz(&server, &tokens["access_token"], ["--exclude-operation-id", "logout"]);
    fuzz(&server, &tokens["refresh_token"], ["--include-operation-id", "refresh"]);
    fuzz(&server, &tokens["access_token"], ["--include-operation-id", "logout"]);
}
