//! What is sent arrives, with both parts and the right headers; what cannot be sent harms nobody.

mod smtp_double;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use secrecy::SecretString;
use time::OffsetDateTime;
use time::macros::datetime;

use super::carrier::Carrier;
use super::letter::{Letter, Letterhead};
use super::smtp::Smtp;
use super::{MailError, Mailer, Message, RefreshTokenReplayed};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::moment::Moment;
use smtp_double::{Answer, Heard, smtp_double};

const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

/// Longer than any of these tests takes when it passes.
const PATIENCE: Duration = Duration::from_secs(20);

fn letterhead() -> Letterhead {
    Letterhead::new("example.org", None).unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

fn message(subject: &str) -> Message {
    Message {
        to: "ada@example.net".parse().unwrap(),
        subject: subject.to_owned(),
        text: "Grüße,\nhere it is: https://example.org/x?y=1\n.\nPerennial".to_owned(),
        html: "<p>Grüße, <a href=\"https://example.org/x?y=1\">here</a></p>".to_owned(),
    }
}

fn header(mail: &ParsedMail<'_>, name: &str) -> String {
    let values = mail.headers.get_all_values(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].clone()
}

/// Returns what lies in a folder of mails.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_mail_becomes_a_private_file_that_mail_programs_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("deep/mail");
    let mailer = Mailer::folder(&folder, letterhead(), clock()).unwrap();
    assert!(!folder.exists(), "made when first needed");
    mailer.send(message("Grüße"), NOW, || {});
    // The last handle sends what is in line before it goes.
    drop(mailer);
    let [file] = files(&folder).try_into().unwrap();
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("2026-11-21T08-30-00Z-"));
    assert_eq!(file.extension().unwrap(), "eml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);

    let bytes = fs::read(&file).unwrap();
    let mail = parse_mail(&bytes).unwrap();
    assert_eq!(header(&mail, "From"), "Perennial <no-reply@example.org>");
    assert_eq!(header(&mail, "To"), "ada@example.net");
    assert_eq!(header(&mail, "Subject"), "Grüße");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "Date"), "Sat, 21 Nov 2026 08:30:00 +0000");
    let id = header(&mail, "Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
    assert_eq!(mail.ctype.mimetype, "multipart/alternative");
    // The richest form comes last (RFC 2046 section 5.1.4).
    let types: Vec<&str> = mail.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect();
    assert_eq!(types, ["text/plain", "text/html"]);
    let body = |index: usize| mail.subparts[index].get_body().unwrap().replace("\r\n", "\n");
    assert_eq!(body(0).trim_end(), message("").text);
    assert_eq!(body(1).trim_end(), message("").html);
}

#[test]
fn two_mails_of_one_moment_are_two_files() {
    let place = tempfile::tempdir().unwrap();
    let mailer = Mailer::folder(place.path(), letterhead(), clock()).unwrap();
    mailer.send(message("a"), NOW, || {});
    mailer.send(message("b"), NOW, || {});
    mailer.close();
    assert_eq!(files(place.path()).len(), 2);
    // A closed mailer takes no more, and says so to the log alone.
    mailer.send(message("c"), NOW, || {});
    assert_eq!(files(place.path()).len(), 2);
}

#[test]
fn nobody_writes_headers_of_their_own() {
    for subject in
        ["a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com", "a\r\n\r\n<script>", "ü\r\nBcc: eve@example.com"]
    {
        let letter = letterhead().compose(message(subject), NOW).unwrap();
        let bytes = letter.mail.formatted();
        let mail = parse_mail(&bytes).unwrap();
        assert!(mail.headers.get_first_value("Bcc").is_none(), "{subject:?}");
        assert!(!header(&mail, "Subject").contains(['\r', '\n']));
        assert_eq!(letter.mail.envelope().to().len(), 1);
        assert_eq!(mail.subparts.len(), 2);
    }
}

#[test]
fn the_sender_is_the_settings_or_the_hosts() {
    let from = |host: &str, from: Option<&str>| {
        let letterhead = Letterhead::new(host, from.map(|from| from.parse().unwrap())).unwrap();
        let bytes = letterhead.compose(message("x"), NOW).unwrap().mail.formatted();
        let mail = parse_mail(&bytes).unwrap();
        (header(&mail, "From"), header(&mail, "Message-ID").split_once('@').unwrap().1.to_owned())
    };
    let pair = |from: &str, id: &str| (from.to_owned(), id.to_owned());
    assert_eq!(from("localhost", None), pair("Perennial <no-reply@localhost>", "localhost>"));
    assert_eq!(from("192.0.2.1", None), pair("Perennial <no-reply@192.0.2.1>", "[192.0.2.1]>"));
    assert_eq!(from("[::1]", None), pair("Perennial <no-reply@localhost>", "[IPv6:::1]>"));
    assert_eq!(from("mail_relay", None), pair("Perennial <no-reply@mail_relay>", "mail_relay>"));
    assert_eq!(
        from("example.org", Some("\"Ada, L.\" <ada@example.com>")),
        pair("Ada, L. <ada@example.com>", "example.org>")
    );
}

#[test]
fn a_clock_before_1970_still_dates_a_mail() {
    let letter = letterhead().compose(message("x"), datetime!(1901-01-01 0:00 UTC)).unwrap();
    assert!(String::from_utf8(letter.mail.formatted()).unwrap().contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"));
}

#[test]
fn tests_find_their_mail_at_once() {
    let (mailer, outbox) = Mailer::memory();
    mailer.clone().send(message("a"), NOW, || {});
    mailer.send(message("b"), NOW, || {});
    assert_eq!(outbox.messages(), [message("a"), message("b")]);
    assert_eq!(format!("{mailer:?} {:?}", outbox.messages()), "Mailer [Message, Message]");
}

/// A carrier that says what it holds, and lets go when it is told to.
struct Slow {
    holds: Sender<String>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Carrier for Slow {
    fn carry(&self, letter: &Letter) -> Result<(), MailError> {
        let mail = letter.mail.formatted();
        let subject = header(&parse_mail(&mail).unwrap(), "Subject");
        self.holds.send(subject).unwrap();
        // Once the test lets go of its end, nothing is held any more.
        let _ = self.go.lock().unwrap().recv();
        Ok(())
    }
}

#[test]
fn a_full_line_drops_the_newest_and_blocks_nobody() {
    let ((holds, held), (release, go)) = (channel(), channel());
    let slow = Slow { holds, go: Arc::new(Mutex::new(go)) };
    let mailer = Mailer::start(slow, letterhead(), clock(), &[], 2).unwrap();
    mailer.send(message("held"), NOW, || {});
    assert_eq!(held.recv_timeout(PATIENCE).unwrap(), "held");
    for subject in ["first in line", "second in line", "dropped", "dropped"] {
        mailer.send(message(subject), NOW, || {});
    }
    drop(release);
    drop(mailer);
    assert_eq!(held.try_iter().collect::<Vec<_>>(), ["first in line", "second in line"]);
}

fn smtp(answers: &'static [Answer], pauses: &'static [Duration]) -> (Mailer, Receiver<Heard>) {
    let (address, heard) = smtp_double(answers);
    let url = SecretString::from(format!("smtp://ada:hunter2@{address}"));
    let smtp = Smtp::new(&url, letterhead().domain()).unwrap();
    (Mailer::start(smtp, letterhead(), clock(), pauses, 8).unwrap(), heard)
}

#[test]
fn a_mail_server_gets_the_mail() {
    let (mailer, heard) = smtp(&[Answer::Take], &[]);
    mailer.send(message("Grüße"), NOW, || {});
    let heard = heard.recv_timeout(PATIENCE).unwrap();
    let said: Vec<&str> = heard.commands.iter().map(String::as_str).collect();
    assert_eq!(said[0], "EHLO example.org");
    // \0ada\0hunter2 (RFC 4616)
    assert_eq!(said[1], "AUTH PLAIN AGFkYQBodW50ZXIy");
    assert_eq!(said[2..5], ["MAIL FROM:<no-reply@example.org>", "RCPT TO:<ada@example.net>", "DATA"]);
    let mail = parse_mail(heard.message.as_bytes()).unwrap();
    assert_eq!(header(&mail, "Subject"), "Grüße");
    assert_eq!(mail.subparts[0].get_body().unwrap().replace("\r\n", "\n").trim_end(), message("").text);
}

#[test]
fn a_server_that_is_away_is_asked_again_and_gets_the_same_mail() {
    const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(40)];
    let (mailer, heard) = smtp(&[Answer::TurnAway, Answer::TurnAway, Answer::Take], &PAUSES);
    mailer.send(message("late"), NOW, || {});
    let heard: Vec<Heard> = (0..3).map(|_| heard.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(heard[2].message.contains("Subject: late"));
}

#[test]
fn a_mail_that_waits_holds_up_no_other() {
    const PAUSES: [Duration; 1] = [Duration::from_secs(3600)];
    let (mailer, heard) = smtp(&[Answer::TurnAway, Answer::Take, Answer::Take], &PAUSES);
    mailer.send(message("early"), NOW, || {});
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap().message, "");
    mailer.send(message("late"), NOW, || {});
    assert!(heard.recv_timeout(PATIENCE).unwrap().message.contains("Subject: late"));
    // At the end, what waits gets its last try without the pause.
    mailer.close();
    assert!(heard.recv_timeout(PATIENCE).unwrap().message.contains("Subject: early"));
}

#[test]
fn a_refusal_for_good_is_taken_for_an_answer() {
    const PAUSES: [Duration; 1] = [Duration::from_millis(1)];
    let (mailer, heard) = smtp(&[Answer::Refuse, Answer::Take], &PAUSES);
    mailer.send(message("refused"), NOW, || {});
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap().message, "");
    mailer.send(message("next"), NOW, || {});
    assert!(heard.recv_timeout(PATIENCE).unwrap().message.contains("Subject: next"));
}

#[test]
fn what_was_given_up_is_not_settled_and_all_else_is() {
    let (mailer, _heard) = smtp(&[Answer::Take, Answer::Refuse, Answer::TurnAway, Answer::Take], &[]);
    let (settled, told) = channel();
    for subject in ["taken", "refused for good", "given up", "taken, too"] {
        let settled = settled.clone();
        mailer.send(message(subject), NOW, move || settled.send(subject).unwrap());
    }
    mailer.close();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["taken", "refused for good", "taken, too"]);
}

#[test]
fn what_a_server_answers_can_not_write_the_log() {
    let (address, _heard) = smtp_double(&[Answer::Refuse]);
    let smtp = Smtp::new(&SecretString::from(format!("smtp://ada:hunter2@{address}")), "example.org").unwrap();
    let error = smtp.carry(&letterhead().compose(message("x"), NOW).unwrap()).unwrap_err();
    let line = error.to_string();
    assert!(!error.may_pass());
    assert!(line.contains("550") && !line.contains('\u{1b}') && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_theft_is_told_in_both_forms() {
    let told = RefreshTokenReplayed {
        full_name: "Ada <b>Lovelace</b>",
        at: Moment::new(NOW, NOW),
        device: "Firefox on Linux".to_owned(),
        address: "192.0.2.1".to_owned(),
        other_device: "Safari on macOS".to_owned(),
        other_address: "unknown address".to_owned(),
        devices_url: "https://example.org/devices".to_owned(),
    };
    let Message { to, subject, text, html } = told.to("ada@example.net".parse().unwrap()).unwrap();
    assert_eq!((to.as_str(), subject.as_str()), ("ada@example.net", "One of your sign-ins was used from two places"));
    assert!(text.contains("Hello Ada <b>Lovelace</b>,"));
    assert!(html.contains("Hello Ada &#60;b&#62;Lovelace&#60;/b&#62;,"), "{html}");
    for words in
        ["21 November 2026, 08:30 UTC", "Firefox on Linux, 192.0.2.1", "Safari on macOS", "https://example.org/devices"]
    {
        assert!(text.contains(words) && html.contains(words), "{words}");
    }
}
