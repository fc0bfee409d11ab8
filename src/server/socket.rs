//! One end of a connection, and where connections come from: TCP, or a Unix socket on this machine.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::newcomers::refuse_newcomers;

/// Bytes that the system keeps for a client that does not take them. The longest page is a quarter of it; the system's
/// own limit is some megabytes, for each connection.
const SEND_BUFFER: usize = 64 * 1024;

/// Bytes that the system takes from a client while nobody reads them.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// The client of a Unix socket, which has no address: a program on this machine, as the loopback address is.
const THIS_MACHINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listening {
    pub(super) listener: Listener,
    /// Whether it belongs to whoever started this process, and is listened on when it has ended: systemd, for socket
    /// activation.
    pub(super) outlives_us: bool,
}

/// What kind it is.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    /// With the path that goes when nobody listens any more.
    Unix(UnixListener, Option<PathBuf>),
}

impl From<TcpListener> for Listening {
    fn from(listener: TcpListener) -> Self {
        Self { listener: Listener::Tcp(listener), outlives_us: false }
    }
}

impl Listening {
    /// Takes a Unix socket, whose path is removed at the end.
    pub fn unix(listener: UnixListener, path: PathBuf) -> Self {
        Self { listener: Listener::Unix(listener, Some(path)), outlives_us: false }
    }

    /// Takes a Unix socket that somebody else listens on after us.
    pub fn unix_of_another(listener: UnixListener) -> Self {
        Self { listener: Listener::Unix(listener, None), outlives_us: true }
    }

    /// Takes a TCP socket that somebody else listens on after us.
    pub fn tcp_of_another(listener: TcpListener) -> Self {
        Self { listener: Listener::Tcp(listener), outlives_us: true }
    }
}

impl Listener {
    /// Bounds what the system keeps for each connection.
    ///
    /// # Errors
    /// If the system does not take the bounds.
    pub(super) fn bound_buffers(&self) -> io::Result<()> {
        // A Unix socket hands its bytes over, and keeps none for a client that is slow.
        let Self::Tcp(listener) = self else { return Ok(()) };
        set_socket_send_buffer_size(listener, SEND_BUFFER)?;
        Ok(set_socket_recv_buffer_size(listener, RECEIVE_BUFFER)?)
    }

    /// Returns a second handle to the same socket.
    ///
    /// # Errors
    /// If there are too many open files.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener) => Self::Tcp(listener.try_clone()?),
            Self::Unix(listener, path) => Self::Unix(listener.try_clone()?, path.clone()),
        })
    }

    /// Lets nobody begin to connect any more; whoever has begun may finish.
    ///
    /// # Errors
    /// If the system does not let the program say so.
    pub(super) fn refuse_newcomers(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => refuse_newcomers(listener),
            Self::Unix(_, Some(path)) => std::fs::remove_file(path),
            Self::Unix(_, None) => Ok(()),
        }
    }

    /// Goes on with it on this thread's runtime.
    ///
    /// # Errors
    /// If there is no runtime.
    pub(super) fn into_accepting(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Tcp(listener) => Accepting::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Self::Unix(listener, _) => Accepting::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }
}

/// A listener of a runtime.
pub(super) enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accepting {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// If it broke, or there are too many open files.
    pub(super) async fn accept(&self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(listener) => listener.accept().await?.0.into(),
            Self::Unix(listener) => listener.accept().await?.0.into(),
        })
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl Socket {
    /// Returns the address at the other end; a client that has left already has none any more.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => Some(THIS_MACHINE),
        }
    }

    /// Looks whether there is something to read.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// Answers what has come by now, as far as that goes without waiting, and says that nothing follows.
    ///
    /// # Errors
    /// If not all of the answer fits, or the client has left.
    pub(super) fn answer_and_close(self, answer: impl FnOnce(&[u8]) -> Vec<u8>) -> io::Result<()> {
        let mut beginning = [0; 32];
        match self {
            Self::Tcp(stream) => {
                let mut stream = stream.into_std()?;
                let read = stream.peek(&mut beginning).unwrap_or(0);
                stream.write_all(&answer(beginning.get(..read).unwrap_or_default()))?;
                stream.shutdown(Shutdown::Write)
            }
            Self::Unix(stream) => {
                let mut stream = stream.into_std()?;
                let read = stream.read(&mut beginning).unwrap_or(0);
                stream.write_all(&answer(beginning.get(..read).unwrap_or_default()))?;
                stream.shutdown(Shutdown::Write)
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
