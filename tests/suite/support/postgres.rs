//! A PostgreSQL server of the test's own: found where the system has it, in a folder and on a port of its own.

use std::fs;
#[cfg(feature = "postgres-tls")]
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::{Connection, PgConnection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::database::Rows;
use super::patience::until;
use super::server::free_port;

/// The user of every database.
pub(super) const USER: &str = "perennial";

/// A running server; it is stopped and its data are gone when this is dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    more_sockets: &'static str,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a server and starts it; fails with one line where there is no PostgreSQL to make it with.
    pub(crate) fn start() -> Self {
        let mut server = Self::make();
        server.run();
        server
    }

    /// Makes a server that has a socket where Debian's own servers have theirs as well, and starts it.
    pub(crate) fn start_with_debians_socket() -> Self {
        let mut server = Self::make();
        server.more_sockets = ",/var/run/postgresql";
        server.run();
        server
    }

    /// Makes a server that speaks with TLS alone, with the `server.crt` and `server.key` of a folder.
    #[cfg(feature = "postgres-tls")]
    pub(crate) fn start_with_certificate(certificate: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let mut server = Self::make();
        for name in ["server.crt", "server.key"] {
            let copy = server.data().join(name);
            fs::copy(certificate.join(name), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = other_user() {
                chown(&copy, Some(user), Some(group)).unwrap();
            }
        }
        fs::write(
            server.data().join("pg_hba.conf"),
            "hostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n",
        )
        .unwrap();
        fs::File::options()
            .append(true)
            .open(server.data().join("postgresql.conf"))
            .and_then(|mut file| file.write_all(b"ssl = on\n"))
            .unwrap();
        server.run();
        server
    }

    /// Makes a server that follows this one and takes no writes until it is promoted, and starts it.
    ///
    /// From then on this one says that something is committed only once the other has it as well.
    pub(crate) fn start_standby(&self) -> Self {
        let port = self.port.to_string();
        let options = ["--host=127.0.0.1", "--port", &port, "--username", USER, "--write-recovery-conf", "--no-sync"];
        let mut standby = Self::made_by("pg_basebackup", &[&options[..], &["--checkpoint=fast"]].concat());
        standby.run();
        let mut prompt = self.prompt("postgres");
        prompt.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        prompt.execute("SELECT pg_reload_conf()");
        let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        until("a standby in step", || (prompt.number(in_step) == 1).then_some(()));
        standby
    }

    /// Makes a server that follows another one go its own way and take writes.
    pub(crate) fn promote(&self) {
        self.prompt("postgres").execute("SELECT pg_promote()");
    }

    fn make() -> Self {
        Self::made_by("initdb", &["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER])
    }

    fn made_by(program: &str, options: &[&str]) -> Self {
        let programs = programs().expect("this test needs PostgreSQL: install the package postgresql");
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = other_user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let server = Self { programs, folder, port: free_port(), more_sockets: "", child: None };
        let made = server.command(program).args(options).arg("--pgdata").arg(server.data()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server
    }

    /// Runs it, again where it was stopped, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"])
            .args([
                "-c",
                "fsync=off",
                "-c",
                &format!("unix_socket_directories={}{}", self.folder.path().display(), self.more_sockets),
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let url = self.url("postgres");
        until("a PostgreSQL that answers", || PgConnection::establish(&url).ok());
    }

    /// Makes a database and returns its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        create(&self.url("postgres"), name, "template1");
        self.url(name)
    }

    /// Returns the URL of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Returns where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Opens a database as somebody with a SQL prompt does.
    pub(crate) fn prompt(&self, name: &str) -> Rows {
        Rows::at(&self.url(name))
    }

    /// Stops it as a restart does: what is under way is undone, every connection is cut.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Ends it as a crash does: it recovers from its log when it is run again.
    pub(crate) fn crash(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Holds every process of it still until the answer is dropped: it takes connections and says nothing.
    pub(crate) fn hold_still(&self) -> HeldStill {
        let first = Pid::from_child(self.child.as_ref().unwrap());
        // The first process first, so that it starts no other.
        let mut held = HeldStill(Vec::new());
        held.hold(first);
        let number = first.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap();
        for child in children.split_whitespace() {
            held.hold(Pid::from_raw(child.parse().unwrap()).unwrap());
        }
        held
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut child) = self.child.take() {
            kill_process(Pid::from_child(&child), signal).unwrap();
            until("the end of PostgreSQL", || child.try_wait().unwrap());
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
    }
}

/// Processes that are held still; they go on when this is dropped.
pub(crate) struct HeldStill(Vec<Pid>);

impl HeldStill {
    fn hold(&mut self, process: Pid) {
        kill_process(process, Signal::STOP).unwrap();
        self.0.push(process);
    }
}

impl Drop for HeldStill {
    fn drop(&mut self) {
        for process in &self.0 {
            kill_process(*process, Signal::CONT).unwrap();
        }
    }
}

/// Makes a database from a template, on the server of `url`.
pub(crate) fn create(url: &str, name: &str, template: &str) {
    use diesel::connection::SimpleConnection;
    let mut connection = PgConnection::establish(url).unwrap();
    // Whoever made the template is done with it, and on a busy machine its pool may be a while about leaving.
    let leave = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'");
    connection.batch_execute(&leave).unwrap();
    connection.batch_execute(&format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#)).unwrap();
}

/// Returns the folder of the newest server programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|name| name.parse::<u32>().ok())
    });
    folders.reverse();
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Returns whom a server runs as where the test runs as root, which PostgreSQL and its pooler refuse.
pub(super) fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |wanted: &str| {
        users.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
            [name, _, user, group, ..] if name == wanted => Some((user.parse().unwrap(), group.parse().unwrap())),
            _ => None,
        })
    };
    find("postgres").or_else(|| find("nobody"))
}
