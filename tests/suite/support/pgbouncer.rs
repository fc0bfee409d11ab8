//! A pooler in front of a PostgreSQL server, as Debian has it: with the settings that it comes with, but for where it
//! listens and whom it lets in.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use diesel::{Connection, PgConnection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::patience::until;
use super::postgres::{Postgres, USER, other_user};
use super::server::free_port;

/// Where Debian has it: in no folder that is searched for the commands of ordinary users.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A running pooler; it ends when this is dropped.
pub(crate) struct PgBouncer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl PgBouncer {
    /// Starts one in front of a server, with more lines of configuration; fails with one line where there is none.
    pub(crate) fn in_front_of(server: &Postgres, settings: &[&str]) -> Self {
        assert!(Path::new(PROGRAM).exists(), "this test needs pgbouncer: install the package pgbouncer");
        let folder = tempfile::tempdir().unwrap();
        let mut pooler = Self { folder, port: free_port(), child: None };
        let address = server.address();
        let own = [
            "[databases]".to_owned(),
            format!("* = host={} port={}", address.ip(), address.port()),
            "[pgbouncer]".to_owned(),
            "listen_addr = 127.0.0.1".to_owned(),
            format!("listen_port = {}", pooler.port),
            "unix_socket_dir =".to_owned(),
            "auth_type = trust".to_owned(),
            format!("auth_file = {}", pooler.file("users")),
        ];
        let lines = own.iter().map(String::as_str).chain(settings.iter().copied());
        fs::write(pooler.file("settings"), lines.collect::<Vec<_>>().join("\n")).unwrap();
        fs::write(pooler.file("users"), format!("\"{USER}\" \"\"\n")).unwrap();
        if let Some((user, group)) = other_user() {
            for path in [pooler.folder.path().to_owned(), pooler.file("settings").into(), pooler.file("users").into()] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        pooler.run();
        pooler
    }

    /// Returns the URL of a database behind it.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs it, again where it was stopped, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.file("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg(self.file("settings")).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        self.child = Some(command.spawn().unwrap());
        let url = self.url("postgres");
        until("a pooler that answers", || PgConnection::establish(&url).ok());
    }

    /// Ends it as a restart without patience does: every connection is cut.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            until("the end of the pooler", || child.try_wait().unwrap());
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.stop();
    }
}
