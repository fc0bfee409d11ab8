//! A small HTTP client over real sockets, and a cookie jar that does what browsers' jars do.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::patience::DEADLINE;
use super::server::Server;

/// The name of the cookie that holds the access token.
pub(crate) const ACCESS: &str = "access_token";

/// The name of the cookie that holds the refresh token.
pub(crate) const REFRESH: &str = "keep_signed_in";

/// The password of every account that these tests make.
pub(crate) const PASSWORD: &str = "orchard lantern + meadow %41";

/// An answer as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
    headers: Vec<(String, String)>,
    whole: bool,
}

impl Answer {
    /// Returns the first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Returns every value of a header.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether the answer sets a cookie to something.
    pub(crate) fn sets(&self, cookie: &str) -> bool {
        self.values("set-cookie").any(|line| line.starts_with(&format!("{cookie}=")) && !line.contains("Max-Age=0"))
    }

    /// Returns the value of the first attribute that follows `before`, up to the next double quote.
    pub(crate) fn between(&self, before: &str) -> Option<&str> {
        self.body.split_once(before)?.1.split('"').next()
    }
}

/// Sends bytes on a connection of their own and reads the answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    read_answer(&mut stream)
}

/// Opens a connection that waits for nothing for ever.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Reads one answer; fails if the connection breaks before its head is whole.
pub(crate) fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let head = loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match read(stream, &mut chunk)? {
            0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer has no head")),
            count => received.extend_from_slice(&chunk[..count]),
        }
    };
    let text = String::from_utf8_lossy(&received[..head]).into_owned();
    let mut body = received.split_off(head + 4);
    let mut lines = text.split("\r\n");
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "this is no HTTP answer");
    let status_line = lines.next().filter(|line| line.starts_with("HTTP/1.")).ok_or_else(malformed)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let wanted: usize = length.unwrap_or(0);
    while body.len() < wanted {
        match read(stream, &mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => body.extend_from_slice(&chunk[..count]),
        }
    }
    let whole = body.len() == wanted;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), headers, whole })
}

/// Reads what is there; a machine that was suspended interrupts whoever waits with a time limit.
fn read(stream: &mut TcpStream, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Cookies by name. It never lets one run out by itself: an old one sent is a harder test than one that is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes over what an answer sets or clears.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for line in answer.values("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Returns a cookie.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Puts a cookie in.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a cookie out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Returns every cookie in it, as name and value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns every value in it.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    fn line(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// Somebody's browser: an address to go to, and a jar.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Where the server is.
    pub(crate) address: SocketAddr,
    /// What it keeps.
    pub(crate) jar: Jar,
    /// A line of a header sent with every request, such as `Accept: application/json`.
    pub(crate) extra: String,
}

impl Client {
    /// Opens a browser with an empty jar.
    pub(crate) fn of(server: &Server) -> Self {
        Self::at(server.address)
    }

    /// Opens a browser with an empty jar that goes to an address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, jar: Jar::default(), extra: String::new() }
    }

    /// Opens a page and keeps the cookies, which count as soon as the head of an answer is whole.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = self.head("GET", path, "");
        self.send(&request)
    }

    /// Sends a form as it is.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> io::Result<Answer> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let length = form.len();
        let kind = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
        let mut request = self.head("POST", path, &format!("{kind}Content-Length: {length}\r\n"));
        request.push_str(&form);
        self.send(&request)
    }

    /// Opens the page a form is on, fills it in and sends it.
    pub(crate) fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token(page);
        let mut fields = fields.to_vec();
        fields.push(("form_token", &token));
        self.post(action, &fields).unwrap()
    }

    /// Opens a page and returns the token of its first form.
    pub(crate) fn form_token(&mut self, page: &str) -> String {
        let answer = self.get(page).unwrap();
        answer.between("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("no form: {answer:?}")).to_owned()
    }

    /// Makes an account with an address of this name, and is signed in.
    pub(crate) fn register(&mut self, name: &str) {
        let email = format!("{name}@example.org");
        let fields =
            [("full_name", "Ada Lovelace"), ("email", &email), ("password", PASSWORD), ("keep_signed_in", "on")];
        let answer = self.submit("/register", "/register", &fields);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{answer:?}");
    }

    /// Signs in to the account of this name.
    pub(crate) fn sign_in(&mut self, name: &str) -> Answer {
        let email = format!("{name}@example.org");
        self.submit("/login", "/login", &[("email", &email), ("password", PASSWORD), ("keep_signed_in", "on")])
    }

    /// Signs out.
    pub(crate) fn sign_out(&mut self) {
        let answer = self.submit("/dashboard", "/logout", &[]);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/login")), "{answer:?}");
    }

    /// Opens the dashboard; tells whether it was shown, and fails if something else than the sign-in page came instead.
    pub(crate) fn is_signed_in(&mut self) -> bool {
        let answer = self.get("/dashboard").unwrap();
        match answer.status {
            200 => answer.body.contains("<h1>Welcome, Ada Lovelace</h1>"),
            303 if answer.header("location") == Some("/login?next=%2Fdashboard") => false,
            _ => panic!("neither the page nor the way to sign in: {answer:?}"),
        }
    }

    /// Writes the head of a request.
    pub(crate) fn head(&self, method: &str, path: &str, more: &str) -> String {
        let (address, cookies, extra) = (self.address, self.jar.line(), &self.extra);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: {cookies}\r\n{extra}{more}\r\n"
        )
    }

    fn send(&mut self, request: &str) -> io::Result<Answer> {
        let answer = exchange(self.address, request.as_bytes())?;
        self.jar.keep(&answer);
        if answer.whole { Ok(answer) } else { Err(io::Error::new(io::ErrorKind::UnexpectedEof, "half an answer")) }
    }
}
