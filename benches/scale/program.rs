//! The real program, and a server in a process of its own that can be told to clean up.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use perennial::domain::clock::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

use super::http::{Browser, SECRET};
use super::measure::wait;
use super::shipped;

/// How often a server that starts is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_micros(200);

/// A server that answers; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took from its start to its first answer.
    pub(crate) started_in: Duration,
}

impl Program {
    /// Starts `perennial` with a database and waits until `path` is answered.
    pub(crate) fn start(database: &Path, path: &str, preloaded: Option<&Path>) -> Self {
        Self::spawn(Command::new(shipped::program()), database, path, preloaded)
    }

    /// Starts the server of [`super::cleanup`], which listens to orders.
    pub(crate) fn start_with_orders(database: &Path) -> (Self, Orders) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("serve").stdin(Stdio::piped());
        let mut program = Self::spawn(command, database, "/healthz", None);
        let orders = Orders {
            input: program.child.stdin.take().unwrap(),
            output: BufReader::new(program.child.stdout.take().unwrap()),
        };
        (program, orders)
    }

    /// Starts `perennial` in a folder, with a database on a server or in a file.
    pub(crate) fn start_at(url: &str, folder: &Path) -> Self {
        Self::spawn_at(Command::new(shipped::program()), url, folder, "/healthz", None)
    }

    fn spawn(command: Command, database: &Path, path: &str, preloaded: Option<&Path>) -> Self {
        let url = format!("sqlite://{}", database.display());
        Self::spawn_at(command, &url, database.parent().unwrap(), path, preloaded)
    }

    fn spawn_at(mut command: Command, url: &str, folder: &Path, path: &str, preloaded: Option<&Path>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        command.env_clear().current_dir(folder);
        command.env("BIND", address.to_string()).env("JWT_SECRET_KEY", SECRET);
        // No sign-in of the tables was away for so long, so that none is told that it signed in by itself: the events of
        // that would be measured, too, in one table and not in the other.
        command.env("ACCESS_TOKEN_TTL", "13d");
        // All of its clients come from one address.
        command.env("CONNECTIONS_PER_ADDRESS", "100000");
        // Nobody rotates twice within four graces, so a small table would mostly be read.
        command.env("REUSE_GRACE", "0s");
        command.env("DATABASE_URL", url);
        if let Some(library) = preloaded {
            command.env("LD_PRELOAD", library);
        }
        let clock = SystemClock::start();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut program = Self { child, address, started_in: Duration::ZERO };
        while !Browser::connect(address).and_then(|mut browser| browser.get(path)).is_ok_and(|status| status == 200) {
            assert!(program.child.try_wait().unwrap().is_none(), "the server does not start");
            wait(ASK_EVERY);
        }
        program.started_in = clock.elapsed();
        program
    }

    /// Returns its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(id, Signal::TERM).unwrap();
        }
        self.child.wait().unwrap();
    }
}

/// A line to a server: it is told something, and answers.
#[derive(Debug)]
pub(crate) struct Orders {
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Orders {
    /// Gives an order and returns the answer.
    pub(crate) fn give(&mut self, order: &str) -> String {
        writeln!(self.input, "{order}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}
