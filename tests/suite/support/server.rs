//! The real program, started as an operator starts it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::database::{on_postgres, url_in};
use super::patience::until;

/// Takes from root the right to pass over the modes of files.
const SETPRIV: &str = "/usr/bin/setpriv";

/// Ports below the range from which systems take those of outgoing connections, so that nobody takes one away while a
/// server restarts.
const PORTS: (u16, u16) = (18_000, 14_000);

/// Makes a folder of the test's own, gone when dropped.
pub(crate) fn empty_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Returns the names of the files in a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns a port that stays free between two starts of a server.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let (first, count) = PORTS;
    // The suite that runs this one again on a server runs beside it.
    let (first, count) = (first + if on_postgres() { count / 2 } else { 0 }, count / 2);
    let start = u16::try_from(std::process::id() * 61 % u32::from(count)).unwrap();
    until("a free port", || {
        let port = first + (start + NEXT.fetch_add(1, Ordering::SeqCst)) % count;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
    })
}

/// How to start the program: in a folder of its own, with no setting but those named here.
#[derive(Clone)]
pub(crate) struct Launch {
    folder: PathBuf,
    arguments: Vec<OsString>,
    settings: Vec<(String, String)>,
    input: Option<String>,
    bound_by_modes: bool,
}

impl Launch {
    /// Returns the folder that it starts in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Prepares a start with a cheap password hash, on a port that the system chooses.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let launch = Self {
            folder: folder.to_owned(),
            arguments: Vec::new(),
            settings: Vec::new(),
            input: None,
            bound_by_modes: false,
        };
        let launch = launch.set("BIND", "127.0.0.1:0").set("BCRYPT_COST", "4");
        if on_postgres() {
            let launch = launch.set("JWT_SECRET_KEY", "a key of the test suite with 32 bytes or more");
            return launch.set("DATABASE_URL", &url_in(folder));
        }
        launch
    }

    /// Listens on a port that is known beforehand.
    pub(crate) fn on_port(self, port: u16) -> Self {
        self.set("BIND", &format!("127.0.0.1:{port}"))
    }

    /// Sets a setting, over what it was.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a setting away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.settings.retain(|(set, _)| set != name);
        self
    }

    /// Lets the modes of files bind the program, where the tests run as root and no mode binds them.
    pub(crate) fn bound_by_modes(mut self) -> Self {
        self.bound_by_modes = true;
        self
    }

    /// Adds an argument.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds the arguments of a line, between single spaces.
    pub(crate) fn words(self, line: &str) -> Self {
        line.split(' ').fold(self, Self::argument)
    }

    /// Gives it a text on standard input.
    pub(crate) fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Starts the server and waits for its banner.
    pub(crate) fn start(&self) -> Server {
        let mut running = Running::spawn(self);
        let banner = until("a banner", || {
            let said = running.stdout.text();
            if let Some(status) = running.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}{}", running.stdout.all(), running.stderr.all());
            }
            said.contains("Stop it with").then_some(said)
        });
        let bound = self.settings.iter().rev().find(|(name, _)| name == "BIND").unwrap().1.clone();
        let mut address: SocketAddr = bound.parse().unwrap();
        if address.port() == 0 {
            let (_, after) = banner.split_once("http://localhost:").unwrap();
            address.set_port(after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap());
        }
        Server { running, address, banner }
    }

    /// Starts a command and does not wait for its end.
    pub(crate) fn begin(&self) -> Begun {
        Begun(Running::spawn(self))
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self) -> Finished {
        Running::spawn(self).finish()
    }
}

/// A program that has come to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it said.
    pub(crate) stdout: String,
    /// What it complained of, or logged.
    pub(crate) stderr: String,
}

impl Finished {
    /// Returns the exit code.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the one line on standard error; fails if there are more or fewer, or anything on standard output.
    pub(crate) fn complaint(&self) -> &str {
        assert_eq!(self.stdout, "", "{self:?}");
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_else(|| panic!("no complaint: {self:?}"));
        assert_eq!(lines.next(), None, "{self:?}");
        line
    }
}

/// A command that is under way.
pub(crate) struct Begun(Running);

impl Begun {
    /// Returns the whole lines that it has printed so far.
    pub(crate) fn said(&self) -> String {
        self.0.stdout.text()
    }

    /// Returns the whole lines on standard error so far.
    pub(crate) fn complained(&self) -> String {
        self.0.stderr.text()
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Finished {
        self.0.finish()
    }

    /// Stops it as a service manager does, and waits for its end.
    pub(crate) fn stop(self) -> Finished {
        kill_process(Pid::from_child(&self.0.child), Signal::TERM).unwrap();
        self.0.finish()
    }

    /// Ends it without a warning.
    pub(crate) fn kill(self) -> Finished {
        kill_process(Pid::from_child(&self.0.child), Signal::KILL).unwrap();
        self.0.finish()
    }
}

/// A server that answers.
pub(crate) struct Server {
    running: Running,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it said when it was ready.
    pub(crate) banner: String,
}

impl Server {
    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.child), signal).unwrap();
    }

    /// Stops it where it is, until [`Server::wake`], and waits until each of its threads stands still: on a busy machine some
    /// go on for a while after the signal.
    pub(crate) fn hold(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.id());
        let is_held = |task: &Path| {
            let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
            // The state is the field after the name, which ends at the last parenthesis (proc_pid_stat(5)).
            stat.rsplit_once(") ").is_none_or(|(_, after)| after.starts_with('T'))
        };
        until("a process that stands still", || {
            let mut threads = std::fs::read_dir(&tasks).unwrap();
            threads.all(|thread| is_held(&thread.unwrap().path())).then_some(())
        });
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Returns how many connections clients have open to it, as the system knows.
    pub(crate) fn connections(&self) -> usize {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let held: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", self.id()))
            .unwrap()
            .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned()))
            .collect();
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Local address, remote address, state (01 is established), and the inode of the socket.
        rows.filter(|row| row[1].ends_with(&port) && row[3] != "0A" && held.contains(&format!("socket:[{}]", row[9])))
            .count()
    }

    /// Returns what it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.running.stderr.text()
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Finished {
        self.running.finish()
    }

    /// Stops it as a service manager does, and waits for its end.
    pub(crate) fn stop(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish()
    }

    /// Ends it without a warning, as `kill -9` and power loss do.
    pub(crate) fn kill(self) -> Finished {
        self.signal(Signal::KILL);
        self.finish()
    }
}

/// A child process and what it writes; it is killed when this goes, and no other process ever is.
struct Running {
    child: Child,
    stdout: Written,
    stderr: Written,
}

impl Running {
    fn spawn(launch: &Launch) -> Self {
        let program = env!("CARGO_BIN_EXE_perennial");
        let mut command = if launch.bound_by_modes && rustix::process::geteuid().is_root() {
            assert!(Path::new(SETPRIV).exists(), "this test needs setpriv: install the package util-linux");
            let mut command = Command::new(SETPRIV);
            command.args(["--bounding-set=-dac_override,-dac_read_search", program]);
            command
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(&launch.folder)
            .stdin(if launch.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(text) = &launch.input {
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        }
        let stdout = Written::collect(child.stdout.take().unwrap());
        let stderr = Written::collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    fn finish(mut self) -> Finished {
        let status = until("the end of the program", || self.child.try_wait().unwrap());
        Finished { status, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// What a process writes, read as it comes so that a full pipe never holds it up.
struct Written {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Written {
    fn collect(source: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    /// Returns the whole lines so far.
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Returns everything, once the process has ended.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}
