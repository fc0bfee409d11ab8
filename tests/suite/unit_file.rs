//! The systemd unit that `perennial deploy systemd` prints: it shuts the program in tightly, and forbids nothing that the program does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::chromium::find_program;
use crate::support::client::Client;
use crate::support::patience::until;
use crate::support::server::{Launch, empty_folder, free_port};

/// What `systemd-analyze security` may give it at most, in tenths: nothing is 0, no protection at all 100.
const EXPOSURE: u32 = 19;

/// Returns the unit of the service.
fn unit() -> &'static str {
    static UNIT: LazyLock<String> = LazyLock::new(|| {
        let folder = empty_folder();
        let printed = Launch::in_folder(folder.path()).words("deploy systemd").finish().stdout;
        printed.split("# /etc/systemd/system/perennial.socket").next().unwrap().to_owned()
    });
    &UNIT
}

fn analyze(arguments: &[&str]) -> String {
    let output = Command::new(find_program(&["systemd-analyze"])).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_unit_shuts_the_program_in_tightly() {
    let folder = empty_folder();
    let file = folder.path().join("perennial.service");
    std::fs::write(&file, unit()).unwrap();
    // It fails where the exposure is higher.
    let threshold = format!("--threshold={EXPOSURE}");
    let said = analyze(&["security", "--offline=true", "--no-pager", &threshold, file.to_str().unwrap()]);
    assert!(said.contains("Overall exposure level"), "{said}");
    assert!(unit().contains("\nLimitNOFILE="));
}

/// Returns the system calls of a set, and of the sets in it.
fn calls_of(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return [name.to_owned()].into();
    }
    let listed = analyze(&["syscall-filter", "--no-pager", name]);
    let names = listed.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    names.flat_map(calls_of).collect()
}

/// Returns the system calls that the unit lets through.
fn allowed() -> BTreeSet<String> {
    // What starts a program, and what systemd lets through whatever a unit says.
    let mut allowed = calls_of("@default");
    for line in unit().lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let names = line.trim_start_matches('~').split(' ').flat_map(calls_of).collect();
        allowed = if line.starts_with('~') { &allowed - &names } else { &allowed | &names };
    }
    allowed
}

/// Returns the system calls of the program from its start to its end, with sign-ins between.
fn used(folder: &Path) -> BTreeSet<String> {
    let port = free_port();
    let table = folder.join("calls");
    let mut tracer = Command::new(find_program(&["strace"]))
        .args(["-f", "-c", "-U", "name", "-o"])
        .arg(&table)
        .arg(env!("CARGO_BIN_EXE_perennial"))
        .args(["serve", "--bcrypt-cost", "4", "--bind", &format!("127.0.0.1:{port}")])
        .current_dir(folder)
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = Client::at(([127, 0, 0, 1], port).into());
    until("the program", || client.get("/readyz").ok());
    client.register("ada");
    client.sign_out();
    client.sign_in("ada");
    for path in ["/dashboard", "/devices", "/activity", "/token-details"] {
        assert_eq!(client.get(path).unwrap().status, 200, "{path}");
    }
    let own = tracer.id();
    let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
    let program = children.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    kill_process(program, Signal::TERM).unwrap();
    assert!(until("the end", || tracer.try_wait().unwrap()).success());
    let written = std::fs::read_to_string(table).unwrap();
    written.lines().skip(2).map(|line| line.trim().to_owned()).filter(|name| !name.starts_with('-')).collect()
}

#[test]
#[ignore = "needs systemd-analyze and strace"]
fn the_unit_forbids_no_system_call_that_the_program_makes() {
    let folder = empty_folder();
    let (allowed, mut used) = (allowed(), used(folder.path()));
    // SQLite gives its files to the owner of the database where it runs as root, which the unit's user is not.
    if rustix::process::geteuid().is_root() {
        used.remove("fchown");
    }
    assert!(used.contains("accept4") && used.contains("setpriority"), "{used:?}");
    let forbidden: Vec<_> = used.difference(&allowed).filter(|name| *name != "total").collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    assert!(!allowed.contains("mount") && !allowed.contains("ptrace"));
}
