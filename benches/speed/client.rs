//! A small client that makes an account and signs in, as a browser does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::load::header;

/// What the browser of every request says of itself.
pub(crate) const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// The account of every sign-in.
pub(crate) const EMAIL: &str = "ada@example.org";

/// Its password.
pub(crate) const PASSWORD: &str = "orchard lantern meadow";

/// An answer.
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its head.
    pub(crate) head: String,
    /// Its body.
    pub(crate) body: String,
}

impl Answer {
    /// Returns the text after `before`, up to the next double quote.
    fn between(&self, before: &str) -> &str {
        self.body.split_once(before).unwrap().1.split('"').next().unwrap()
    }
}

/// Writes a request out as Chrome would.
pub(crate) fn request(method: &str, path: &str, host: SocketAddr, cookies: &str, form: &str) -> Vec<u8> {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: text/html,\
         application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nAccept-Language: \
         en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: \
         navigate\r\nSec-Fetch-Dest: document\r\n"
    );
    if !cookies.is_empty() {
        text.push_str(&format!("Cookie: {cookies}\r\n"));
    }
    if method == "POST" {
        text.push_str(&format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        ));
    }
    format!("{text}\r\n{form}").into_bytes()
}

/// Sends one request on a connection of its own.
pub(crate) fn send(address: SocketAddr, request: &[u8]) -> Answer {
    ask(&mut TcpStream::connect(address).unwrap(), request)
}

/// Sends one request on a connection that stays, and waits for the answer.
pub(crate) fn ask(stream: &mut TcpStream, request: &[u8]) -> Answer {
    stream.write_all(request).unwrap();
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        received.extend_from_slice(&chunk[..count]);
        let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            assert!(count > 0, "the answer has no head");
            continue;
        };
        let length = header(&received, "content-length").map_or(0, |value| value.parse().unwrap());
        if received.len() >= head + 4 + length {
            let body = String::from_utf8(received.split_off(head + 4)).unwrap();
            let head = String::from_utf8(received).unwrap();
            return Answer { status: head[9..12].parse().unwrap(), head, body };
        }
        assert!(count > 0, "the answer was cut");
    }
}

/// Reads a page.
pub(crate) fn get(address: SocketAddr, path: &str, cookies: &str) -> Answer {
    send(address, &request("GET", path, address, cookies, ""))
}

/// A browser: an address and its cookies.
pub(crate) struct Browser {
    address: SocketAddr,
    jar: BTreeMap<String, String>,
}

impl Browser {
    /// Opens a browser without cookies.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, jar: BTreeMap::new() }
    }

    /// Returns the value of its `Cookie` header.
    pub(crate) fn cookies(&self) -> String {
        let pairs: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Reads a page and keeps its cookies.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let answer = get(self.address, path, &self.cookies());
        self.keep(&answer);
        answer
    }

    /// Sends a form, with the token of the page before, and keeps the cookies of the answer.
    pub(crate) fn post(&mut self, path: &str, page: &Answer, fields: &str) -> Answer {
        let form = format!("form_token={}&{fields}", page.between("name=\"form_token\" value=\""));
        let answer = send(self.address, &request("POST", path, self.address, &self.cookies(), &form));
        self.keep(&answer);
        answer
    }

    /// Makes the account.
    pub(crate) fn register(&mut self) {
        let page = self.get("/register");
        let answer = self.post("/register", &page, &format!("full_name=Ada+Lovelace&{}", sign_in_fields()));
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    /// Signs in.
    pub(crate) fn sign_in(&mut self) -> Answer {
        let page = self.get("/login");
        let answer = self.post("/login", &page, &sign_in_fields());
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer
    }

    /// Loses a cookie.
    pub(crate) fn forget(&mut self, name: &str) {
        self.jar.remove(name);
    }

    /// Prepares a sign-in that can be sent any number of times.
    pub(crate) fn sign_in_request(&mut self) -> Vec<u8> {
        let page = self.get("/login");
        let form = format!("form_token={}&{}", page.between("name=\"form_token\" value=\""), sign_in_fields());
        request("POST", "/login", self.address, &self.cookies(), &form)
    }

    /// Keeps the cookies of an answer.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for line in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn sign_in_fields() -> String {
    format!("email={EMAIL}&password={}&keep_signed_in=on", PASSWORD.replace(' ', "+"))
}
