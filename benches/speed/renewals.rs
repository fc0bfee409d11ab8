//! What a renewal by a proof of the device costs, beside a rotation by a refresh token.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::Arguments;
use super::client::{Answer, Browser, USER_AGENT, ask, request};
use super::load::header;
use super::process::Server;
use super::table::{Row, median};

/// Sign-ins of each kind; each is renewed once in a round.
const SIGN_INS: usize = 400;

/// Connections that they share.
const CONNECTIONS: usize = 16;

/// Microseconds of processor time that a renewal may cost.
const GOAL: f64 = 200.0;

/// Longer than the window of a grace of nothing, which is counted in whole seconds.
const PAST_THE_WINDOW: Duration = Duration::from_millis(1_100);

/// A browser, and the key of its device where it is bound to one.
struct SignIn {
    browser: Browser,
    device: Option<Device>,
}

/// A key, and what its browser keeps beside it.
struct Device {
    key: EcdsaKeyPair,
    session: String,
    challenge: String,
}

/// What a round took, for each sign-in.
struct Figure {
    rate: f64,
    processor: f64,
}

/// Measures both, in turns.
pub(crate) fn measure(arguments: &Arguments, rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::perennial(folder.path(), &[("BCRYPT_COST", "4"), ("REUSE_GRACE", "0s")]);
    Browser::new(server.address).register();
    let mut bound: Vec<_> = (0..SIGN_INS).map(|_| SignIn::begin(server.address, true)).collect();
    let mut plain: Vec<_> = (0..SIGN_INS).map(|_| SignIn::begin(server.address, false)).collect();
    // The first renewal of a sign-in is an event of its own.
    round(&server, &mut bound);
    round(&server, &mut plain);
    let turns = (0..arguments.rounds).map(|_| (round(&server, &mut bound), round(&server, &mut plain)));
    let figures: Vec<_> = turns.collect();
    let proved = median(figures.iter().map(|(proved, _)| proved.processor));
    let rotated = median(figures.iter().map(|(_, rotated)| rotated.processor));
    let rates =
        [median(figures.iter().map(|(proved, _)| proved.rate)), median(figures.iter().map(|(_, plain)| plain.rate))];
    let ratio = median(figures.iter().map(|(proved, rotated)| proved.processor / rotated.processor));
    rows.push(Row::note("renewals by proof", format!("{:.0}/s", rates[0])));
    rows.push(Row::at_most("server CPU of a renewal by proof", GOAL, proved, "µs"));
    rows.push(Row::note("rotations by a refresh token", format!("{:.0}/s", rates[1])));
    rows.push(Row::note("server CPU of a rotation by a refresh token", format!("{rotated:.1} µs")));
    rows.push(Row::note("server CPU of a renewal by proof, against that", format!("{ratio:.2} times")));
}

/// Renews each sign-in once, over connections that stay.
fn round(server: &Server, sign_ins: &mut [SignIn]) -> Figure {
    thread::sleep(PAST_THE_WINDOW);
    let requests: Vec<_> = sign_ins.iter().map(|sign_in| sign_in.renewal(server.address)).collect();
    let (before, started) = (server.processor_time(), Instant::now());
    let share = SIGN_INS.div_ceil(CONNECTIONS);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let send = |requests: &[Vec<u8>]| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_nodelay(true).unwrap();
            requests.iter().map(|request| ask(&mut stream, request)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = requests.chunks(share).map(|requests| scope.spawn(move || send(requests))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (took, cost) = (started.elapsed().as_secs_f64(), server.processor_time() - before);
    for (sign_in, answer) in sign_ins.iter_mut().zip(&answers) {
        sign_in.take_in(answer);
    }
    let each = SIGN_INS as f64;
    Figure { rate: each / took, processor: cost.as_secs_f64() * 1e6 / each }
}

impl SignIn {
    fn begin(address: SocketAddr, binds: bool) -> Self {
        let mut browser = Browser::new(address);
        let answer = browser.sign_in();
        let device = binds.then(|| Device::register(address, &browser, &answer));
        if device.is_none() {
            browser.forget("access_token");
        }
        Self { browser, device }
    }

    /// Writes the request that renews it.
    fn renewal(&self, address: SocketAddr) -> Vec<u8> {
        match &self.device {
            Some(device) => {
                let proof = device.sign("{\"typ\":\"dbsc+jwt\",\"alg\":\"ES256\"}", &device.challenge, "");
                let session = format!("Sec-Secure-Session-Id: \"{}\"\r\n", device.session);
                by_proof("/session/renew", address, &self.browser.cookies(), &proof, &session)
            }
            None => request("GET", "/", address, &self.browser.cookies(), ""),
        }
    }

    /// Takes the new cookies in, of which the plain browser forgets the access token: so it renews again.
    fn take_in(&mut self, answer: &Answer) {
        let of_refresh = answer.head.matches("set-cookie: keep_signed_in=").count();
        assert_eq!(of_refresh, 1, "it rotated: {}", answer.head);
        self.browser.keep(answer);
        match &mut self.device {
            Some(device) => device.challenge = challenge(answer),
            None => self.browser.forget("access_token"),
        }
    }
}

impl Device {
    /// Registers a key for the sign-in that an answer to a password began.
    fn register(address: SocketAddr, browser: &Browser, answer: &Answer) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let asked = header(answer.head.as_bytes(), "secure-session-registration").unwrap();
        let parameter = |name: &str| asked.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let session = parameter("authorization").to_owned();
        let mut device = Self { key, session, challenge: parameter("challenge").to_owned() };
        let (x, y) = device.key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        let head = format!(
            "{{\"typ\":\"dbsc+jwt\",\"alg\":\"ES256\",\"jwk\":{{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"{x}\",\"y\":\"{y}\"}}}}"
        );
        let proof = device.sign(&head, &device.challenge, &format!(",\"authorization\":\"{}\"", device.session));
        let request = by_proof("/session/bind", address, &browser.cookies(), &proof, "");
        let bound = ask(&mut TcpStream::connect(address).unwrap(), &request);
        assert_eq!(bound.status, 200, "{}", bound.head);
        device.challenge = challenge(&bound);
        device
    }

    /// Signs a proof over a challenge.
    fn sign(&self, head: &str, challenge: &str, more: &str) -> String {
        let claims = format!("{{\"jti\":\"{challenge}\"{more}}}");
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Writes what a browser sends by itself.
fn by_proof(path: &str, address: SocketAddr, cookies: &str, proof: &str, more: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {USER_AGENT}\r\nCookie: {cookies}\r\n\
         Secure-Session-Response: \"{proof}\"\r\n{more}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Reads the next challenge.
fn challenge(answer: &Answer) -> String {
    let value = header(answer.head.as_bytes(), "secure-session-challenge");
    value.unwrap_or_else(|| panic!("{}", answer.head)).split('"').nth(1).unwrap().to_owned()
}
