//! The address of the server: taken first of all, and listened on last.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::parts::StartError;
use crate::config::Settings;

/// Connections that may wait to be accepted. The standard library asks for 128, which a burst fills; whoever comes then tries
/// again after a second.
const BACKLOG: i32 = 4_096;

/// An address that nobody else can take any more, and on which nobody is listened to yet.
///
/// A load balancer that reaches a port believes that somebody answers there; until the database is there, nobody does.
#[derive(Debug)]
pub struct BoundAddress {
    address: SocketAddr,
    socket: Socket,
}

/// Takes the address of the settings, before anything else is touched.
///
/// # Errors
/// If somebody else has it, or nobody may.
pub fn bind(settings: &Settings) -> Result<BoundAddress, StartError> {
    let address = settings.bind;
    let socket = (|| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait until the connections of the process before are forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    })();
    Ok(BoundAddress {
        address,
        socket: socket.map_err(|source| StartError::Bind { setting: "BIND", address, source })?,
    })
}

impl BoundAddress {
    /// Returns the port, which the system has chosen where the settings leave it the choice.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.socket.local_addr()?.as_socket().map_or(self.address.port(), |address| address.port()))
    }

    /// Listens: from here on, clients connect.
    ///
    /// # Errors
    /// If another process that had taken the same address was faster.
    pub fn listen(self) -> Result<TcpListener, StartError> {
        let Self { address, socket } = self;
        socket.listen(BACKLOG).map_err(|source| StartError::Bind { setting: "BIND", address, source })?;
        Ok(socket.into())
    }
}
