//! What it was measured on.

use std::process::Command;
use std::thread;

/// Describes the machine and the versions, in Markdown.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let lock = include_str!("../../Cargo.lock");
    let versions = ["actix-web", "askama", "bcrypt", "diesel", "libsqlite3-sys"];
    let versions = versions.map(|name| format!("{name} {}", version(lock, name)));
    format!("{cores} cores, {}, Linux {}; {}; {}", processor(), kernel.trim(), compiler.trim(), versions.join(", "))
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("an unknown processor", |line| line.trim_start_matches(['\t', ' ', ':'])).to_owned()
}

/// Finds the version of a package in a lock file.
pub(crate) fn version<'a>(lock: &'a str, name: &str) -> &'a str {
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}
