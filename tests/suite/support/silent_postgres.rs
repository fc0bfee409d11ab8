//! A PostgreSQL server that lets everybody in and then says nothing any more.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What a client that would like TLS asks first (PostgreSQL manual, 55.7 "Message Formats", `SSLRequest`).
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// The server; it takes no more connections once this is dropped.
pub(crate) struct SilentPostgres {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl SilentPostgres {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, ended) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&ended);
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                // A client that goes away meanwhile is none of its business.
                if let_in(&mut stream).is_ok() {
                    held.push(stream);
                }
            }
        });
        Self { address, ended }
    }
}

impl Drop for SilentPostgres {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// Reads the first messages of a client, and answers that it is let in and may ask.
fn let_in(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize - length.len()];
        stream.read_exact(&mut message)?;
        if message == SSL_REQUEST {
            stream.write_all(b"N")?;
            continue;
        }
        let mut answer = b"R\0\0\0\x08\0\0\0\0".to_vec();
        for (name, value) in [("in_hot_standby", "off"), ("default_transaction_read_only", "off")] {
            let text = format!("{name}\0{value}\0");
            answer.push(b'S');
            answer.extend(u32::try_from(text.len() + 4).unwrap().to_be_bytes());
            answer.extend(text.into_bytes());
        }
        answer.extend(b"Z\0\0\0\x05I");
        return stream.write_all(&answer);
    }
}
