//! The peers: what others do for a signed-in page, built from a package of their own.

use std::path::Path;
use std::process::Command;

use super::Arguments;
use super::client::{self, USER_AGENT};
use super::machine::version;
use super::pages::{CONNECTIONS, Contender};
use super::process::{Server, free_address};

/// The package.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml");

/// How many times as fast Perennial is to be.
const GOAL: f64 = 3.0;

/// The programs of the package, and what is in them.
const PEERS: [(&str, &str, [&str; 2]); 2] = [
    ("actix", "actix-identity", ["actix-identity", "actix-session"]),
    ("axum", "axum-login", ["axum-login", "tower-sessions"]),
];

/// Builds and starts the peers; returns why not, if they cannot be had.
pub(crate) fn start(arguments: &Arguments, folder: &Path, contenders: &mut Vec<Contender>) -> Result<String, String> {
    if arguments.no_peers {
        return Err("left out".to_owned());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Command::new(&cargo).args(["build", "--release", "--locked", "--manifest-path", MANIFEST]).status();
    if !build.is_ok_and(|status| status.success()) {
        return Err("**not measured**: they could not be built, see above".to_owned());
    }
    let lock = std::fs::read_to_string(MANIFEST.replace(".toml", ".lock")).unwrap_or_default();
    let mut versions = Vec::new();
    for (program, name, packages) in PEERS {
        let address = free_address();
        let mut command = Command::new(&cargo);
        command.args(["run", "--release", "--quiet", "--locked", "--manifest-path", MANIFEST, "--bin", program, "--"]);
        command.arg(address.to_string()).arg(folder.join("page.json")).arg(folder.join(format!("{program}.db")));
        let server = Server::start(&mut command, address);
        let requests = (0..CONNECTIONS).map(|_| signed_in(address)).collect();
        contenders.push(Contender::new(name, GOAL, server, requests));
        versions.extend(packages.map(|package| format!("{package} {}", version(&lock, package))));
    }
    Ok(versions.join(", "))
}

/// Signs in and returns the request that asks for the dashboard.
fn signed_in(address: std::net::SocketAddr) -> Vec<u8> {
    let answer = client::send(address, &client::request("POST", "/login", address, "", ""));
    assert_eq!(answer.status, 200, "{}", answer.head);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = client::get(address, "/dashboard", cookie);
    assert_eq!((page.status, page.body.contains("Ada Lovelace")), (200, true), "{USER_AGENT}: {}", page.head);
    client::request("GET", "/dashboard", address, cookie, "")
}
