//! A mail server for tests: it speaks as much SMTP as one message takes (RFC 5321), on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// How the double answers one connection.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// It takes the message.
    Take,
    /// It turns the connection away for now.
    TurnAway,
    /// It refuses the reader for good.
    Refuse,
}

/// What the double heard in one connection.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The command lines.
    pub(super) commands: Vec<String>,
    /// The message, if it came to that.
    pub(super) message: String,
}

/// Starts a double that answers one connection after another; what it heard comes out of the channel.
pub(super) fn smtp_double(answers: &'static [Answer]) -> (SocketAddr, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, heard) = channel();
    thread::spawn(move || serve(&listener, answers, &told));
    (address, heard)
}

fn serve(listener: &TcpListener, answers: &[Answer], told: &Sender<Heard>) {
    for answer in answers {
        let (stream, _) = listener.accept().unwrap();
        told.send(converse(stream, *answer)).unwrap();
    }
}

fn converse(mut stream: TcpStream, answer: Answer) -> Heard {
    let mut heard = Heard::default();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |line: &str| write!(stream, "{line}\r\n");
    if matches!(answer, Answer::TurnAway) {
        say("421 come back later").unwrap();
        return heard;
    }
    say("220 double").unwrap();
    while let Some(Ok(line)) = lines.next() {
        heard.commands.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match (verb.as_str(), answer) {
            ("EHLO", _) => say("250-double\r\n250 AUTH PLAIN").unwrap(),
            ("AUTH", _) => say("235 welcome").unwrap(),
            ("RCPT", Answer::Refuse) => say("550 nobody\u{1b}[31m here").unwrap(),
            ("DATA", _) => {
                say("354 go on").unwrap();
                let message = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                // A dot in front of a line was doubled on its way (section 4.5.2).
                let message = message.map(|line| line.strip_prefix('.').map_or(line.clone(), str::to_owned));
                heard.message = message.collect::<Vec<_>>().join("\r\n");
                say("250 taken").unwrap();
            }
            ("QUIT", _) => {
                // Whoever quits may hang up without an answer.
                let _ = say("221 bye");
                break;
            }
            _ => say("250 fine").unwrap(),
        }
    }
    heard
}
