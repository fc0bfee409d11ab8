//! A mail server for tests: it speaks as much SMTP as a message takes (RFC 5321), on loopback, and does as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// How the server answers one message, or the connection that was opened for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It takes the message.
    Take,
    /// It takes the message once it is released, and until then says nothing.
    Hold,
    /// It takes the message and hangs up.
    TakeAndHangUp,
    /// It takes the message and hangs up without a word.
    TakeInSilence,
    /// It turns the connection away with a temporary error (RFC 5321 section 4.2.1).
    TurnAway,
    /// It rejects the password.
    RejectPassword,
    /// It refuses the sender for good.
    RefuseSender,
    /// It puts the recipient off.
    Defer,
    /// It refuses the recipient for good.
    Refuse,
}

/// What the server heard of one message.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The command lines since the message before.
    pub(crate) commands: Vec<String>,
    /// The message, if it came to that.
    pub(crate) message: String,
}

/// A running server; it answers as often as it was told how, and then never again.
pub(crate) struct SmtpDouble {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it heard, one message after the other.
    pub(crate) heard: Receiver<Heard>,
    script: Arc<Script>,
}

struct Script {
    answers: Mutex<VecDeque<Answer>>,
    released: Mutex<bool>,
    change: Condvar,
}

impl SmtpDouble {
    /// Starts a server that answers in this order.
    pub(crate) fn start(answers: &[Answer]) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), answers)
    }

    /// Starts a server on a socket that is there.
    pub(crate) fn start_on(listener: TcpListener, answers: &[Answer]) -> Self {
        let address = listener.local_addr().unwrap();
        let answers = Mutex::new(answers.iter().copied().collect());
        let script = Arc::new(Script { answers, released: Mutex::new(false), change: Condvar::new() });
        let (told, heard) = channel();
        let followed = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, told) = (Arc::clone(&followed), told.clone());
                thread::spawn(move || converse(stream.unwrap(), &script, &told));
            }
        });
        Self { address, heard, script }
    }

    /// Lets the server go on with what it holds.
    pub(crate) fn release(&self) {
        *self.script.released.lock().unwrap() = true;
        self.script.change.notify_all();
    }
}

impl Script {
    /// Returns the answer that comes next without using it up; waits for ever once there is none.
    fn next(&self) -> Answer {
        let answers = self.answers.lock().unwrap();
        let waiting = self.change.wait_while(answers, |answers| answers.is_empty());
        *waiting.unwrap().front().unwrap()
    }

    /// Uses the answer up, and tells what was heard.
    fn done(&self, heard: &mut Heard, told: &Sender<Heard>) {
        self.answers.lock().unwrap().pop_front();
        // The test may have seen enough.
        let _ = told.send(std::mem::take(heard));
    }

    fn wait_for_release(&self) {
        let released = self.released.lock().unwrap();
        drop(self.change.wait_while(released, |released| !*released).unwrap());
    }
}

/// Speaks with one client; whoever hangs up is not waited for.
fn converse(mut stream: TcpStream, script: &Script, told: &Sender<Heard>) {
    let mut heard = Heard::default();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |line: &str| write!(stream, "{line}\r\n");
    if script.next() == Answer::TurnAway {
        script.done(&mut heard, told);
        let _ = say("421 come back later");
        return;
    }
    let mut said = say("220 double");
    while let (Ok(()), Some(Ok(line))) = (&said, lines.next()) {
        heard.commands.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = if verb == "QUIT" { Answer::Take } else { script.next() };
        said = match (verb.as_str(), answer) {
            ("EHLO", _) => say("250-double\r\n250 AUTH PLAIN"),
            ("AUTH", Answer::RejectPassword) => {
                script.done(&mut heard, told);
                say("535 wrong password")
            }
            ("AUTH", _) => say("235 welcome"),
            ("MAIL", Answer::RefuseSender) => {
                script.done(&mut heard, told);
                say("550 not from you")
            }
            ("RCPT", Answer::Defer) => {
                script.done(&mut heard, told);
                say("450 not now")
            }
            ("RCPT", Answer::Refuse) => {
                script.done(&mut heard, told);
                say("550 nobody\u{1b}[31m here")
            }
            ("DATA", _) => {
                say("354 go on").unwrap();
                let message = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                // A dot in front of a line was doubled on its way (section 4.5.2).
                let message = message.map(|line| line.strip_prefix('.').map_or(line.clone(), str::to_owned));
                heard.message = message.collect::<Vec<_>>().join("\r\n");
                script.done(&mut heard, told);
                if answer == Answer::Hold {
                    script.wait_for_release();
                }
                if answer == Answer::TakeInSilence {
                    return;
                }
                let said = say("250 taken");
                if answer == Answer::TakeAndHangUp {
                    return;
                }
                said
            }
            // Whoever quits may hang up without an answer.
            ("QUIT", _) => return drop(say("221 bye")),
            _ => say("250 fine"),
        };
    }
}
