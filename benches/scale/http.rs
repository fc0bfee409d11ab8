//! A browser of a few lines: a connection that is kept, and the two cookies that sign in.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use perennial::crypto::{KeyRing, KeyState, SignedValues};
use secrecy::SecretString;

use super::rows;

/// The secret of every server that is measured.
pub(crate) const SECRET: &str = "a secret for measurements: 0123456789 abcdefghij";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Browser {
    stream: TcpStream,
    received: Vec<u8>,
    access: Option<String>,
    refresh: Option<String>,
    renewed: bool,
    /// Refresh cookies of others who share the connection.
    others: VecDeque<String>,
}

impl Browser {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (access, refresh, others) = (None, None, VecDeque::new());
        Ok(Self { stream, received: Vec::new(), access, refresh, renewed: false, others })
    }

    /// Connects with the refresh cookie of a sign-in, as a browser comes whose access cookie has run out.
    pub(crate) fn signed_in(address: SocketAddr, number: u64) -> io::Result<Self> {
        let refresh = Some(refresh_cookie(number));
        Ok(Self { refresh, ..Self::connect(address)? })
    }

    /// Takes the refresh cookie of another sign-in.
    pub(crate) fn become_another(&mut self, refresh: String) {
        (self.access, self.refresh) = (None, Some(refresh));
    }

    /// Gives the refresh cookie away.
    pub(crate) fn take_refresh(&mut self) -> Option<String> {
        self.refresh.take()
    }

    /// Tells whether the last answer brought another refresh cookie.
    pub(crate) fn was_renewed(&self) -> bool {
        self.renewed
    }

    /// Shares the connection with the refresh cookies of other sign-ins.
    pub(crate) fn share(&mut self, numbers: impl Iterator<Item = u64>) {
        self.others.extend(numbers.map(refresh_cookie));
    }

    /// Lets the next one have the connection, whose access cookie has run out.
    pub(crate) fn take_turns(&mut self) {
        self.others.extend(self.refresh.take());
        (self.access, self.refresh) = (None, self.others.pop_front());
    }

    /// Asks for a page, keeps its cookies, and returns the status.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<u16> {
        self.get_page(path).map(|(status, _)| status)
    }

    /// Does the same, and returns the page as well.
    pub(crate) fn get_page(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: ");
        for (name, value) in [("access_token", &self.access), ("keep_signed_in", &self.refresh)] {
            if let Some(value) = value {
                request += &format!("{name}={value}; ");
            }
        }
        request += "form=x\r\n\r\n";
        self.stream.write_all(request.as_bytes())?;
        self.renewed = false;
        let head = self.read_head()?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            } else if name.eq_ignore_ascii_case("set-cookie") {
                self.keep(value);
            }
        }
        while self.received.len() < length {
            self.receive()?;
        }
        let page = self.received.drain(..length).collect();
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, page))
    }

    fn keep(&mut self, line: &str) {
        let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
        let value = (!value.is_empty()).then(|| value.to_owned());
        match name {
            "access_token" => self.access = value,
            "keep_signed_in" => {
                self.renewed = value.is_some();
                self.refresh = value;
            }
            _ => {}
        }
    }

    fn read_head(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
                self.received.drain(..end + 4);
                return Ok(head);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// Signs the refresh token of a sign-in that was not touched since it was built.
pub(crate) fn refresh_cookie(number: u64) -> String {
    let keys = KeyRing::new(SecretString::from(SECRET), []);
    let signed = SignedValues::for_refresh_cookie(&keys, &KeyState::new(&keys)).sign(&rows::token(number).reveal());
    signed.unwrap().as_str().to_owned()
}
