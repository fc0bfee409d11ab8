//! The address of the server: taken first of all, and listened on last.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::parts::StartError;
use crate::config::Settings;
use crate::server::Listening;

/// Connections that may wait to be accepted. The standard library asks for 128, which a burst fills; whoever comes then tries
/// again after a second.
const BACKLOG: i32 = 4_096;

/// Who may connect to a Unix socket: everybody on this machine, as to a port of the loopback address. The folder that it is
/// in can say otherwise.
const SOCKET_MODE: u32 = 0o666;

/// An address that nobody else can take any more, and on which nobody is listened to yet.
///
/// A load balancer that reaches a port believes that somebody answers there; until the database is there, nobody does.
#[derive(Debug)]
pub struct BoundAddress(Bound);

#[derive(Debug)]
enum Bound {
    Tcp(SocketAddr, Socket),
    Unix(PathBuf, Socket),
    /// Listened on already, by whoever started this process.
    Given(Listening, Option<u16>),
}

/// Takes the address of the settings, before anything else is touched; or the socket that whoever started this process
/// listens on (`LISTEN_FDS`, see `sd_listen_fds(3)`), which replaces it.
///
/// # Errors
/// If somebody else has it, or nobody may.
pub fn bind(settings: &Settings) -> Result<BoundAddress, StartError> {
    if let Some(given) = given()? {
        return Ok(BoundAddress(given));
    }
    if let Some(path) = &settings.unix_socket {
        let socket = bind_unix(path).map_err(|source| failed(format!("unix:{}", path.display()), source))?;
        return Ok(BoundAddress(Bound::Unix(path.clone(), socket)));
    }
    let address = settings.bind;
    let socket = (|| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait until the connections of the process before are forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    })();
    Ok(BoundAddress(Bound::Tcp(address, socket.map_err(|source| failed(address.to_string(), source))?)))
}

fn failed(address: String, source: io::Error) -> StartError {
    StartError::Bind { setting: "BIND", address, source }
}

/// Returns the first socket that was handed to this process.
fn given() -> Result<Option<Bound>, StartError> {
    let mut handed = ListenFd::from_env();
    if handed.len() == 0 {
        return Ok(None);
    }
    if let Ok(Some(listener)) = handed.take_tcp_listener(0) {
        let port = listener.local_addr()?.port();
        return Ok(Some(Bound::Given(Listening::tcp_of_another(listener), Some(port))));
    }
    let listener = handed.take_unix_listener(0).map_err(|source| failed("LISTEN_FDS".to_owned(), source))?;
    Ok(listener.map(|listener| Bound::Given(Listening::unix_of_another(listener), None)))
}

/// Makes a Unix socket at a path, in the place of one that a process left behind.
fn bind_unix(path: &Path) -> io::Result<Socket> {
    let left_behind = fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    if left_behind {
        if UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(socket)
}

impl BoundAddress {
    /// Returns the port, which the system has chosen where the settings leave it the choice; a Unix socket has none.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn port(&self) -> io::Result<Option<u16>> {
        Ok(match &self.0 {
            Bound::Tcp(address, socket) => {
                Some(socket.local_addr()?.as_socket().map_or(address.port(), |address| address.port()))
            }
            Bound::Unix(..) => None,
            Bound::Given(_, port) => *port,
        })
    }

    /// Listens: from here on, clients connect.
    ///
    /// # Errors
    /// If another process that had taken the same address was faster.
    pub fn listen(self) -> Result<Listening, StartError> {
        Ok(match self.0 {
            Bound::Tcp(address, socket) => {
                socket.listen(BACKLOG).map_err(|source| failed(address.to_string(), source))?;
                TcpListener::from(socket).into()
            }
            Bound::Unix(path, socket) => {
                socket.listen(BACKLOG).map_err(|source| failed(format!("unix:{}", path.display()), source))?;
                Listening::unix(UnixListener::from(std::os::fd::OwnedFd::from(socket)), path)
            }
            Bound::Given(listening, _) => listening,
        })
    }
}
