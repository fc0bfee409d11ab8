//! The end of a listener, without a connection that breaks.

use std::io;
use std::net::TcpListener;

/// Lets nobody begin to connect to a listener any more; whoever has begun may finish.
///
/// Closing a listener resets what its queue holds, and between the last look into the queue and the close somebody may
/// join it. So the system is first told to drop the packets that begin a connection (SYN without ACK). Whoever sends one
/// tries again after a second, and is then refused, as by a server that is not there.
///
/// # Errors
/// If the system does not let the program say so.
#[cfg(target_os = "linux")]
pub(super) fn refuse_newcomers(listener: &TcpListener) -> io::Result<()> {
    use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET};
    use socket2::{SockFilter, SockRef};

    /// Where the flags stand in a TCP header (RFC 9293 section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    let step = |code: u32, jump_if, jump_else, value| SockFilter::new(code as u16, jump_if, jump_else, value);
    let filter = [
        step(BPF_LD | BPF_B | BPF_ABS, 0, 0, FLAGS),
        step(BPF_ALU | BPF_AND | BPF_K, 0, 0, SYN | ACK),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYN),
        // Nothing of the packet is kept, or all of it.
        step(BPF_RET | BPF_K, 0, 0, 0),
        step(BPF_RET | BPF_K, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter)
}

/// Does nothing: other systems have no such filter, and a connection that comes at the very moment of the close breaks.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_newcomers(_listener: &TcpListener) -> io::Result<()> {
    Ok(())
}
