//! Servers as processes of their own, and what they cost.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::get;
use super::shipped;

/// A server that this program started; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a command that listens on `address`, and waits until it takes connections.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nothing listens on {address}");
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server
    }

    /// Starts Perennial in `folder` with the settings named here and no others.
    pub(crate) fn perennial(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::perennial_on(free_address(), folder, settings)
    }

    /// Starts Perennial on a known address.
    pub(crate) fn perennial_on(address: SocketAddr, folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start(&mut perennial(folder, address, settings), address)
    }

    /// Returns the processor time it has had so far, all threads that live together.
    pub(crate) fn processor_time(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Waits until it has nothing left to do: whoever hung up may still have a password in the queue.
    pub(crate) fn settle(&self) {
        const LOOK: Duration = Duration::from_millis(250);
        loop {
            let before = self.processor_time();
            std::thread::sleep(LOOK);
            if self.processor_time() - before < LOOK / 20 {
                return;
            }
        }
    }

    /// Returns its memory that is resident, in megabytes of 1,000,000 bytes.
    pub(crate) fn resident(&self) -> f64 {
        self.megabytes("VmRSS:")
    }

    /// Returns the part of that which no file holds, so that the system could not take it back.
    pub(crate) fn anonymous(&self) -> f64 {
        self.megabytes("RssAnon:")
    }

    fn megabytes(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Prepares the program.
fn perennial(folder: &Path, address: SocketAddr, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(shipped::program());
    command.env_clear().current_dir(folder).env("BIND", address.to_string()).envs(settings.iter().copied());
    // All of its clients come from one address.
    command.env("CONNECTIONS_PER_ADDRESS", "100000").stderr(Stdio::null());
    command
}

/// Returns the processor time that this thread has had so far.
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Starts Perennial in an empty folder and returns how long it took to answer its first request.
pub(crate) fn time_to_first_answer(folder: &Path) -> Duration {
    let address = free_address();
    let mut command = perennial(folder, address, &[]);
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    // The banner comes once it listens, so waiting for it costs nothing; asking over and over would.
    let mut banner = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    while output.read_line(&mut banner).unwrap() > 0 && !banner.contains("Ctrl-C") {}
    let server = Server { child, address };
    let answer = get(server.address, "/login", "");
    let took = started.elapsed();
    assert_eq!(answer.status, 200, "{banner}");
    took
}

/// Returns a loopback address that nothing listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
