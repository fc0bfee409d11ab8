//! Several processes of the real program on one PostgreSQL database, as several machines run it.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::client::Client;
use super::database::Rows;
use super::postgres::Postgres;
use super::server::{Finished, Launch, Server, empty_folder, free_port};

/// The name of the database.
const NAME: &str = "perennial";

/// A key that all processes share unless a test says otherwise.
pub(crate) const KEY: &str = "the first key of every process with 32 bytes or more";

/// Where browsers believe to be, whichever process they reach.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8080";

/// Processes, their folder and their database server.
pub(crate) struct Cluster {
    nodes: Vec<Option<Server>>,
    launches: Vec<Launch>,
    _folder: TempDir,
    /// The database server.
    pub(crate) postgres: Postgres,
}

impl Cluster {
    /// Makes a database and starts so many processes on it, with what `settings` adds to each.
    pub(crate) fn start(size: usize, settings: impl Fn(Launch) -> Launch) -> Self {
        let postgres = Postgres::start();
        let url = postgres.database(NAME);
        Self::start_on(postgres, &url, size, settings)
    }

    /// Starts so many processes on a database that is there.
    pub(crate) fn start_on(postgres: Postgres, url: &str, size: usize, settings: impl Fn(Launch) -> Launch) -> Self {
        let folder = empty_folder();
        let launch = Launch::in_folder(folder.path()).set("DATABASE_URL", url).set("JWT_SECRET_KEY", KEY);
        let launch = settings(launch.set("PUBLIC_URL", PUBLIC_URL));
        let launches: Vec<_> = (0..size).map(|_| launch.clone().on_port(free_port())).collect();
        let nodes = launches.iter().map(|launch| Some(launch.start())).collect();
        Self { nodes, launches, _folder: folder, postgres }
    }

    /// Returns where each process listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().flatten().map(|node| node.address).collect()
    }

    /// Opens a browser that goes to one of the processes.
    pub(crate) fn client(&self, node: usize) -> Client {
        Client::of(self.node(node))
    }

    /// Opens as many browsers as asked for, signs each in at one of the processes in turn to the account of a name, and
    /// lets them go on at another address.
    pub(crate) fn signed_in<const COUNT: usize>(&self, name: &str, address: SocketAddr) -> [Client; COUNT] {
        std::array::from_fn(|number| {
            let mut client = self.client(number % self.nodes.len());
            assert_eq!(client.sign_in(name).status, 303);
            client.address = address;
            client
        })
    }

    /// Returns one of the processes.
    pub(crate) fn node(&self, node: usize) -> &Server {
        self.nodes[node].as_ref().unwrap()
    }

    /// Ends a process without a warning.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].take().unwrap().kill();
    }

    /// Stops a process as a service manager does.
    pub(crate) fn stop(&mut self, node: usize) -> Finished {
        self.nodes[node].take().unwrap().stop()
    }

    /// Starts a process again.
    pub(crate) fn start_again(&mut self, node: usize) {
        self.nodes[node] = Some(self.launches[node].start());
    }

    /// Gives every process another setting, restarting one after the other.
    pub(crate) fn change(&mut self, name: &str, value: &str) {
        for node in 0..self.nodes.len() {
            self.launches[node] = self.launches[node].clone().set(name, value);
            assert_eq!(self.stop(node).code(), Some(0));
            self.start_again(node);
        }
    }

    /// Opens the database as somebody with a SQL prompt does.
    pub(crate) fn prompt(&self) -> Rows {
        self.postgres.prompt(NAME)
    }

    /// Asserts that no sign-in was lost and nobody was taken for a thief.
    pub(crate) fn assert_all_are_signed_in(&self, clients: &mut [Client], sign_ins: i64) {
        for (number, client) in clients.iter_mut().enumerate() {
            client.address = self.node(number % self.nodes.len()).address;
            client.jar.remove(super::client::ACCESS);
            assert!(client.is_signed_in());
        }
        let mut rows = self.prompt();
        assert_eq!(rows.count_events("refresh_token_replayed"), 0);
        assert_eq!(rows.count("sessions"), sign_ins, "nobody had to sign in again");
        assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
    }
}
